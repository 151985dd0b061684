from django.urls import path

from galleries.views import account, album, desk, guest, health, photo, selfie, sharing, upload

urlpatterns = [
    path("", account.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("setup/<str:token>/", account.first_admin, name="first-admin"),
    path("albums/", desk.albums, name="albums"),
    path("albums/new/", desk.album_new, name="album-new"),
    path("albums/<uuid:album_id>/", album.album, name="album"),
    path("albums/<uuid:album_id>/edit/", desk.album_edit, name="album-edit"),
    path("albums/<uuid:album_id>/delete/", desk.album_delete, name="album-delete"),
    path("albums/<uuid:album_id>/face-search/", desk.album_face_search, name="album-face-search"),
    path("albums/<uuid:album_id>/progress/", album.album_progress, name="album-progress"),
    path("albums/<uuid:album_id>/problems/", album.album_problems, name="album-problems"),
    path("albums/<uuid:album_id>/upload/", upload.album_upload, name="album-upload"),
    path("albums/<uuid:album_id>/retry/", album.album_retry, name="album-retry"),
    path("albums/<uuid:album_id>/delete-photos/", album.album_photos_delete, name="album-photos-delete"),
    path("albums/<uuid:album_id>/zip/", album.album_zip, name="album-zip"),
    path("albums/<uuid:album_id>/links/new/", sharing.album_link_new, name="album-link-new"),
    path("links/<uuid:link_id>/", sharing.link, name="link"),
    path("links/<uuid:link_id>/delete/", sharing.link_delete, name="link-delete"),
    path("photos/<uuid:photo_id>/", photo.photo, name="photo"),
    path("l/<str:token>/", guest.guest_link, name="guest-link"),
    path("shared/<uuid:album_id>/", guest.shared, name="shared"),
    path("my/", guest.my_photos, name="my-photos"),
    path("s/<uuid:selfie_id>/", selfie.selfie, name="selfie"),
    path("s/<uuid:selfie_id>/status/", selfie.selfie_status, name="selfie-status"),
    path("s/<uuid:selfie_id>/feedback/", selfie.selfie_feedback, name="selfie-feedback"),
    path("s/<uuid:selfie_id>/zip/", selfie.selfie_zip, name="selfie-zip"),
    path("s/<uuid:selfie_id>/withdraw/", selfie.selfie_withdraw, name="selfie-withdraw"),
]
