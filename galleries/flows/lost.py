"""A photo whose original is gone or damaged on the disk: its owner is told, and the same file, sent again, mends it.

The row stays with its faces and what guests said of it, so that nothing is to be done twice.
"""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_noop

from galleries import storage
from galleries.models import Album, EmbeddingBlock, Photo

LOST, ALTERED = "original_lost", "original_altered"
WORDS = {
    LOST: gettext_noop("The stored file has been lost. Send it again, and the photo is as it was."),
    ALTERED: gettext_noop("The stored file has been damaged. Send it again, and the photo is as it was."),
}


def why_given_up(photo: Photo) -> tuple[str, str]:
    """(code, detail) of a photo that no attempt got through."""
    if storage.exists(photo.original_key):
        return "gave_up", gettext_noop("Ten attempts did not get through this photo.")
    return LOST, WORDS[LOST]


def there(photos: QuerySet[Photo]) -> QuerySet[Photo]:
    """Those of the photos whose file need not be sent again."""
    return photos.exclude(original_key="").exclude(code__in=WORDS)


@transaction.atomic
def mark(photo: Photo, code: str) -> None:
    """Tell the owner. A file that is no photo is not missed: then nothing of it is stored any more."""
    held = Photo.objects.select_for_update().filter(pk=photo.pk).exclude(code=code).first()
    if held is None:
        return
    if held.state == Photo.State.REJECTED:
        changes: dict[str, Any] = {"original_key": ""}
    else:
        changes = {"state": Photo.State.QUARANTINED, "code": code, "detail": WORDS[code], "wanted_engine": ""}
    Photo.objects.filter(pk=held.pk).update(**changes, fence=None, lease_until=None)


def heal(photo: Photo, received: storage.Received) -> bool:
    """Take the received bytes for the lost ones. False: it has not lost them, or has been deleted in the meantime.

    Killed before the row says so, this leaves a sound file that `manage.py verify --repair` takes up.
    """
    if photo.code not in WORDS:
        return False
    storage.adopt(received, photo.original_key)
    with transaction.atomic():
        album = Album.objects.locked().filter(pk=photo.album_id).first()
        there = Photo.objects.select_for_update().filter(pk=photo.pk).first() if album else None
        if there and there.code in WORDS:
            take_up(there)
    if there is None:
        storage.delete([photo.original_key])
    return there is not None


@transaction.atomic
def take_up(photo: Photo) -> None:
    """Have its renditions made again; faces are looked for only where there are none of the album's engine."""
    album = Album.objects.locked().get(pk=photo.album_id)
    known = EmbeddingBlock.objects.filter(photo=photo, engine=album.engine).exists()
    fresh = {"state": Photo.State.UPLOADED, "code": "", "detail": "", "attempts": 0, "strikes": 0}
    engine = album.engine if album.face_search and not known else ""
    Photo.objects.filter(pk=photo.pk).update(**fresh, fence=None, lease_until=None, wanted_engine=engine)
