"""The web server is killed in the middle of uploads: each file is there whole or not at all, and the uploader completes."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.album import Result, photos, result, sha256
from tests.faults.conftest import Size
from tests.faults.machine import Machine
from tests.faults.page import PageUploader
from tests.faults.report import Row
from tests.faults.servers import kill
from tests.running import wait_for

# A master that dies often is started again ever later: 1 s, 2 s, 4 s ...
_WORKERS_A_MASTER = 9
_LONG_AGO = "2020-01-01 00:00:00"


class Killer:
    """Kills the web at chosen files, each once: somewhere in the file, or when it is whole and not yet answered."""

    def __init__(self, machine: Machine, names: list[str], count: int, seed: int) -> None:
        chance = random.Random(seed)
        self._machine = machine
        chosen = chance.sample(names, count)
        self._offsets = {name: chance.random() if number % 2 else 1.0 for number, name in enumerate(chosen)}
        self._masters = set(chosen[:: _WORKERS_A_MASTER + 1])
        self._delays = {name: chance.uniform(0, 0.06) for name in chosen}
        self._lock = threading.Lock()
        self.kills = 0

    def __call__(self, name: str, sent: int, length: int) -> None:
        with self._lock:
            offset = self._offsets.get(name)
            if offset is None or sent < offset * length:
                return
            del self._offsets[name]
        if offset == 1.0:
            time.sleep(self._delays[name])
        master = self._machine.program("web") if name in self._masters else None
        kill(*([master] if master else self._machine.pool("web")))
        self.kills += 1


@contextmanager
def watched(folder: Path, known: set[str]) -> Iterator[list[str]]:
    """The names of files below `folder` that at any moment were not one of the known ones, whole."""
    wrong: list[str] = []
    seen: set[Path] = set()
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            for file in set(folder.rglob("*.*")) - seen:
                with suppress(FileNotFoundError):
                    seen.add(file)
                    if sha256(file.read_bytes()) not in known:
                        wrong.append(file.name)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield wrong
    finally:
        done.set()
        thread.join()


def stored(machine: Machine) -> dict[str, str]:
    """SHA-256 of every file under a final name, by its key."""
    media = machine.site.data_dir / "media"
    files = (file for file in (media / "originals").rglob("*") if file.is_file())
    return {file.relative_to(media).as_posix(): sha256(file.read_bytes()) for file in files}


def rows(machine: Machine) -> dict[str, str]:
    return dict(machine.database.rows("SELECT original_key, sha256 FROM galleries_photo"))


@pytest.mark.databases(short=["sqlite"])
def test_the_web_killed_during_uploads(
    machine: Machine, row: Row, seed: int, size: Size, quiet: Callable[[int, int], Result]
) -> None:
    """web killed at random offsets of uploads."""
    files = photos(seed, size.photos)
    known = {sha256(data) for data in files.values()}
    killer = Killer(machine, list(files), size.kills, seed)
    uploader = PageUploader(machine, seed, watch=killer)
    with watched(machine.site.data_dir / "media" / "originals", known) as wrong:
        uploader.send_all(files)
    row.figure("kills", killer.kills)
    row.figure("broken requests", sum(count for status, count in uploader.answers.items() if status not in (200, 201)))
    assert killer.kills == size.kills
    assert uploader.acknowledged == known
    row.holds("uploader completes")
    assert wrong == []
    row.holds("every file whole or absent at every moment")
    assert sorted(rows(machine).values()) == sorted(known)
    row.holds("none lost or doubled")
    an_orphan_is_erased(machine, row)
    assert stored(machine) == rows(machine)
    row.holds("SHA-256 right, no file without a row")
    temporaries_are_swept(machine, row)
    uploader.wait_until_settled(machine, len(files))
    assert result(machine, uploader).differences(quiet(seed, size.photos)) == []
    row.holds("result equal")


def an_orphan_is_erased(machine: Machine, row: Row) -> None:
    """What was stored by a web that died before its row was there; upkeep would wait ten minutes."""
    orphans = set(stored(machine)) - set(rows(machine))
    row.figure("files without a row", len(orphans))
    machine.database.execute(f"UPDATE galleries_arrival SET created_at = '{_LONG_AGO}'")
    wait_for(lambda: set(stored(machine)) == set(rows(machine)), "the end of files without a row", 60)
    assert machine.database.rows("SELECT COUNT(*) FROM galleries_arrival") == [(0,)]


def temporaries_are_swept(machine: Machine, row: Row) -> None:
    """Upkeep would wait six hours."""
    incoming = machine.site.data_dir / "media" / "incoming"
    left = list(incoming.iterdir())
    row.figure("temporaries left", len(left))
    for file in left:
        os.utime(file, (0, 0))
    wait_for(lambda: not list(incoming.iterdir()), "the sweep of temporaries", 60)
    row.holds("temporaries swept")
