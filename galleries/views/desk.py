"""The photographer's albums: the list, and what is set for a whole album."""

from collections import Counter, defaultdict
from copy import copy
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Exists, OuterRef, Subquery
from django.db.models.functions import Coalesce, TruncDate
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from galleries import access
from galleries.access import Action, Viewer
from galleries.flows import album as album_flow
from galleries.flows import brand as brand_flow
from galleries.flows.quota import Quota
from galleries.forms import AlbumForm, BrandForm, FaceSearchForm, NewAlbumForm, SelfieRulesForm
from galleries.models import Album, Link, Photo
from galleries.models.album import RESTORE_DAYS

from .confirm import Question, ask, is_confirmed
from .page import Request, owners_page, told_by
from .paging import in_order


@require_safe
@owners_page
def albums(request: Request, viewer: Viewer) -> HttpResponseBase:
    """Newest event first. Asks the database thrice, however many albums and photos there are."""
    found = access.albums_of(viewer)
    first = in_order(Photo.objects.shown().filter(album=OuterRef("pk")))
    open_links = Link.objects.open().filter(album=OuterRef("pk"))
    shown = found.annotate(
        shown_cover=Coalesce("cover", Subquery(first.values("pk")[:1])),
        link_is_open=Exists(open_links),
        day=Coalesce("event_date", TruncDate("created_at")),
    )
    counts = _counts_by_album(found)
    rows = [(album, counts[album.pk]) for album in shown.select_related("owner").order_by("-day", "-created_at")]
    context = {"albums": rows, "deleted_count": access.deleted_albums(viewer).count()}
    context |= {"quota": Quota.of(access.require_user(viewer).pk)}
    return render(request, "albums.html", context)


def _counts_by_album(albums: Any) -> dict[UUID, Counter[str]]:
    """How many photos of each album are ready, in work or failed."""
    groups = {"uploaded": "work", "processing": "work", "rejected": "failed", "quarantined": "failed"}
    counts: dict[UUID, Counter[str]] = defaultdict(Counter)
    found = Photo.objects.filter(album__in=albums.values("pk")).order_by().values_list("album", "state")
    for album, state, count in found.annotate(Count("state")):
        counts[album][groups.get(state, state)] += count
    return counts


@require_http_methods(["GET", "POST"])
@owners_page
def album_new(request: Request, viewer: Viewer) -> HttpResponseBase:
    form = NewAlbumForm(request.POST or None, instance=Album(owner=viewer.user, kept_until=album_flow.last_day()))
    basis = FaceSearchForm(request.POST or None)
    if form.is_valid() and basis.is_valid():
        with told_by(basis):
            album = album_flow.make(viewer, **form.cleaned_data, **basis.cleaned_data)
            return redirect("album", album.pk)
    return render(request, "album_form.html", {"form": form, "basis": basis})


@require_http_methods(["GET", "POST"])
@owners_page
def album_edit(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id, Action.EDIT)
    form = AlbumForm(request.POST or None, instance=album)
    as_it_was = access.album_for(viewer, album_id, Action.EDIT)
    brand = BrandForm(request.POST or None, request.FILES or None, instance=copy(as_it_was))
    is_owners = access.can(viewer, Action.OWN, album)
    if not is_owners:
        # The day of its end is a deletion.
        del form.fields["kept_until"]
    rules = SelfieRulesForm(request.POST or None, instance=copy(as_it_was)) if is_owners else None
    if all(each.is_valid() for each in (form, brand, rules) if each is not None):
        with told_by(brand):
            changes = brand.changes() | (rules.cleaned_data if rules else {})
            brand_flow.change(album, **form.cleaned_data, **changes)
            return redirect("album", album.pk)
    context = {"form": form, "rules": rules, "brand": brand, "album": as_it_was}
    return render(request, "album_form.html", context)


@require_http_methods(["GET", "POST"])
@owners_page
def album_delete(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id, Action.OWN)
    if not is_confirmed(request):
        return ask(request, _about_deleting(album))
    album_flow.delete(album)
    words = _("The album “%(title)s” has been deleted. You can restore it for %(days)s days.")
    messages.success(request, words % {"title": album.title, "days": RESTORE_DAYS})
    return redirect("albums")


def _about_deleting(album: Album) -> Question:
    text = _(
        "All face data and all searches of guests are deleted at once, and the links stop. "
        "The photos and the links can be restored for %(days)s days."
    )
    return Question(
        title=_("Delete “%(title)s”?") % {"title": album.title},
        text=text % {"days": RESTORE_DAYS},
        button=_("Delete the album"),
        back=reverse("album", args=[album.pk]),
    )


@require_POST
@owners_page
def album_face_search(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id, Action.OWN)
    if request.POST.get("on") == "yes":
        return _face_search_on(request, viewer, album)
    if not is_confirmed(request):
        return ask(request, _about_face_search_off(album))
    album_flow.switch_face_search(album, False)
    messages.success(request, _("Face search is off. All face data of this album has been deleted."))
    return redirect("album", album.pk)


def _face_search_on(request: Request, viewer: Viewer, album: Album) -> HttpResponseBase:
    form = FaceSearchForm(request.POST)
    if form.is_valid():
        with told_by(form):
            album_flow.switch_face_search(album, True, by=viewer.user, **form.cleaned_data)
            messages.success(request, _("Face search is on. Faces in the photos so far are being looked for."))
            return redirect("album", album.pk)
    return render(request, "face_search.html", {"album": album, "basis": form})


def _about_face_search_off(album: Album) -> Question:
    return Question(
        title=_("Switch face search off?"),
        text=_(
            "This deletes all face data of this album: every measured face, and all searches of guests with "
            "their results. The photos stay."
        ),
        button=_("Switch off and delete face data"),
        back=reverse("album", args=[album.pk]),
        fields=[("on", "no")],
    )
