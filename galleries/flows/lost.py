"""A photo whose original is gone or damaged on the disk: its owner is told, and the same file, sent again, mends it.

The row stays with its faces and what guests said of it, so that nothing is to be done twice.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_noop

from galleries import images, metrics, storage
from galleries.models import Album, EmbeddingBlock, Erasure, Photo
from galleries.models.webhook import Event

from . import event, quota
from .soundness import altered, original_of

LOST, ALTERED = "original_lost", "original_altered"
WORDS = {
    LOST: gettext_noop("The stored file has been lost. Send it again, and the photo is as it was."),
    ALTERED: gettext_noop("The stored file has been damaged. Send it again, and the photo is as it was."),
}


def why_given_up(photo: Photo) -> tuple[str, str]:
    """(code, detail) of a photo that no attempt got through."""
    try:
        is_gone = not storage.exists(photo.original_key)
    except OSError:
        # A store that does not say is no reason to ask for the file.
        is_gone = False
    return (LOST, WORDS[LOST]) if is_gone else ("gave_up", gettext_noop("Ten attempts did not get through this photo."))


def there(photos: QuerySet[Photo]) -> QuerySet[Photo]:
    """Those of the photos whose file need not be sent again."""
    return photos.exclude(original_key="").exclude(code__in=WORDS)


class Altered(Exception):
    """The stored bytes are no longer those that were received."""


@contextmanager
def told_from_bad_photos(photo: Photo) -> Iterator[None]:
    """Within, bytes that are rejected are read once more: raises Altered where they are not as they were sent."""
    try:
        yield
    except images.ImageRejected:
        if altered(original_of(photo)):
            raise Altered from None
        raise


@transaction.atomic
def mark(photo: Photo, code: str) -> None:
    """Tell the owner. A file that is no photo is not missed: then nothing of it is stored any more."""
    # By its code as it was when the file was looked at: one that was healed since says nothing more.
    looked_at = Photo.objects.select_for_update().filter(pk=photo.pk, code=photo.code)
    held = looked_at.exclude(code=code).first()
    if held is None:
        return
    if held.state == Photo.State.REJECTED:
        changes: dict[str, Any] = {"original_key": ""}
        quota.give_back([held])
        Erasure.order([held.original_key])
    else:
        changes = {"state": Photo.State.QUARANTINED, "code": code, "detail": WORDS[code], "wanted_engine": ""}
        metrics.count("quarantines", reason=code)
        event.happened(Event.PHOTO_REJECTED, held.album_id, photo=held, code=code)
    Photo.objects.filter(pk=held.pk).update(**changes, fence=None, lease_until=None)


def heal(photo: Photo, received: storage.Received) -> bool:
    """Take the received bytes for the lost ones. False: the photo has been deleted in the meantime.

    Killed before the row says so, this leaves a sound file that `manage.py verify --repair` takes up.
    """
    with transaction.atomic():
        # Locked, so that whoever deletes the photo comes before the file or erases it.
        there = Photo.objects.select_for_update().filter(pk=photo.pk).first()
        if there and there.code in WORDS:
            storage.adopt(received, there.original_key)
    if there and there.code in WORDS:
        take_up(there)
    return there is not None


@transaction.atomic
def take_up(photo: Photo) -> bool:
    """Have its renditions made again; faces are looked for only where there are none of the album's engine.

    False: it has been deleted in the meantime.
    """
    album = Album.objects.locked().filter(pk=photo.album_id).first()
    if album is None:
        return False
    known = EmbeddingBlock.objects.filter(photo=photo, engine=album.engine).exists()
    fresh = {"state": Photo.State.UPLOADED, "code": "", "detail": "", "attempts": 0, "strikes": 0}
    engine = album.engine if album.face_search and not known else ""
    taken_up = Photo.objects.filter(pk=photo.pk)
    return bool(taken_up.update(**fresh, fence=None, lease_until=None, wanted_engine=engine))
