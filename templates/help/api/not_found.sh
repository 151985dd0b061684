curl -H "Authorization: Token $TOKEN" $SITE/api/v1/albums/00000000-0000-4000-8000-000000000000/
# 404 {"type": ..., "title": ..., "status": 404, "detail": ..., "code": "not_found"}
