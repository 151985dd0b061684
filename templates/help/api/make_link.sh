curl -H "Authorization: Token $TOKEN" $SITE/api/v1/albums/$ALBUM/links/ --json '{"can_download": true}'
# 201; keep its "token" as LINK
