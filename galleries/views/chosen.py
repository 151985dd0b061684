"""What a photographer does with the photos chosen in a grid: hide, show, make one the cover, delete, zip."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from galleries import access
from galleries.access import Action, Viewer
from galleries.errors import Refusal
from galleries.flows import album as album_flow
from galleries.flows import archive as archive_flow
from galleries.flows import photo as photo_flow
from galleries.forms import PhotosChangeForm, PhotosForm, ZipForm
from galleries.models import Album, Photo

from .confirm import Question, ask, is_confirmed
from .grid import Choice
from .page import Request, owners_page
from .paging import in_order
from .zip import send_off


@require_POST
@owners_page
def album_photos_change(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id, Action.EDIT)
    form = PhotosChangeForm(request.POST)
    if not form.is_valid():
        return _say_what_is_wrong(request, form, album)
    photos = _chosen(viewer, album, form)
    change = form.cleaned_data["change"]
    if change == "cover":
        _make_cover(request, album, photos)
    else:
        count = photo_flow.hide_all(photos, hidden=change == "hide")
        messages.success(request, _said_of_hiding(count, hidden=change == "hide"))
    return redirect(_grid_at(request, album, form.cleaned_data["photo"][0]))


def _chosen(viewer: Viewer, album: Album, form: PhotosForm) -> Any:
    return access.visible_to(viewer, Photo).filter(album=album, pk__in=form.cleaned_data["photo"])


def _make_cover(request: Request, album: Album, photos: Any) -> None:
    photo = in_order(photos.filter(state=Photo.State.READY)).first()
    if photo is None:
        messages.warning(request, _("Only a photo that is ready can be the cover."))
        return
    album_flow.choose_cover(album, photo)
    messages.success(request, _("“%(name)s” is now the cover of this album.") % {"name": photo.name})


def _said_of_hiding(count: int, *, hidden: bool) -> str:
    if hidden:
        words = ngettext("%(n)s photo is hidden now.", "%(n)s photos are hidden now.", count)
    else:
        words = ngettext("%(n)s photo is shown to guests now.", "%(n)s photos are shown to guests now.", count)
    return words % {"n": count}


def _grid_at(request: Request, album: Album, photo_id: UUID | None = None) -> str:
    """The grid as it was, at the photo."""
    place = f"#p-{photo_id}" if photo_id else "#photos"
    return reverse("album", args=[album.pk]) + Choice.of(request.POST).address_end + place


def _say_what_is_wrong(request: Request, form: PhotosForm, album: Album) -> HttpResponseBase:
    messages.warning(request, str(next(iter(form.errors.values()))[0]))
    return redirect("album", album.pk)


@require_POST
@owners_page
def album_photos_delete(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id, Action.EDIT)
    form = PhotosForm(request.POST)
    if not form.is_valid():
        return _say_what_is_wrong(request, form, album)
    photos = list(_chosen(viewer, album, form))
    if not is_confirmed(request):
        return ask(request, _about_deleting(request, album, photos))
    photo_flow.delete(photos)
    count = len(photos)
    messages.success(request, ngettext("%(n)s photo deleted.", "%(n)s photos deleted.", count) % {"n": count})
    return redirect(_grid_at(request, album))


def _about_deleting(request: Request, album: Album, photos: list[Photo]) -> Question:
    if not photos:
        raise Refusal("gone", _("These photos have been deleted already."), status=410)
    count = len(photos)
    choice = Choice.of(request.POST)
    return Question(
        title=ngettext("Delete %(n)s photo?", "Delete %(n)s photos?", count) % {"n": count},
        text=_("The files and their faces are deleted, and they leave every guest's gallery. This cannot be undone."),
        button=ngettext("Delete %(n)s photo", "Delete %(n)s photos", count) % {"n": count},
        back=_grid_at(request, album, photos[0].pk),
        fields=[
            ("photo", " ".join(str(photo.pk) for photo in photos)),
            ("state", choice.state),
            ("order", choice.order),
            ("person", choice.person),
        ],
    )


@require_POST
@owners_page
def album_zip(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id, Action.INSPECT)
    form = ZipForm(request.POST)
    if not form.is_valid():
        raise Refusal("invalid", _("This is not a size we know, or not a photo."))
    photos = form.cleaned_data["photo"] or _of_person(request, viewer, album)
    archive = archive_flow.of_album(viewer, album, photos, form.cleaned_data["size"])
    return send_off(request, archive, back=_grid_at(request, album))


def _of_person(request: Request, viewer: Viewer, album: Album) -> list[UUID] | None:
    """All photos of the person whose photos are shown; None where everybody's are."""
    choice = Choice.of(request.POST)
    return list(choice.photos(viewer, album).values_list("pk", flat=True)) if choice.person else None
