curl -H "Pixora-Guest: $GUEST" $SITE/api/v1/selfies/$SEARCH/archives/ --json '{}'
# 201
