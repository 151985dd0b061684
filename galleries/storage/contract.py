"""What every store holds to: its keys, what it tells of them, and the errors it knows."""

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from .incoming import FOLDER, Received

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")


class ShortRead(Exception):
    """What is stored under a key ends before the range that was asked for."""


class Unavailable(OSError):
    """The store did not answer, or not as it should, after all retries. It says nothing about what is stored."""


@dataclass(frozen=True, slots=True)
class Stored:
    """`size` is in bytes; `modified` is aware, by the clock of whoever stores it."""

    key: str
    size: int
    modified: datetime


def is_key(name: str) -> bool:
    return bool(_KEY.fullmatch(name)) and name.split("/", 1)[0] != FOLDER


def checked(key: str) -> str:
    """Raises ValueError for what is no key."""
    if not is_key(key):
        raise ValueError(f"not a storage key: {key!r}")
    return key


class Store(Protocol):
    """The words of galleries.storage, which says what each does; every one may raise Unavailable."""

    def adopt(self, received: Received, key: str) -> None: ...
    def read(self, key: str) -> bytes: ...
    def size(self, key: str) -> int: ...
    def exists(self, key: str) -> bool: ...
    def open_range(self, key: str, offset: int, length: int) -> Iterator[bytes]: ...
    def read_range(self, key: str, offset: int, length: int) -> bytes: ...
    def local(self, key: str) -> AbstractContextManager[Path]: ...
    def delete(self, keys: Iterable[str]) -> None: ...
    def older_than(self, folder: str, seconds: float) -> list[str]: ...
    def walk(self, prefix: str) -> Iterator[Stored]: ...
    def internal_address(self, key: str, content_type: str) -> str: ...
