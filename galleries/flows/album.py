"""What happens to a whole album: face search on and off, and its deletion, which for a while is not the end."""

from typing import Any

from django.db import transaction
from django.utils import timezone

import recognition
from galleries import access
from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.models import Album, EmbeddingBlock, Erasure, Face, LegalBasis, Photo, Selfie, User

from . import photo, selfie
from .doorbell import ring


@transaction.atomic
def make(viewer: Viewer, *, face_search: bool = False, basis: str = "", attested: bool = False, **facts: Any) -> Album:
    """Raises Refusal legal_basis_required, and then no album is made."""
    owner = access.require_user(viewer)
    album = Album.objects.create(owner=owner, **facts)
    switch_face_search(album, face_search, by=owner, basis=basis, attested=attested)
    return album


def describe(album: Album, **facts: Any) -> None:
    """Change title or date, and no more: whoever switched face search off meanwhile shall not find it on again."""
    for name, value in facts.items():
        setattr(album, name, value)
    album.save(update_fields=list(facts))


@transaction.atomic
def choose_cover(album: Album, photo: Photo) -> None:
    # Locked as whoever deletes the photo locks it.
    Album.objects.locked().get(pk=album.pk)
    if not Photo.objects.filter(pk=photo.pk).exists():
        raise Refusal("gone", "These photos have been deleted already.", status=410)
    album.cover = photo
    album.save(update_fields=["cover"])


@transaction.atomic
def switch_face_search(
    album: Album, on: bool, *, by: User | None = None, basis: str = "", attested: bool = False
) -> None:
    """On: record the legal basis and index what is there. Off: delete every vector and end every search.

    Raises Refusal legal_basis_required when switched on without one that is attested.
    """
    now = Album.objects.locked().get(pk=album.pk)
    album.face_search, album.engine = now.face_search, now.engine
    if on == album.face_search:
        return
    if on and (basis not in LegalBasis.Basis.values or not attested):
        raise Refusal("legal_basis_required", "Say on which legal basis faces may be searched, and attest it.")
    album.face_search = on
    album.engine, album.next_engine = (recognition.engine().name if on else ""), ""
    album.save(update_fields=["face_search", "engine", "next_engine"])
    if on:
        LegalBasis.objects.create(album=album, basis=basis, attested_by=by)
        _want_faces(album)
        ring(photo.work)
    else:
        forget_faces(album)


def forget_faces(album: Album) -> None:
    # Searches before photos, as a search that is just being finished locks them.
    selfie.end(Selfie.objects.filter(album=album))
    album.photos.update(wanted_engine="", face_count=0)
    Face.objects.filter(photo__album=album).delete()
    EmbeddingBlock.objects.filter(album=album).delete()


@transaction.atomic
def delete(album: Album) -> None:
    """Take the album out of everybody's sight. Faces, searches and zips go at once; the photos can be had back."""
    locked = Album.objects.locked().get(pk=album.pk)
    forget_faces(locked)
    locked.selfies.all().delete()
    locked.archives.all().delete()
    locked.deleted_at, locked.next_engine = timezone.now(), ""
    locked.save(update_fields=["deleted_at", "next_engine"])


@transaction.atomic
def restore(album: Album) -> None:
    """Have a deleted album back, with its links; its faces are looked for anew."""
    locked = Album.objects.locked().get(pk=album.pk)
    if locked.deleted_at is None:
        return
    locked.deleted_at = None
    locked.engine = recognition.engine().name if locked.face_search else ""
    locked.save(update_fields=["deleted_at", "engine"])
    _want_faces(locked)
    ring(photo.work)


def _want_faces(album: Album) -> None:
    hopeless = [Photo.State.REJECTED, Photo.State.QUARANTINED]
    album.photos.exclude(state__in=hopeless).update(wanted_engine=album.engine)


@transaction.atomic
def delete_for_good(album: Album) -> None:
    """Delete the album, its photos, faces, links, searches and zips, and every stored file of it.

    A deleted one that its owner has had back in the meantime stays.
    """
    # Locked first: what workers are just committing is then there to be deleted with it.
    locked = Album.objects.locked().filter(pk=album.pk).first()
    if locked is None or (album.deleted_at and not locked.deleted_at):
        return
    searches = list(locked.selfies.select_for_update().order_by("pk"))
    photos = list(locked.photos.select_for_update().order_by("pk"))
    Erasure.order_of_photos(photos)
    Erasure.order([*(search.scratch_key for search in searches), locked.logo_key])
    locked.delete()
