curl -H "Pixora-Guest: $GUEST" $SITE/api/v1/selfies/$SEARCH/feedback/ \
  --json "{\"photo\": \"$PHOTO\", \"verdict\": \"me\"}"
# 200
