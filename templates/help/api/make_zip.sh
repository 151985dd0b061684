curl -H "Authorization: Token $TOKEN" $SITE/api/v1/albums/$ALBUM/archives/ --json '{"size": "original"}'
# 201; keep its "url" as ZIP
