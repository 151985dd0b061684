"""One album on the photographer's desk: upload, numbers that add up, reasons, and the photos."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event

from galleries import access
from galleries.access import Action, Viewer
from galleries.flows import live as live_flow
from galleries.flows import photo as photo_flow
from galleries.flows import watch
from galleries.flows.quota import Quota
from galleries.forms import FaceSearchForm
from galleries.models import Album

from .grid import Choice, Tiles, listing, photos_title
from .page import Request, owners_page, whole_number
from .paging import a_page
from .people import strip

_PROBLEMS_SHOWN = 8
_PROBLEMS_A_PAGE = 500
_STATES = {
    "ready": gettext_lazy("Ready"),
    "work": gettext_lazy("In work"),
    "failed": gettext_lazy("Could not be used"),
    "hidden": gettext_lazy("Hidden"),
    "all": gettext_lazy("All"),
}
_ORDERS = {"time": gettext_lazy("By time"), "name": gettext_lazy("By name")}


@require_safe
@owners_page
def album(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id, Action.INSPECT)
    tally = album.photos.all().tally()
    choice = Choice.of(request.GET)
    context = _grid(viewer, album, tally, choice, request.GET.get("after", "")) | _progress(album, tally)
    context |= _problems(album, tally) | _desk(album) | _may(viewer, album) | strip(album)
    return render(request, "album/album.html", context)


def _may(viewer: Viewer, album: Album) -> dict[str, Any]:
    return {"may": access.actions_on(viewer, album)}


def _desk(album: Album) -> dict[str, Any]:
    """A form takes a millisecond to draw: not where nobody is to see it."""
    basis = {"legal_basis": album.legal_bases.first()} if album.face_search else {"basis": FaceSearchForm()}
    alerts = {"alert_count": watch.open_alerts(album)} if album.face_search else {}
    return (
        basis
        | alerts
        | {
            "links": album.links.all(),
            "quota": Quota.of(album.owner_id),
            "max_bytes": settings.PIXORA_MAX_FILE_BYTES,
            "max_megabytes": settings.PIXORA_MAX_FILE_BYTES // 1_000_000,
        }
    )


def _grid(viewer: Viewer, album: Album, tally: dict[str, int], choice: Choice, after: str) -> dict[str, Any]:
    chosen = choice.photos(viewer, album)
    photos, last = a_page(chosen, after, choice.order)
    tiles, counts = Tiles(end=choice.address_end, choosable=True, downloadable=True), _counts(tally)
    return {
        "tiles": tiles.of(photos),
        "blank": tiles.blank,
        "last": last,
        "listing": reverse("album-listing", args=[album.pk]) + choice.address_end,
        "more": choice.address_end + "&" if choice.query else "?",
        "choice": choice,
        "title": photos_title(chosen.count() if choice.person else counts[choice.state]),
        "person": choice.person_in(viewer, album),
        "shown_count": tally["ready"],
        "states": _states(choice, counts),
        "orders": [(choice.but(order=order), word, order == choice.order) for order, word in _ORDERS.items()],
    }


def _counts(tally: dict[str, int]) -> dict[str, int]:
    work, failed = tally["uploaded"] + tally["processing"], tally["rejected"] + tally["quarantined"]
    ready, hidden = tally["ready"], tally["hidden"]
    return {"ready": ready, "work": work, "failed": failed, "hidden": hidden, "all": ready + work + failed}


def _states(choice: Choice, counts: dict[str, int]) -> list[tuple[str, Any, int, bool]]:
    """What there is to choose from: nothing, while all photos are alike, or one person's."""
    if choice.person:
        return []
    others = [state for state in ("work", "failed", "hidden") if counts[state] or state == choice.state]
    offered = ["ready", *others, "all"] if others or choice.state == "all" else []
    return [(choice.but(state=state), _STATES[state], counts[state], state == choice.state) for state in offered]


def _progress(album: Album, tally: dict[str, int]) -> dict[str, Any]:
    numbers = photo_flow.adding_up(album, tally)
    waiting = numbers["uploaded"] + numbers["processing"]
    settled = {"settled": numbers["received"] - waiting}
    now = live_flow.live(album)
    return {
        "album": album,
        "numbers": numbers | settled,
        "indexing": tally["indexing"],
        "is_busy": bool(waiting or tally["indexing"]),
        "live": now,
        "arriving_minutes": live_flow.ARRIVING_MINUTES,
        "poll_seconds": 2 if waiting or tally["indexing"] or now.searching else 30,
    }


def _problems(album: Album, tally: dict[str, int], most: int = _PROBLEMS_SHOWN) -> dict[str, Any]:
    count = tally["rejected"] + tally["quarantined"]
    shown = album.photos.of_group("failed").order_by("-received_at", "pk")[:most] if count else []
    return {"album": album, "problems": shown, "problem_count": count, "can_retry": bool(tally["quarantined"])}


@require_safe
@owners_page
def album_listing(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    choice = Choice.of(request.GET)
    photos = choice.photos(viewer, access.album_for(viewer, album_id, Action.INSPECT))
    return listing(request, photos, choice.order, photos_title)


@require_safe
@owners_page
def album_progress(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    """The numbers. When they have moved away from what the page shows, its other parts are told to catch up."""
    album = access.album_for(viewer, album_id, Action.INSPECT)
    context = _progress(album, album.photos.all().tally()) | _may(viewer, album)
    numbers = context["numbers"]
    response = render(request, "album/progress.html", context)
    # A photo that takes another's place changes no number, and does so only while there is work.
    busy = context["is_busy"] or whole_number(request, "seen_busy")
    if busy or numbers["ready"] != whole_number(request, "seen_ready"):
        trigger_client_event(response, "photos-changed")
    if numbers["rejected"] + numbers["quarantined"] != whole_number(request, "seen_problems"):
        trigger_client_event(response, "problems-changed")
    return response


@require_safe
@owners_page
def album_problems(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id, Action.INSPECT)
    tally, may = album.photos.all().tally(), _may(viewer, album)
    if request.htmx:
        return render(request, "album/problems.html", _problems(album, tally) | may)
    return render(request, "album/problems_page.html", _problems(album, tally, _PROBLEMS_A_PAGE) | may)


@require_POST
@owners_page
def album_retry(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id, Action.EDIT)
    count = photo_flow.retry(album.photos.all())
    text = ngettext("%(n)s file is being tried once more.", "%(n)s files are being tried once more.", count)
    messages.info(request, text % {"n": count})
    return redirect("album", album.pk)
