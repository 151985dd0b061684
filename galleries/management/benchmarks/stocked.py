"""Albums with as many stored photos as wanted, without a worker: rows, and hard links to a few real files."""

import uuid
from collections.abc import Callable
from pathlib import Path

from galleries import storage
from galleries.models import Album, Photo

_AT_ONCE = 1000


class Stock:
    """One stored file that many photos share; each has a key and a name of its own, and so costs an opening."""

    def __init__(self, data: bytes) -> None:
        self._received = storage.receive([data], limit=len(data))
        self._key = f"stock/{uuid.uuid4()}.jpg"
        storage.adopt(self._received, self._key)

    def photo(self, album: Album, name: str) -> Photo:
        photo = Photo(album=album, name=name, state=Photo.State.READY, content_type="image/jpeg", width=3, height=2)
        # A hash of its own, as an album holds no photo twice.
        photo.size, photo.crc32, photo.sha256 = self._received.size, self._received.crc32, uuid.uuid4().hex * 2
        photo.original_key = f"originals/{album.pk}/{photo.pk}.jpg"
        self.lend(photo.original_key)
        return photo

    def lend(self, key: str) -> None:
        target = storage.path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(self._file())

    def _file(self) -> Path:
        return storage.path(self._key)


def fill(album: Album, count: int, make: Callable[[int], Photo]) -> None:
    """Add photos number 0 to `count`, some at a time."""
    for start in range(0, count, _AT_ONCE):
        Photo.objects.bulk_create([make(number) for number in range(start, min(start + _AT_ONCE, count))])
