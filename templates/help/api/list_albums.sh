curl -H "Authorization: Token $TOKEN" $SITE/api/v1/albums/
# 200
