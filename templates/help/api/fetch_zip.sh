curl -H "Authorization: Token $TOKEN" --output photos.zip --continue-at - $ZIP
# 200
