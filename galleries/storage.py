"""Keys -> bytes on disk below `PIXORA_DATA_DIR`/media, written atomically and readable by this user alone.

A key is a relative path made by us, such as "originals/<album>/<photo>.jpg"; it never holds a name from outside.
"""

import fcntl
import hashlib
import os
import re
import tempfile
import time
import weakref
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from django.conf import settings

CHUNK_BYTES = 256 * 1024
_INCOMING = "incoming"
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")


class TooLarge(Exception):
    """More bytes arrived than the limit allows."""


class ShortRead(Exception):
    """What is stored under a key ends before the range that was asked for."""


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes that arrived, under a temporary name; `sha256` is in hexadecimal. Leaving the context discards them unless
    they were adopted.
    """

    path: Path
    size: int
    sha256: str
    crc32: int

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)


class Incoming:
    """A temporary file on the same file system as all keys, hashed while it is written.

    Beyond `limit` bytes nothing is stored any more; the bytes are only counted in `size`. The file goes when nobody
    holds this object any longer, unless it was handed over by `receive`.
    """

    def __init__(self, limit: int) -> None:
        folder = _root() / _INCOMING
        _make_folder(folder)
        descriptor, name = tempfile.mkstemp(dir=folder)
        self.size, self._limit = 0, limit
        self._sha256, self._crc32 = hashlib.sha256(), 0
        self._path, self._file = Path(name), os.fdopen(descriptor, "w+b")
        self.discard = weakref.finalize(self, _close_and_unlink, self._file, self._path)

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > self._limit:
            self.discard()
            return
        self._sha256.update(chunk)
        self._crc32 = zlib.crc32(chunk, self._crc32)
        self._file.write(chunk)

    def handed_over(self, limit: int) -> Received:
        """Raises TooLarge. From now on the file is the caller's."""
        if self.size > min(limit, self._limit):
            self.discard()
            raise TooLarge(f"more than {limit} bytes")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.discard.detach()
        self._file.close()
        return Received(self._path, self.size, self._sha256.hexdigest(), self._crc32)

    def __iter__(self) -> Iterator[bytes]:
        """What was stored, from the start."""
        self._file.flush()
        self._file.seek(0)
        while chunk := self._file.read(CHUNK_BYTES):
            yield chunk


def receive(chunks: Iterable[bytes], *, limit: int) -> Received:
    """The bytes in a temporary file, fsynced. An Incoming is handed over as it is; anything else is written first.

    Raises TooLarge beyond `limit` bytes; nothing is left behind by any error.
    """
    if isinstance(chunks, Incoming):
        return chunks.handed_over(limit)
    incoming = Incoming(limit)
    try:
        for chunk in chunks:
            incoming.write(chunk)
            if incoming.size > limit:
                break
        return incoming.handed_over(limit)
    finally:
        incoming.discard()


def adopt(received: Received, key: str) -> None:
    """Give received bytes their key, durably; what stood there before is replaced in one step."""
    target = path(key)
    with _folders(fcntl.LOCK_SH):
        _make_folder(target.parent)
        received.path.replace(target)
        _sync_folder(target.parent)


def write(key: str, data: bytes) -> None:
    """Store `data` under `key`, atomically and durably."""
    with receive([data], limit=len(data)) as received:
        adopt(received, key)


def read(key: str) -> bytes:
    """Raises FileNotFoundError."""
    return path(key).read_bytes()


def path(key: str) -> Path:
    """Where `key` lies on this machine, whether it exists or not. Raises ValueError for what is no key."""
    _require_key(key)
    return _root() / key


def _require_key(key: str) -> None:
    if not _KEY.fullmatch(key) or key.split("/", 1)[0] == _INCOMING:
        raise ValueError(f"not a storage key: {key!r}")


def size(key: str) -> int:
    """In bytes. Raises FileNotFoundError."""
    return path(key).stat().st_size


def exists(key: str) -> bool:
    return path(key).is_file()


def open_range(key: str, offset: int, length: int) -> Iterator[bytes]:
    """Yield exactly `length` bytes from `offset`; the file is opened at the first step.

    Raises FileNotFoundError, and ShortRead where the file ends too early.
    """
    with path(key).open("rb") as file:
        file.seek(offset)
        while length:
            chunk = file.read(min(length, CHUNK_BYTES))
            if not chunk:
                raise ShortRead(f"{key} ends {length} bytes too early")
            length -= len(chunk)
            yield chunk


def read_range(key: str, offset: int, length: int) -> bytes:
    """The same at once, for a small one: in a zip of 70,000, a Path and a file object cost more than the bytes."""
    _require_key(key)
    descriptor = os.open(f"{settings.PIXORA_DATA_DIR}/media/{key}", os.O_RDONLY)
    try:
        data = os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)
    if len(data) < length:
        raise ShortRead(f"{key} ends {length - len(data)} bytes too early")
    return data


def delete(keys: Iterable[str]) -> None:
    """Remove what is there, then the folders that this emptied."""
    paths = [path(key) for key in keys]
    for each in paths:
        each.unlink(missing_ok=True)
    with _folders(fcntl.LOCK_EX):
        for folder in {each.parent for each in paths}:
            _remove_emptied(folder)


def older_than(folder: str, seconds: float) -> list[str]:
    """The keys directly below `folder` that nothing was written to for so long."""
    oldest = time.time() - seconds
    found = []
    for each in path(folder).glob("*"):
        with suppress(FileNotFoundError):
            if each.stat().st_mtime <= oldest:
                found.append(f"{folder}/{each.name}")
    return found


def sweep_incoming(older_than_seconds: float) -> int:
    """Remove temporary files that nothing was written to for so long; return how many."""
    oldest, removed = time.time() - older_than_seconds, 0
    for leftover in (_root() / _INCOMING).glob("*"):
        with suppress(FileNotFoundError):
            if leftover.stat().st_mtime <= oldest:
                leftover.unlink()
                removed += 1
    return removed


def _root() -> Path:
    return Path(settings.PIXORA_DATA_DIR) / "media"


@contextmanager
def _folders(mode: int) -> Iterator[None]:
    """Many may place files at once; whoever removes emptied folders is alone, or a file could lose the folder that was
    just made for it. Held by this user's processes on this machine, and given back by the kernel if one dies.
    """
    _make_folder(_root())
    descriptor = os.open(_root(), os.O_RDONLY)
    try:
        fcntl.flock(descriptor, mode)
        yield
    finally:
        # Not by closing alone: a child forked just now would go on holding it.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _close_and_unlink(file: BinaryIO, path: Path) -> None:
    with suppress(OSError):
        file.close()
    path.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    """With its parents, each 0700 and fsynced; `mkdir(parents=True)` would leave the parents open to others."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_emptied(folder: Path) -> None:
    """Upwards until one still holds something; the root stays."""
    while folder != _root():
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = folder.parent
