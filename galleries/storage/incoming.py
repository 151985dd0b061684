"""Bytes while they arrive: in a temporary file of this machine, hashed and bounded, whichever store they go to."""

import hashlib
import os
import tempfile
import time
import weakref
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from .folders import make_folder, root

CHUNK_BYTES = 256 * 1024
FOLDER = "incoming"


def prepare() -> Path:
    """The folder of what arrives. nginx.conf has nginx keep requests in it too: what a crash leaves is swept."""
    folder = root() / FOLDER
    make_folder(folder)
    return folder


class TooLarge(Exception):
    """More bytes arrived than the limit allows."""


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
        descriptor, name = tempfile.mkstemp(dir=prepare())
        self.size, self._limit = 0, limit
        self._sha256, self._crc32 = hashlib.sha256(), 0
        self._path, self._file = Path(name), os.fdopen(descriptor, "w+b")
        self.discard = weakref.finalize(self, _close_and_unlink, self._file, self._path)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

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


def forgotten_incoming(older_than_seconds: float) -> list[Path]:
    """Temporary files that nothing was written to for so long."""
    oldest, forgotten = time.time() - older_than_seconds, []
    for leftover in (root() / FOLDER).glob("*"):
        with suppress(FileNotFoundError):
            if leftover.stat().st_mtime <= oldest:
                forgotten.append(leftover)
    return forgotten


def sweep_incoming(older_than_seconds: float) -> int:
    """Remove them; return how many."""
    forgotten = forgotten_incoming(older_than_seconds)
    for leftover in forgotten:
        leftover.unlink(missing_ok=True)
    return len(forgotten)


def _close_and_unlink(file: BinaryIO, path: Path) -> None:
    with suppress(OSError):
        file.close()
    path.unlink(missing_ok=True)
