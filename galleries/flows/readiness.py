"""Whether this process could do its work right now: database, Redis, storage and disk, asked side by side.

Each is asked in a thread of its own and given up after `PATIENCE`, because a dead machine says nothing for minutes. One
that still hangs is not asked a second time, so that a long outage piles up nothing.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from galleries import storage
from galleries.broker import asked_once
from galleries.errors import is_full

logger = logging.getLogger(__name__)

PATIENCE = 2.5  # seconds
# Anybody may ask, and an answer costs two connections and a file.
KEPT_SECONDS = 1.0


class NotReady(Exception):
    """In words for whoever runs the site: no address, no secret, no path."""


@dataclass(frozen=True)
class Answer:
    name: str
    ok: bool
    words: str


class Check:
    """One question, and the thread that asks it."""

    def __init__(self, name: str, ask: Callable[[], str], otherwise: str) -> None:
        self.name, self._ask, self._otherwise = name, ask, otherwise
        self._thread = threading.Thread()
        self._answer = self._answered(False, "")

    def start(self) -> None:
        if not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name=f"readyz-{self.name}", daemon=True)
            self._thread.start()

    def answer(self, until: float) -> Answer:
        self._thread.join(max(0.0, until - time.monotonic()))
        return self._answered(False, f"No answer within {PATIENCE} s.") if self._thread.is_alive() else self._answer

    def _run(self) -> None:
        try:
            self._answer = self._answered(True, self._ask())
        except NotReady as reason:
            self._answer = self._answered(False, str(reason))
        except Exception as error:  # noqa: BLE001 (whatever it is, it is an answer; its words may hold an address)
            logger.warning("Not ready: %s (%s).", self.name, type(error).__name__)
            self._answer = self._answered(False, self._otherwise)
        finally:
            connection.close()

    def _answered(self, ok: bool, words: str) -> Answer:
        return Answer(self.name, ok, words)


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "Answers."


def _migrations() -> str:
    pending = sorted(_known_migrations() - MigrationRecorder(connection).applied_migrations().keys())
    if pending:
        names = ", ".join(f"{app}.{name}" for app, name in pending[:5])
        raise NotReady(f"{len(pending)} not applied yet: {names}. Run: manage.py migrate")
    return "All applied."


@cache
def _known_migrations() -> frozenset[tuple[str, str]]:
    """Those of this code. A database that is ahead of it is none of its business: an upgrade is under way."""
    return frozenset(MigrationLoader(None).disk_migrations)


def _redis() -> str:
    with asked_once(2) as broker:
        broker.ping()
    return "Answers."


def _storage() -> str:
    """Among the pictures of selfies, where upkeep removes what a crash left lying."""
    key, data = f"selfies/readyz-{uuid4()}", b"ready"
    try:
        storage.write(key, data)
        if storage.read(key) != data:
            raise NotReady("What was written is not what is read.")
    finally:
        storage.delete([key])
    return "Writes, reads and deletes."


def _disk() -> str:
    free = f"{storage.free_bytes() // 1_000_000} MB are free"
    if not storage.has_room():
        raise NotReady(f"{free}, fewer than the {settings.PIXORA_MIN_FREE_BYTES // 1_000_000} MB wanted.")
    return f"{free}."


_STORAGE = Check("storage", _storage, "Files cannot be written, read or deleted.")
_CHECKS = (
    Check("database", _database, "The database does not answer."),
    Check("migrations", _migrations, "Unknown: the database does not answer."),
    Check("redis", _redis, "Redis does not answer."),
    _STORAGE,
    Check("disk", _disk, "The data folder cannot be looked at."),
)


def is_outage(error: BaseException) -> bool:
    """Whether it is the machine's, of no one photo, and passes: a full disk, or a bucket that gives nothing at all.

    One that takes and gives other bytes denies this photo alone, for ever perhaps.
    """
    if not isinstance(error, storage.Unavailable):
        return is_full(error)
    _STORAGE.start()
    return not _STORAGE.answer(time.monotonic() + PATIENCE).ok


_asking = threading.Lock()
_answers: tuple[float, list[Answer]] = (float("-inf"), [])


def check() -> list[Answer]:
    """At most `PATIENCE` + `KEPT_SECONDS` old. Never raises; whoever asks while others do is told what they are."""
    global _answers
    with _asking:
        if time.monotonic() - _answers[0] > KEPT_SECONDS:
            for each in _CHECKS:
                each.start()
            until = time.monotonic() + PATIENCE
            answered = [each.answer(until) for each in _CHECKS]
            _answers = time.monotonic(), answered
        return _answers[1]
