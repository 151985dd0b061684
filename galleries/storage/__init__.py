"""Keys -> bytes: files below `PIXORA_DATA_DIR`/media, or objects of the S3 bucket that PIXORA_STORAGE names.

A key is a relative path made by us, such as "originals/<album>/<photo>.jpg"; it never holds a name from outside. What
has a key is whole: bytes arrive in a temporary file of this machine and get their key in one step. Everything here may
raise OSError where the store fails, of which Unavailable is a bucket's; only what is surely missing is a
FileNotFoundError.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from .contract import ShortRead, Store, Stored, Unavailable
from .files import Files, path
from .incoming import CHUNK_BYTES, Incoming, Received, TooLarge, forgotten_incoming, prepare, receive, sweep_incoming

__all__ = [
    "CHUNK_BYTES", "Incoming", "Received", "ShortRead", "Stored", "TooLarge", "Unavailable", "adopt", "delete",
    "exists", "forgotten_incoming", "internal_address", "local", "older_than", "open_range", "path", "prepare", "read",
    "read_range",    "receive", "size", "sweep_incoming", "walk", "write",
]  # fmt: skip

_files = Files()


def adopt(received: Received, key: str) -> None:
    """Give received bytes their key, durably; what stood there before is replaced in one step."""
    _store().adopt(received, key)


def write(key: str, data: bytes) -> None:
    """Store `data` under `key`, atomically and durably."""
    with receive([data], limit=len(data)) as received:
        adopt(received, key)


def read(key: str) -> bytes:
    """Raises FileNotFoundError."""
    return _store().read(key)


def size(key: str) -> int:
    """In bytes. Raises FileNotFoundError."""
    return _store().size(key)


def exists(key: str) -> bool:
    return _store().exists(key)


def open_range(key: str, offset: int, length: int) -> Iterator[bytes]:
    """Yield exactly `length` bytes from `offset`; the file is opened at the first step.

    Raises FileNotFoundError, and ShortRead where the file ends too early.
    """
    return _store().open_range(key, offset, length)


def read_range(key: str, offset: int, length: int) -> bytes:
    """The same at once, for a small one: in a zip of 70,000, a Path and a file object cost more than the bytes."""
    return _store().read_range(key, offset, length)


def local(key: str) -> AbstractContextManager[Path]:
    """A file of this machine with these bytes, to be read and no more: the stored one, or a copy of it that goes.

    Raises FileNotFoundError, here or when it is opened.
    """
    return _store().local(key)


def delete(keys: Iterable[str]) -> None:
    """Remove what is there; what is not there is no error."""
    _store().delete(keys)


def older_than(folder: str, seconds: float) -> list[str]:
    """The keys directly below `folder` that nothing was written to for so long."""
    return _store().older_than(folder, seconds)


def walk(prefix: str = "") -> Iterator[Stored]:
    """Everything that is stored under keys that begin with `prefix`; without what is still arriving."""
    return _store().walk(prefix)


def internal_address(key: str, content_type: str) -> str:
    """Where nginx.conf has nginx find these bytes, for X-Accel-Redirect. It may hold a signature: not to be logged."""
    return _store().internal_address(key, content_type)


def _store() -> Store:
    # By process: after a fork two would speak on one connection.
    return _bucket(os.getpid(), **settings.PIXORA_STORAGE) if settings.PIXORA_STORAGE else _files


@lru_cache(maxsize=4)
def _bucket(process: int, **place: str) -> Store:
    # Where files are the store, nobody loads boto3.
    from .bucket import Bucket

    return Bucket(**place)
