"""The upload of many files: hashed, compared with the album, and what it lacks is sent, several files at once."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from .answers import Away, Refused
from .folder import Changed, File, Unreadable
from .form import form_of
from .site import CHECK_FILES, Checked, Site, Stopped

# What is compared at once, so that sending begins while the rest is still hashed.
_CHECK_BYTES = 200_000_000
# So often one file may fail while the site answers, before the others go on without it.
_MOST_FAULTS = 5
OUTCOMES = ("sent", "here", "rejected", "failed")


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a file: one of OUTCOMES, with the reason in words; `seconds` since it was first seen."""

    file: File
    outcome: str
    words: str = ""
    seconds: float | None = None

    @property
    def is_there(self) -> bool:
        return self.outcome in ("sent", "here")


class Shown(Protocol):
    """Whoever tells what goes on. Asked from several threads."""

    def settled(self, each: Settled) -> None: ...

    def waiting(self, words: str) -> None:
        """Why nothing moves; "" when it does again."""

    def changed(self) -> None:
        """The numbers are others now."""


@dataclass
class Numbers:
    """`files` = what is settled, by its outcome, and what is left. `moved`: bytes on their way and arrived; `missing`:
    bytes that the album is known to lack or lacked.
    """

    files: int = 0
    bytes: int = 0
    compared: int = 0
    missing: int = 0
    moved: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def left(self) -> int:
        return self.files - self.outcomes.total()

    @property
    def all_there(self) -> bool:
        return self.files == self.outcomes["sent"] + self.outcomes["here"]

    def as_json(self) -> dict[str, Any]:
        return {
            "files": self.files,
            "bytes": self.bytes,
            **{name: self.outcomes[name] for name in OUTCOMES},
            "left": self.left,
            "bytes_sent": self.moved,
        }


class Upload:
    """Into one album of a site. `add` gives it files and returns at once; `wait` until all of them are settled.

    Files that became others while they were read or sent are no part of the numbers any more: whoever added them takes
    them (`take_changed`) and looks at them anew. Of those that failed it may take some back (`take_failed`).
    """

    def __init__(self, site: Site, album: str, shown: Shown, *, lanes: int, replace: bool) -> None:
        self.site, self.album, self._shown, self._replace = site, album, shown, replace
        self.numbers = Numbers()
        # Of a folder that is watched, how many files are not whole yet.
        self.unfinished = 0
        self._changed: list[File] = []
        self._failed: dict[File, float] = {}
        self.fatal: Exception | None = None
        self._first_seen: dict[File, float] = {}
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._unsettled = 0
        self._lookers = ThreadPoolExecutor(1, "look")
        self._hashers = ThreadPoolExecutor(os.cpu_count() or 1, "hash")
        self._senders = ThreadPoolExecutor(lanes, "send")

    def add(self, files: Sequence[File], seen: dict[File, float] | None = None) -> None:
        """`seen`: when each was first seen, by the monotonic clock."""
        with self._lock:
            self._count(files)
            self._first_seen |= seen or {}
        self._shown.changed()
        for batch in _batches(files):
            self._lookers.submit(self._guarded, self._look, batch)

    def give_up(self, files: Sequence[File], words: str) -> None:
        with self._lock:
            self._count(files)
        self._settle(files, "failed", words)

    def wait(self) -> None:
        """Until all is settled. Raises what ended it before: Refused, Away."""
        with self._idle:
            # In pieces, so that Ctrl-C is heard.
            while self._unsettled and not self.fatal:
                self._idle.wait(0.2)
        if self.fatal:
            raise self.fatal

    def close(self) -> None:
        """Break off what is under way."""
        self.site.break_off()
        for pool in (self._lookers, self._hashers, self._senders):
            pool.shutdown(cancel_futures=True)
        self.site.hang_up()

    def take_changed(self) -> list[File]:
        with self._lock:
            taken, self._changed = self._changed, []
        return taken

    def take_failed(self, before: float) -> list[File]:
        """Those that failed before that moment; they are no part of the numbers any more."""
        with self._lock:
            taken = [file for file, moment in self._failed.items() if moment < before]
            for file in taken:
                del self._failed[file]
                self.numbers.outcomes["failed"] -= 1
                self._uncount(file)
        return taken

    # Comparing

    def _look(self, batch: list[File]) -> None:
        hashed: dict[str, list[File]] = {}
        for file, found in zip(batch, self._hashers.map(self._hash, batch), strict=True):
            if found:
                hashed.setdefault(found, []).append(file)
        if not hashed:
            return
        checked = self._check([(files[0], sha256) for sha256, files in hashed.items()])
        for sha256, files in hashed.items():
            self._sort(sha256, files, checked)

    def _hash(self, file: File) -> str | None:
        if self.site.stop.is_set():
            return None
        try:
            found = file.sha256()
        except (Changed, Unreadable) as error:
            self._put_back(file, error)
            return None
        with self._lock:
            self.numbers.compared += file.size
        self._shown.changed()
        return found

    def _check(self, files: Sequence[tuple[File, str]]) -> Checked:
        return self.site.patiently(lambda: self.site.check(self.album, files))

    def _sort(self, sha256: str, files: list[File], checked: Checked) -> None:
        """The `files` are one by their bytes: the first is sent for all."""
        if sha256 in checked.here:
            self._settle(files, "here")
        elif sha256 in checked.without_room:
            self._settle(files, "failed", checked.without_room[sha256])
        else:
            with self._lock:
                self.numbers.missing += files[0].size
            replaces = checked.namesakes.get(sha256, "") if self._replace else ""
            self._senders.submit(self._guarded, self._send, files, sha256, replaces)

    # Sending

    def _send(self, files: list[File], sha256: str, replaces: str) -> None:
        moved = _Moved(self)
        try:
            outcome, words = self._sent(files[0], sha256, replaces, moved)
        except (Changed, Unreadable) as error:
            moved.back()
            self._forget_missing(files[0])
            for file in files:
                with self._lock:
                    self.numbers.compared -= file.size
                self._put_back(file, error)
            return
        except BaseException:
            moved.back()
            raise
        if outcome not in ("sent", "here"):
            moved.back()
            self._forget_missing(files[0])
        self._settle(files[:1], outcome, words)
        self._settle(files[1:], "here" if outcome == "sent" else outcome, words)

    def _sent(self, file: File, sha256: str, replaces: str, moved: "_Moved") -> tuple[str, str]:
        """The outcome and its words. A broken connection is the site's, unless the site is there at once again."""
        form = form_of(file, sha256, replaces, moved)
        faults = 0
        while True:
            try:
                return _outcome(
                    self.site.patiently(lambda: self.site.send(self.album, form), broken=False), again=faults > 0
                )
            except Refused as refused:
                if refused.is_of_the_album:
                    raise
                return "failed", str(refused)
            except Away as away:
                if not away.broken:
                    raise
                before = self.site.outages
                if sha256 in self._check([(file, sha256)]).here:
                    return "sent", ""
                faults += self.site.outages == before
                if faults == _MOST_FAULTS:
                    return "failed", str(away)
                self.site.stop.wait(faults)

    # Numbers

    def _settle(self, files: Sequence[File], outcome: str, words: str = "") -> None:
        for file in files:
            first = self._first_seen.pop(file, None)
            with self._lock:
                self.numbers.outcomes[outcome] += 1
                if outcome == "failed":
                    self._failed[file] = time.monotonic()
            self._shown.settled(Settled(file, outcome, words, first and time.monotonic() - first))
        self._done(len(files))

    def _put_back(self, file: File, error: Changed | Unreadable) -> None:
        """Changed or gone, it is no longer what was added; unreadable, it has failed."""
        if isinstance(error, Unreadable) and not error.gone:
            self._settle([file], "failed", str(error))
            return
        with self._lock:
            self._uncount(file)
            self._first_seen.pop(file, None)
            self._changed.append(file)
        self._done(1)

    def _count(self, files: Sequence[File]) -> None:
        self.numbers.files += len(files)
        self.numbers.bytes += sum(file.size for file in files)
        self._unsettled += len(files)

    def _uncount(self, file: File) -> None:
        self.numbers.files -= 1
        self.numbers.bytes -= file.size

    def _forget_missing(self, file: File) -> None:
        with self._lock:
            self.numbers.missing -= file.size

    def _done(self, count: int) -> None:
        with self._idle:
            self._unsettled -= count
            self._idle.notify_all()
        self._shown.changed()

    def _guarded(self, work: Callable[..., None], *args: Any) -> None:
        """What ends one file's sending for all ends it once, and is told by `wait`."""
        try:
            work(*args)
        except Stopped:
            return
        except Exception as error:  # noqa: BLE001 (told by `wait`, in the thread that can say it)
            with self._idle:
                self.fatal = self.fatal or error
                self._idle.notify_all()
            self.site.stop.set()


class _Moved:
    """Counts bytes of one file on their way, and takes them back where it did not arrive."""

    def __init__(self, upload: Upload) -> None:
        self._upload, self._bytes = upload, 0

    def __call__(self, count: int) -> None:
        with self._upload._lock:
            self._upload.numbers.moved += count
        self._bytes += count
        self._upload._shown.changed()

    def back(self) -> None:
        self(-self._bytes)


def _outcome(reception: dict[str, Any], *, again: bool) -> tuple[str, str]:
    if reception["rejected"]:
        return "rejected", str(reception["rejected"][0]["detail"])
    # After a broken connection it may be here by us.
    return ("here" if reception["duplicates"] and not again else "sent"), ""


def _batches(files: Sequence[File]) -> Iterator[list[File]]:
    batch: list[File] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.size
        if len(batch) == CHECK_FILES or size >= _CHECK_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
