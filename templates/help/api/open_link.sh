curl $SITE/api/v1/links/$LINK/
# 200
