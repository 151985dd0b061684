curl -H "Authorization: Token $TOKEN" $SITE/api/v1/albums/ --json '{
  "title": "Summer party",
  "event_date": "2026-06-20",
  "face_search": true,
  "legal_basis": {"basis": "explicit_consent", "attested": true}
}'
# 201; keep its "id" as ALBUM
