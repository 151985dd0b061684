curl -H "Authorization: Token $TOKEN" $SITE/api/v1/albums/$ALBUM/progress/
# 200; ask again until its "ready" is 2
