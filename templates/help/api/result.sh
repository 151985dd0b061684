curl -H "Pixora-Guest: $GUEST" $SITE/api/v1/selfies/$SEARCH/
# 200; ask again until its "state" is "done"; keep the "id" of a photo as PHOTO
