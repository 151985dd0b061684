curl -H "Pixora-Guest: $GUEST" -X DELETE $SITE/api/v1/selfies/$SEARCH/
# 204
