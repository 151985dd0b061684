from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from . import albums, audit, brand, collaborators, links, people, photos, selfies
from .authentication import Nothing

app_name = "api"
# A token, unlike an id of ours, is no UUID; `shared-` routes are found by it.
urlpatterns = [
    path("albums/", albums.AlbumList.as_view(), name="albums"),
    path("albums/<uuid:album_id>/", albums.AlbumDetail.as_view(), name="album"),
    path("albums/<uuid:album_id>/logo/", brand.AlbumLogo.as_view(), name="album-logo"),
    path("albums/<uuid:album_id>/photos/", albums.AlbumPhotos.as_view(), name="album-photos"),
    path("albums/<uuid:album_id>/photos/check/", albums.PhotoCheck.as_view(), name="album-photos-check"),
    path("albums/<uuid:album_id>/progress/", albums.AlbumProgress.as_view(), name="album-progress"),
    path("albums/<uuid:album_id>/restore/", albums.AlbumRestore.as_view(), name="album-restore"),
    path("albums/<uuid:album_id>/searches/", audit.AlbumSearches.as_view(), name="album-searches"),
    path("albums/<uuid:album_id>/alerts/", audit.AlbumAlerts.as_view(), name="album-alerts"),
    path("albums/<uuid:album_id>/alerts/<uuid:alert_id>/settle/", audit.AlertSettled.as_view(), name="alert-settle"),
    path("albums/<uuid:album_id>/retry/", albums.AlbumRetry.as_view(), name="album-retry"),
    path("albums/<uuid:album_id>/links/", albums.AlbumLinks.as_view(), name="album-links"),
    path(
        "albums/<uuid:album_id>/collaborators/",
        collaborators.AlbumCollaborators.as_view(),
        name="album-collaborators",
    ),
    path(
        "albums/<uuid:album_id>/collaborators/<uuid:collaborator_id>/",
        collaborators.CollaboratorDetail.as_view(),
        name="album-collaborator",
    ),
    path("albums/<uuid:album_id>/archives/", albums.AlbumArchives.as_view(), name="album-archives"),
    path("albums/<uuid:album_id>/people/", people.AlbumPeople.as_view(), name="album-people"),
    path("albums/<uuid:album_id>/people/state/", people.AlbumPeopleState.as_view(), name="album-people-state"),
    path("people/<uuid:person_id>/", people.PersonDetail.as_view(), name="person"),
    path("people/<uuid:person_id>/face", people.PersonFace.as_view(), name="person-face"),
    path("people/<uuid:person_id>/merge/", people.PersonMerge.as_view(), name="person-merge"),
    path("people/<uuid:person_id>/remove/", people.PersonRemove.as_view(), name="person-remove"),
    path("photos/<uuid:photo_id>/", photos.PhotoDetail.as_view(), name="photo"),
    path("photos/<uuid:photo_id>/thumb", photos.PhotoThumb.as_view(), name="photo-thumb"),
    path("photos/<uuid:photo_id>/preview", photos.PhotoPreview.as_view(), name="photo-preview"),
    path("photos/<uuid:photo_id>/original", photos.PhotoOriginal.as_view(), name="photo-original"),
    path("archives/<uuid:archive_id>/", photos.ArchiveBytes.as_view(), name="archive"),
    path("links/<uuid:link_id>/", links.LinkDetail.as_view(), name="link"),
    path("links/<uuid:link_id>/qr.svg", links.LinkQr.as_view(), name="link-qr"),
    path("links/<str:token>/", links.SharedLink.as_view(), name="shared-link"),
    path("links/<str:token>/unlock/", links.SharedLinkUnlock.as_view(), name="shared-link-unlock"),
    path("links/<str:token>/photos/", links.SharedLinkPhotos.as_view(), name="shared-link-photos"),
    path("links/<str:token>/selfies/", links.SharedLinkSelfies.as_view(), name="shared-link-selfies"),
    path("selfies/<uuid:selfie_id>/", selfies.SelfieDetail.as_view(), name="selfie"),
    path("selfies/<uuid:selfie_id>/feedback/", selfies.SelfieFeedback.as_view(), name="selfie-feedback"),
    path("selfies/<uuid:selfie_id>/archives/", selfies.SelfieArchives.as_view(), name="selfie-archives"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(http_method_names=["get", "head"], url_name="api:schema"),
        name="docs",
    ),
    re_path("(?P<rest>.*)", Nothing.as_view(), name="nothing"),
]
