"""Journey one, a photo: received over the web, then examined by a worker.

The row is the truth. Bytes are on disk under their final name before the row says so, and a worker's result counts only
while it holds the row's lease; so killing anything at any point loses nothing and doubles nothing.
"""

import logging
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import Any
from uuid import UUID

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F, OuterRef, Subquery

import recognition
from galleries import images, metrics, storage
from galleries.database import count_failure
from galleries.errors import Refusal, is_full
from galleries.models import Album, Arrival, Erasure, Photo
from galleries.models.deed import Verb
from galleries.models.photo import MAX_ATTEMPTS, MAX_STRIKES, PhotoQuerySet
from galleries.models.webhook import Event
from galleries.stripping import Stripped

from . import deed, event, faces, held_back, lost, posted, quota, readiness, replacement, stripped, takedown
from .doorbell import ring

logger = logging.getLogger(__name__)

# How long a photo waits for room on the disk, or for the bucket, before it is tried again.
_OUTAGE_SECONDS = 30


# Web half: receive


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Reception:
    """What became of one file, under the name it was sent by, made harmless.

    A duplicate's `photo` is the one that is there. A rejected one says why in `photo.code` and `photo.detail`.
    """

    outcome: Outcome
    photo: Photo
    name: str


def receive(
    album: Album, name: str, folder: str, chunks: Iterable[bytes], *, replaces: UUID | None = None
) -> Reception:
    """Take in one file of an upload. `name` and `folder` may be anything; the file may be anything too.

    The photo that it `replaces` goes once this one is ready, and not before; one that is not in the album is no error.
    """
    reception = _receive(album, name, folder, chunks, replaces)
    metrics.count("uploads", outcome=reception.outcome)
    metrics.count("upload_bytes", reception.photo.size, outcome=reception.outcome)
    return reception


def _receive(album: Album, name: str, folder: str, chunks: Iterable[bytes], replaces: UUID | None) -> Reception:
    facts: dict[str, Any] = {"name": images.clean_name(name), "folder": images.clean_folder(folder)}
    limit = settings.PIXORA_MAX_FILE_BYTES
    try:
        received = storage.receive(chunks, limit=limit)
    except storage.TooLarge:
        return _refuse(album, images.file_too_large(limit), **facts, size=limit, crc32=0)
    with received:
        known = album.photos.filter(sha256=received.sha256).first()
        if known and known.code in lost.WORDS:
            if lost.heal(known, received):
                ring(work)
                return Reception(Outcome.ACCEPTED, album.photos.filter(pk=known.pk).first() or known, facts["name"])
            known = None
        if known and known.original_key:
            return _duplicate(known, facts["name"])
        facts |= {"size": received.size, "sha256": received.sha256, "crc32": received.crc32}
        try:
            takedown.require_allowed(received.sha256)
            header = images.inspect(received.path)
            # Known before it is stored; what several do at once is settled with its row.
            quota.require_room(album.owner_id, received.size)
            return _accept(album, header, received, known, replaces=replaces, **facts)
        except (images.ImageRejected, quota.Exceeded, takedown.Barred) as refused:
            return _refuse(album, refused, **facts)


def _accept(
    album: Album, header: images.Facts, received: storage.Received, refused_before: Photo | None, **facts: Any
) -> Reception:
    photo = Photo(album=album, **facts)
    photo.original_key = f"originals/{album.pk}/{photo.pk}{header.extension}"
    photo.content_type, photo.width, photo.height = header.content_type, header.width, header.height
    photo.taken_at = header.taken_at and header.taken_at.replace(tzinfo=UTC)
    Arrival.objects.create(key=photo.original_key)
    try:
        storage.adopt(received, photo.original_key)
        _add(photo, refused_before)
    except (IntegrityError, Refusal, quota.Exceeded, takedown.Barred) as error:
        # These are known not to be committed. After any other error the row may be there: upkeep finds out.
        Arrival.give_up(photo.original_key)
        twin = album.photos.filter(sha256=photo.sha256).first() if isinstance(error, IntegrityError) else None
        if twin is None:
            raise
        return _duplicate(twin, photo.name)
    except OperationalError as error:
        if is_full(error):
            # This, too, is known not to be committed, and upkeep would be ten minutes late: room is what is missing.
            storage.delete([photo.original_key])
        raise
    return Reception(Outcome.ACCEPTED, photo, photo.name)


@transaction.atomic
def _add(photo: Photo, refused_before: Photo | None) -> None:
    """Raises IntegrityError when the same bytes were added in the meantime, quota.Exceeded, and takedown.Barred."""
    album = _still_there(photo.album)
    takedown.require_allowed(photo.sha256)
    photo.wanted_engine = album.engine if album.face_search else ""
    if refused_before:
        refused_before.delete()
    quota.reserve(album.owner_id, photo.size)
    photo.save(force_insert=True)
    if not Arrival.strike_off(photo.original_key):
        raise Refusal("too_late", "This took too long. Send the file once more.", status=503)
    ring(work)


def _still_there(album: Album) -> Album:
    """The album as it is now, locked until the end of the transaction."""
    if locked := Album.objects.present().locked().filter(pk=album.pk).first():
        return locked
    raise Refusal("not_found", "This album has been deleted.", status=404)


def _duplicate(known: Photo, name: str) -> Reception:
    Album.objects.filter(pk=known.album_id).update(duplicates=F("duplicates") + 1)
    return Reception(Outcome.DUPLICATE, known, name)


@transaction.atomic
def _refuse(album: Album, refused: images.ImageRejected | quota.Exceeded | takedown.Barred, **facts: Any) -> Reception:
    """Keep the name and the reason of a file that is not kept; once, however often it comes."""
    album = _still_there(album)
    reason = {"state": Photo.State.REJECTED, "code": refused.code, "detail": refused.detail}
    same = {"sha256": facts["sha256"]} if "sha256" in facts else {"sha256": "", **facts}
    known = album.photos.filter(**same).first()
    if known is None:
        photo = album.photos.create(**facts, **reason)
        event.happened(Event.PHOTO_REJECTED, album.pk, photo=photo, code=refused.code)
        return Reception(Outcome.REJECTED, photo, facts["name"])
    again = _duplicate(known, facts["name"])
    if known.original_key:
        return again  # taken in meanwhile, in the last place that there was
    # For another reason, perhaps, than the last time.
    known.code, known.detail = refused.code, refused.detail
    known.save(update_fields=["code", "detail"])
    return Reception(Outcome.REJECTED, known, facts["name"])


def progress(album: Album) -> dict[str, int]:
    """Numbers that add up: received = duplicate + uploaded + processing + ready + rejected + quarantined."""
    album.refresh_from_db(fields=["duplicates"])
    return adding_up(album, album.photos.all().tally())


def adding_up(album: Album, tally: dict[str, int]) -> dict[str, int]:
    """The numbers of progress out of a tally; the album as it was read with it."""
    counts = {state: tally[state] for state in Photo.State.values}
    received = album.duplicates + sum(counts.values())
    return {"received": received, "duplicate": album.duplicates} | counts | {"faces": tally["faces"]}


def retry(photos: PhotoQuerySet, *, by_staff: bool = False) -> int:
    """Take up those of the photos that are quarantined once more; returns how many.

    What an administrator has set aside only one of them takes up.
    """
    with transaction.atomic():
        fresh = {"state": Photo.State.UPLOADED, "attempts": 0, "strikes": 0, "code": "", "detail": ""}
        # "" where face search is off.
        engine = Subquery(Album.objects.filter(pk=OuterRef("album")).values("engine"))
        kept_back = [*lost.WORDS] if by_staff else [*lost.WORDS, held_back.CODE]
        quarantined = photos.filter(state=Photo.State.QUARANTINED).exclude(code__in=kept_back)
        deed.record_photos(Verb.PHOTOS_RETRIED, quarantined.order_by().values_list("pk", "album"))
        count = quarantined.update_in_order(**fresh, lease_until=None, fence=None, wanted_engine=engine)
        ring(work)
    return count


@transaction.atomic
def delete(photos: Iterable[Photo]) -> None:
    """Delete photos with their faces, vectors and files. A worker at one of them finds its lease gone."""
    photos = list(photos)
    # Albums before their photos: one of them may be the cover.
    list(Album.objects.locked().filter(pk__in={photo.album_id for photo in photos}).order_by("pk").values_list("pk"))
    # Locked first: what a worker is just committing is then there to be deleted with them.
    doomed = list(Photo.objects.select_for_update().filter(pk__in=[photo.pk for photo in photos]).order_by("pk"))
    quota.give_back(doomed)
    Erasure.order_of_photos(doomed)
    deed.record_photos(Verb.PHOTOS_DELETED, ((photo.pk, photo.album_id) for photo in doomed))
    Photo.objects.filter(pk__in=[photo.pk for photo in doomed]).delete()


@transaction.atomic
def hide(photo: Photo, *, hidden: bool) -> None:
    """Take a photo out of all guests' sight, or show it again."""
    photo.hidden = hidden
    photo.save(update_fields=["hidden"])
    _record_hiding([(photo.pk, photo.album_id)], hidden=hidden)


@transaction.atomic
def hide_all(photos: PhotoQuerySet, *, hidden: bool) -> int:
    """The same for many; returns how many there are."""
    _record_hiding(photos.order_by().values_list("pk", "album"), hidden=hidden)
    return photos.update_in_order(hidden=hidden)


def _record_hiding(photos: Iterable[tuple[UUID, UUID]], *, hidden: bool) -> None:
    deed.record_photos(Verb.PHOTOS_HIDDEN if hidden else Verb.PHOTOS_SHOWN, photos)


# Worker half: examine


@shared_task
def work() -> None:
    """One ring: take the next due photo, whichever album's turn it is; and ring first, for there may be more."""
    if not storage.has_room(part=0.5):
        return  # Upkeep rings again, every 5 seconds.
    if wanted := Photo.objects.due().exclude(wanted_engine="").values_list("wanted_engine", flat=True)[:1]:
        recognition.load(_usable(wanted[0]))
    if photo := Photo.objects.claim():
        ring(work)
        examine(photo)


@dataclass(frozen=True)
class Examined:
    renditions: images.Renditions
    guests: Stripped | None
    engine: str
    faces: list[recognition.Face]


def examine(photo: Photo) -> None:
    """Do all the work on a claimed photo and give it back: ready, rejected, quarantined, or to be tried again."""
    if photo.attempts > MAX_ATTEMPTS:
        _quarantine(photo, *lost.why_given_up(photo))
        return
    try:
        _keep(photo, _look_at(photo))
    except images.ImageRejected as rejected:
        _set_aside(photo, Photo.State.REJECTED, rejected.code, rejected.detail)
    except lost.Altered:
        lost.mark(photo, lost.ALTERED)
    except images.DecoderFault as fault:
        _strike(photo, fault)
    except SoftTimeLimitExceeded:
        Photo.objects.hand_back(photo, state=_resting_state(photo))
        ring(work)
    except Exception as error:
        count_failure(error)
        # A broken engine, a disk, a bucket: no fault of the photo, which rests a little longer each time.
        logger.exception("Photo %s could not be examined (attempt %s).", photo.pk, photo.attempts)
        if readiness.is_outage(error):
            # For days, perhaps, and no photo gets through: that is no attempt.
            Photo.objects.hand_back(photo, rest_seconds=_OUTAGE_SECONDS, state=_resting_state(photo))
            return
        Photo.objects.release(photo, rest_seconds=min(2**photo.attempts, 300), state=_resting_state(photo))


def _look_at(photo: Photo) -> Examined:
    """Heavy and outside any transaction. A second attempt decodes in a child, where a crash costs the child alone."""
    decode = images.decode_bounded if photo.attempts == 1 else images.decode_apart
    seen = metrics.timed("decode_seconds")
    with seen, storage.local(photo.original_key) as original, lost.told_from_bad_photos(photo):
        pixels = decode(original, images.DECODE_EDGE).pixels
        guests = stripped.look(photo, original)
    engine = _usable(photo.wanted_engine) if photo.wanted_engine else ""
    renditions = images.render(pixels)
    # Waiting for the disk takes no time from looking for faces: 6 ms of 130.
    with ThreadPoolExecutor(1) as writer:
        written = writer.submit(_store, photo, renditions)
        found = metrics.timed("engine_seconds")(recognition.find_faces)(pixels, engine) if engine else []
        written.result()
    return Examined(renditions, guests, engine, found)


def _store(photo: Photo, renditions: images.Renditions) -> None:
    """Before the row says that they are there; nobody else writes them but another worker at the same photo."""
    storage.write(photo.thumb_key, renditions.thumb)
    storage.write(photo.preview_key, renditions.preview)


def _usable(engine: str) -> str:
    """The engine of that name, or the one of the settings where the code of that one is gone."""
    try:
        return recognition.engine(engine).name
    except recognition.UnknownEngine:
        return recognition.engine().name


def _keep(photo: Photo, examined: Examined) -> None:
    with transaction.atomic():
        giving_way = replacement.locked_giving_way(photo)
        held = Photo.objects.held(photo).select_for_update().first()
        if held and examined.engine and held.wanted_engine:
            faces.replace(photo, examined.engine, examined.faces)
        # In this transaction, so that at every moment one of the two is there.
        for replaced in giving_way if held else []:
            replacement.take_over(replaced, photo, examined.engine)
            delete([replaced])
        if held:
            # Faces that came to be wanted while it was looked at are still to be found.
            _make_ready(photo, examined, still_wanted="" if examined.engine else held.wanted_engine)
            if held.state != Photo.State.READY:
                event.happened(Event.PHOTO_READY, photo.album_id, photo=photo)
    if held is None and not Photo.objects.filter(pk=photo.pk).exists():
        storage.delete(photo.stored_keys())
    elif held and examined.engine:
        posted.announce(photo.album_id, examined.engine)


def _make_ready(photo: Photo, examined: Examined, still_wanted: str) -> None:
    preview, thumb = examined.renditions.preview, examined.renditions.thumb
    _settle(
        photo,
        state=Photo.State.READY,
        code="",
        detail="",
        attempts=0,
        strikes=0,
        wanted_engine=still_wanted,
        replaces=None,
        colour=examined.renditions.colour,
        preview_size=len(preview),
        preview_crc32=zlib.crc32(preview),
        thumb_size=len(thumb),
        thumb_crc32=zlib.crc32(thumb),
        **stripped.columns(examined.guests, preview),
    )


def _settle(photo: Photo, **changes: Any) -> bool:
    settled = Photo.objects.release(photo, **changes)
    if not settled:
        logger.info("Photo %s: the lease went elsewhere, this result is dropped.", photo.pk)
    return settled


@transaction.atomic
def _set_aside(photo: Photo, state: Photo.State, code: str, detail: str, **changes: Any) -> None:
    """What an earlier engine saw in it goes too: only photos that are ready have vectors."""
    if _settle(photo, state=state, code=code, detail=detail, **changes):
        faces.forget(photo)
        event.happened(Event.PHOTO_REJECTED, photo.album_id, photo=photo, code=code)


def _strike(photo: Photo, fault: images.DecoderFault) -> None:
    """The attempt before it, in the worker, did not end well either: once a child has died too, it was the first."""
    strikes = max(photo.strikes, 1) + 1
    if strikes >= MAX_STRIKES:
        _quarantine(photo, "decoder_fault", f"Reading this file failed {strikes} times ({fault}).")
    else:
        Photo.objects.release(photo, rest_seconds=5, state=_resting_state(photo), strikes=strikes)


def _quarantine(photo: Photo, code: str, detail: str) -> None:
    """A photo that was ready stays so, with the faces it had: its guests shall not lose it."""
    logger.warning("Photo %s is given up: %s.", photo.pk, code)
    metrics.count("quarantines", reason=code)
    if photo.state == Photo.State.READY:
        _settle(photo, code=code, detail=detail, attempts=0, strikes=0, wanted_engine="")
    else:
        _set_aside(photo, Photo.State.QUARANTINED, code, detail, wanted_engine="")


def _resting_state(photo: Photo) -> str:
    return Photo.State.READY if photo.state == Photo.State.READY else Photo.State.UPLOADED
