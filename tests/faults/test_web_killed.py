"""The web server is killed in the middle of uploads: each file is there whole or not at all, and all arrive."""

import random
import threading
import time
from collections.abc import Callable

import pytest

from tests.faults.album import Result, photos, result, sha256
from tests.faults.conftest import Size
from tests.faults.machine import Machine
from tests.faults.media import orphans_are_erased, rows, stored, temporaries_are_swept, watched
from tests.faults.page import PageUploader
from tests.faults.report import Row
from tests.faults.servers import kill

# A master that dies often is started again ever later: 1 s, 2 s, 4 s ...
_WORKERS_A_MASTER = 9


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
    orphans_are_erased(machine, row)
    assert stored(machine) == rows(machine)
    row.holds("SHA-256 right, no file without a row")
    temporaries_are_swept(machine, row)
    uploader.wait_until_settled(machine, len(files))
    assert result(machine, uploader).differences(quiet(seed, size.photos)) == []
    row.holds("result equal")
