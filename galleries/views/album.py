"""One album on the photographer's desk: upload, numbers that add up, reasons, and the photos."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event

from galleries import access
from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.flows import archive as archive_flow
from galleries.flows import photo as photo_flow
from galleries.forms import FaceSearchForm, PhotosForm, ZipForm
from galleries.models import Album, Photo

from .confirm import Question, ask, is_confirmed
from .page import Request, owners_page, whole_number
from .paging import a_page
from .zip import send_off

_PROBLEMS_SHOWN = 8
_PROBLEMS_A_PAGE = 500


@require_safe
@owners_page
def album(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    """The desk; asked by htmx, only its photos: all from the start, or those after the last one shown."""
    album = access.album_for(viewer, album_id)
    photos = _grid(album, request.GET.get("after", ""))
    if request.htmx:
        template = "album/more.html" if "after" in request.GET else "album/photos.html"
        return render(request, template, photos)
    context = (
        photos
        | _progress(album)
        | _problems(album)
        | {
            "links": album.links.all(),
            "legal_basis": album.legal_bases.first() if album.face_search else None,
            "basis": FaceSearchForm(),
            "max_bytes": settings.PIXORA_MAX_FILE_BYTES,
            "max_megabytes": settings.PIXORA_MAX_FILE_BYTES // 1_000_000,
        }
    )
    return render(request, "album/album.html", context)


def _grid(album: Album, after: str) -> dict[str, Any]:
    ready = album.photos.filter(state=Photo.State.READY)
    photos, last = a_page(ready, after)
    return {"album": album, "photos": photos, "last": last, "shown_count": ready.count()}


def _progress(album: Album) -> dict[str, Any]:
    numbers = photo_flow.progress(album)
    indexing = album.photos.filter(state=Photo.State.READY).exclude(wanted_engine="").count()
    waiting = numbers["uploaded"] + numbers["processing"]
    settled = {"settled": numbers["received"] - waiting}
    return {"album": album, "numbers": numbers | settled, "indexing": indexing, "is_busy": bool(waiting or indexing)}


def _problems(album: Album, most: int = _PROBLEMS_SHOWN) -> dict[str, Any]:
    problems = album.photos.filter(Q(state=Photo.State.REJECTED) | Q(state=Photo.State.QUARANTINED))
    count = problems.count()
    quarantined = album.photos.filter(state=Photo.State.QUARANTINED).exists()
    shown = problems.order_by("-received_at", "pk")[:most]
    return {"album": album, "problems": shown, "problem_count": count, "can_retry": quarantined}


@require_safe
@owners_page
def album_progress(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    """The numbers. When they have moved away from what the page shows, its other parts are told to catch up."""
    context = _progress(access.album_for(viewer, album_id))
    numbers = context["numbers"]
    fresh = numbers["ready"] - whole_number(request, "seen_ready")
    context["fresh"] = fresh if context["is_busy"] else 0
    response = render(request, "album/progress.html", context)
    if fresh and (not context["is_busy"] or whole_number(request, "seen_ready") == 0):
        trigger_client_event(response, "photos-changed")
    if numbers["rejected"] + numbers["quarantined"] != whole_number(request, "seen_problems"):
        trigger_client_event(response, "problems-changed")
    return response


@require_safe
@owners_page
def album_problems(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id)
    if request.htmx:
        return render(request, "album/problems.html", _problems(album))
    return render(request, "album/problems_page.html", _problems(album, _PROBLEMS_A_PAGE))


@require_POST
@owners_page
def album_retry(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id)
    count = photo_flow.retry(album.photos.all())
    text = ngettext("%(n)s file is being tried once more.", "%(n)s files are being tried once more.", count)
    messages.info(request, text % {"n": count})
    return redirect("album", album.pk)


@require_POST
@owners_page
def album_photos_delete(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id)
    form = PhotosForm(request.POST)
    if not form.is_valid():
        messages.warning(request, str(form.errors["photo"][0]))
        return redirect("album", album.pk)
    photos = list(access.owned_by(viewer, Photo).filter(album=album, pk__in=form.cleaned_data["photo"]))
    if not is_confirmed(request):
        return ask(request, _about_deleting(album, photos))
    photo_flow.delete(photos)
    count = len(photos)
    messages.success(request, ngettext("%(n)s photo deleted.", "%(n)s photos deleted.", count) % {"n": count})
    return redirect("album", album.pk)


def _about_deleting(album: Album, photos: list[Photo]) -> Question:
    if not photos:
        raise Refusal("gone", _("These photos have been deleted already."), status=410)
    count = len(photos)
    return Question(
        title=ngettext("Delete %(n)s photo?", "Delete %(n)s photos?", count) % {"n": count},
        text=_("The files and their faces are deleted, and they leave every guest's gallery. This cannot be undone."),
        button=ngettext("Delete %(n)s photo", "Delete %(n)s photos", count) % {"n": count},
        back=reverse("album", args=[album.pk]),
        fields=[("photo", str(photo.pk)) for photo in photos],
    )


@require_POST
@owners_page
def album_zip(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id)
    form = ZipForm(request.POST)
    if not form.is_valid():
        raise Refusal("invalid", _("This is not a size we know, or not a photo."))
    archive = archive_flow.of_album(viewer, album, form.cleaned_data["photo"] or None, form.cleaned_data["size"])
    return send_off(request, archive, back=reverse("album", args=[album.pk]))
