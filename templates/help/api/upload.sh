curl -H "Authorization: Token $TOKEN" $SITE/api/v1/albums/$ALBUM/photos/ \
  -F file=@a.jpg -F file=@b.jpg
# 201
