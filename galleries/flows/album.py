"""What happens to a whole album: face search on and off, and its deletion, which for a while is not the end."""

import math
import time
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

import recognition
from galleries import access
from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.models import Album, EmbeddingBlock, Erasure, Face, LegalBasis, Photo, Selfie, User, site
from galleries.models.deed import Verb
from galleries.models.lease import from_now
from galleries.models.webhook import Event

from . import deed, event, people, photo, quota, selfie
from .doorbell import ring

# A transaction of this size, and the files of it, take a fraction of a second.
_STEP_PHOTOS = 500
# No photo has come for so long: whoever sent them has paused, and it is told that all are ready.
READY_AFTER_SECONDS = 30
# Seconds for which a page may delete; upkeep does the rest of a large album.
A_WHILE = 5


@transaction.atomic
def make(viewer: Viewer, *, face_search: bool = False, basis: str = "", attested: bool = False, **facts: Any) -> Album:
    """Raises Refusal legal_basis_required, and then no album is made."""
    owner = access.album_maker(viewer)
    quota.require_room_for_album(owner)
    facts.setdefault("kept_until", last_day())
    album = Album.objects.create(owner=owner, **facts)
    deed.record(Verb.ALBUM_MADE, album)
    switch_face_search(album, face_search, by=owner, basis=basis, attested=attested)
    return album


def last_day() -> date | None:
    """Of an album that is made today, as the site's settings say."""
    days = site.current().album_days
    return timezone.localdate() + timedelta(days=days) if days else None


@transaction.atomic
def describe(album: Album, **facts: Any) -> None:
    """Change title or date, and no more: whoever switched face search off meanwhile shall not find it on again."""
    for name, value in facts.items():
        setattr(album, name, value)
    album.save(update_fields=list(facts))
    if facts:
        deed.record(Verb.ALBUM_CHANGED, album, fields=sorted(facts))


@transaction.atomic
def hand_over(album: Album, owner: User) -> None:
    """To another photographer, with what its photos take of a quota, whether there is room for it or not."""
    locked = Album.objects.locked().get(pk=album.pk)
    quota.move(locked, locked.owner_id, owner.pk)
    deed.record(Verb.ALBUM_HANDED_OVER, locked, before=locked.owner_id, after=owner.pk)
    locked.owner = album.owner = owner
    locked.save(update_fields=["owner"])
    # Its owner is none of its collaborators.
    locked.collaborators.filter(user=owner).delete()


@transaction.atomic
def choose_cover(album: Album, photo: Photo) -> None:
    # Locked as whoever deletes the photo locks it.
    Album.objects.locked().get(pk=album.pk)
    if not Photo.objects.filter(pk=photo.pk).exists():
        raise Refusal("gone", "These photos have been deleted already.", status=410)
    album.cover = photo
    album.save(update_fields=["cover"])
    deed.record(Verb.ALBUM_CHANGED, album, fields=["cover"], photo=photo.pk)


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
        deed.record(Verb.FACE_SEARCH_ON, album, basis=basis)
    else:
        forget_faces(album)
        deed.record(Verb.FACE_SEARCH_OFF, album)


def forget_faces(album: Album) -> None:
    # Searches before photos, as a search that is just being finished locks them.
    selfie.end(Selfie.objects.filter(album=album))
    people.forget(album)
    album.photos.update_in_order(wanted_engine="", face_count=0)
    Face.objects.filter(photo__album=album).delete()
    EmbeddingBlock.objects.filter(album=album).delete()


@transaction.atomic
def tell_if_ready(album_id: UUID) -> None:
    """Once for all photos that came one after the other: when each of them is ready, rejected or set aside, none has
    come for READY_AFTER_SECONDS, and workers had any of them in hand.
    """
    # Locked, as whoever takes in a photo locks it: that one is there to be seen, or comes later.
    locked = Album.objects.locked().filter(pk=album_id, in_work=True).first()
    arriving = Q(state__in=[Photo.State.UPLOADED, Photo.State.PROCESSING])
    fresh = Q(received_at__gt=from_now(-READY_AFTER_SECONDS))
    if locked is None or locked.photos.filter(arriving | fresh).exists():
        return
    Album.objects.filter(pk=album_id).update(in_work=False)
    if locked.deleted_at is None:
        event.happened(Event.ALBUM_READY, album_id)


@transaction.atomic
def delete(album: Album) -> None:
    """Take the album out of everybody's sight. Faces, searches and zips go at once; the photos can be had back."""
    _delete(Album.objects.locked().get(pk=album.pk))
    deed.record(Verb.ALBUM_DELETED, album)


def _delete(locked: Album) -> None:
    forget_faces(locked)
    locked.selfies.all().delete()
    locked.archives.all().delete()
    # Whoever wants it back wants it for longer.
    locked.deleted_at, locked.next_engine, locked.kept_until = timezone.now(), "", None
    locked.save(update_fields=["deleted_at", "next_engine", "kept_until"])


@transaction.atomic
def restore(album: Album) -> None:
    """Have a deleted album back, with its links; its faces are looked for anew."""
    locked = Album.objects.locked().get(pk=album.pk)
    if locked.deleted_at is None or locked.doomed:
        return
    locked.deleted_at = None
    locked.engine = recognition.engine().name if locked.face_search else ""
    locked.save(update_fields=["deleted_at", "engine"])
    _want_faces(locked)
    ring(photo.work)
    deed.record(Verb.ALBUM_RESTORED, locked)


def _want_faces(album: Album) -> None:
    hopeless = [Photo.State.REJECTED, Photo.State.QUARANTINED]
    album.photos.exclude(state__in=hopeless).update_in_order(wanted_engine=album.engine)


def delete_for_good(album: Album, *, patience: float = math.inf) -> None:
    """Delete the album, its photos, faces, links, searches and zips, and every stored file of it.

    Out of everybody's sight at once, and then in steps: a process that dies, or has no more `patience` (seconds),
    leaves the rest to upkeep. A deleted album that its owner has had back in the meantime stays.
    """
    deadline = time.monotonic() + patience
    if not _doom(album):
        return
    while _delete_some(album) and time.monotonic() < deadline:
        pass


@transaction.atomic
def _doom(album: Album) -> bool:
    """From here there is no way back. False: there is nothing to delete."""
    locked = Album.objects.locked().filter(pk=album.pk).first()
    if locked is None or (album.deleted_at and not locked.deleted_at):
        return False
    if not locked.doomed:
        _delete(locked)
        Album.objects.filter(pk=locked.pk).update(doomed=True)
        deed.record(Verb.ALBUM_GONE, locked)
    return True


@transaction.atomic
def _delete_some(album: Album) -> bool:
    """Some of a doomed album's photos, and once they are gone the album. Says whether there is more to do."""
    locked = Album.objects.locked().filter(pk=album.pk, doomed=True).first()
    if locked is None:
        return False
    next_ones = locked.photos.order_by("received_at", "id").values_list("pk", flat=True)[:_STEP_PHOTOS]
    # Locked first: what a worker is just committing is then there to be deleted with them.
    photos = list(Photo.objects.select_for_update().filter(pk__in=list(next_ones)).order_by("pk"))
    if not photos:
        Erasure.order([locked.logo_key], subject=album.pk)
        event.happened(Event.ERASE_DONE, locked.pk, erased="album", erasing=album.pk)
        locked.delete()
        return False
    quota.give_back(photos)
    Erasure.order_of_photos(photos, subject=album.pk)
    Photo.objects.filter(pk__in=[each.pk for each in photos]).delete()
    return True
