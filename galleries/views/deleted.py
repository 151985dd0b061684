"""Deleted albums: had back, or deleted for good. Until then nobody sees anything of them but their titles, here."""

from uuid import UUID

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from galleries import access
from galleries.access import Viewer
from galleries.flows import album as album_flow
from galleries.models import Album
from galleries.models.album import RESTORE_DAYS

from .confirm import Question, ask, is_confirmed
from .page import Request, owners_page


@require_safe
@owners_page
def albums_deleted(request: Request, viewer: Viewer) -> HttpResponseBase:
    albums = access.deleted_albums(viewer).annotate(photo_count=Count("photos")).order_by("-deleted_at")
    return render(request, "albums_deleted.html", {"albums": albums, "days": RESTORE_DAYS})


@require_POST
@owners_page
def album_restore(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.deleted_album_for(viewer, album_id)
    album_flow.restore(album)
    words = _("“%(title)s” is back, and so are its links.")
    if album.face_search:
        words = _("“%(title)s” is back, and so are its links. Its faces are being looked for again.")
    messages.success(request, words % {"title": album.title})
    return redirect("album", album.pk)


@require_POST
@owners_page
def album_delete_for_good(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.deleted_album_for(viewer, album_id)
    if not is_confirmed(request):
        return ask(request, _about_deleting(album))
    album_flow.delete_for_good(album, patience=album_flow.A_WHILE)
    messages.success(request, _("The album “%(title)s” has been deleted for good.") % {"title": album.title})
    return redirect("albums-deleted")


def _about_deleting(album: Album) -> Question:
    count = album.photos.count()
    text = ngettext(
        "%(count)s photo and all links are deleted. This cannot be undone.",
        "%(count)s photos and all links are deleted. This cannot be undone.",
        count,
    )
    return Question(
        title=_("Delete “%(title)s” for good?") % {"title": album.title},
        text=text % {"count": count},
        button=_("Delete for good"),
        back=reverse("albums-deleted"),
    )
