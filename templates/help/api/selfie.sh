curl $SITE/api/v1/links/$LINK/selfies/ -F selfie=@me.jpg -F consent=true -F keep_me_posted=true
# 202; keep its "id" as SEARCH, its "guest_key" as GUEST
