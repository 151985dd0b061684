"""One photo, large, with the ones before and after: for its owner, or for a guest who may see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from galleries import access
from galleries.access import Action, Viewer
from galleries.flows import photo as photo_flow
from galleries.flows import selfie as selfie_flow
from galleries.models import Match, Photo, Selfie

from .grid import Choice
from .page import Request, page
from .paging import Photos, neighbours


@dataclass(frozen=True)
class Place:
    """Where the photo is looked at: what closing leads to, the photos before and after, and the search, if any."""

    back: str
    before: UUID | None = None
    after: UUID | None = None
    selfie: Selfie | None = None
    match: Match | None = None
    # What the addresses of the photos before and after end in.
    end: str = ""


@require_http_methods(["GET", "HEAD", "POST"])
@page
def photo(request: Request, viewer: Viewer, photo_id: UUID) -> HttpResponseBase:
    if request.method == "POST":
        return _hide(request, viewer, photo_id)
    photo = access.photo_for(viewer, photo_id)
    may = access.actions_on(viewer, photo.album)
    context = {
        "photo": photo,
        "album": photo.album,
        "may": may,
        "place": _place(viewer, photo, request.GET, is_insider=Action.INSPECT in may),
        "can_download": access.downloadable_by(viewer).filter(pk=photo.pk).exclude(original_key="").exists(),
    }
    return render(request, "photo.html", context)


def _place(viewer: Viewer, photo: Photo, said: Mapping[str, Any], *, is_insider: bool) -> Place:
    if search := said.get("in"):
        return _in_search(viewer, photo, search)
    if is_insider:
        choice = Choice.of(said)
        return _between("album", choice.photos(viewer, photo.album), photo, choice)
    if access.browsing_visit(viewer, photo.album_id):
        return _between("shared", photo.album.photos.shown(), photo, Choice())
    return Place(reverse("my-photos"))


def _between(grid: str, photos: Photos, photo: Photo, choice: Choice) -> Place:
    before, after = neighbours(photos, photo, choice.order)
    return Place(
        back=reverse(grid, args=[photo.album_id]) + choice.address_end,
        before=before.pk if before else None,
        after=after.pk if after else None,
        end=choice.address_end,
    )


def _in_search(viewer: Viewer, photo: Photo, search: str) -> Place:
    selfie = access.selfie_for(viewer, _uuid(search))
    found = selfie_flow.result(selfie)
    match = found.filter(photo=photo).first()
    if match is None:
        raise Http404
    order = list(found.values_list("photo_id", flat=True))
    here = order.index(photo.pk)
    before = order[here - 1] if here else None
    return Place(
        back=reverse("selfie", args=[selfie.pk]),
        before=before,
        after=order[here + 1] if here + 1 < len(order) else None,
        selfie=selfie,
        match=match,
        end=f"?in={selfie.pk}",
    )


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error


def _hide(request: Request, viewer: Viewer, photo_id: UUID) -> HttpResponseBase:
    photo = access.photo_for(viewer, photo_id, Action.EDIT)
    photo_flow.hide(photo, hidden=request.POST.get("hidden") == "yes")
    return redirect("photo", photo.pk)
