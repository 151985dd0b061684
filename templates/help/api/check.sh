curl -H "Authorization: Token $TOKEN" $SITE/api/v1/albums/$ALBUM/photos/check/ --json @- <<END
{"files": [{
  "name": "a.jpg",
  "size": $(wc -c < a.jpg),
  "sha256": "$(sha256sum a.jpg | cut -c 1-64)"
}]}
END
# 200
