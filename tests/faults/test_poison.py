"""Photos that a decoder dies of, never gets through, or eats the machine's memory with, among good ones."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.faults.album import Result, Uploader, photos, result, sha256
from tests.faults.conftest import FULL, Size
from tests.faults.machine import Machine
from tests.faults.report import Row
from tests.running import wait_for

_PLUGIN = Path(__file__).parent / "poison"
# The others end the worker, and wait for its lease of 60 s.
_KINDS = ("crash", "memory", "time") if FULL else ("memory",)
_AT_MOST_SECONDS = 300
_AT_MOST_BYTES = 4 << 30


def poisoned(photo: bytes, kind: str) -> bytes:
    """With a comment (marker FFFE) that tests/faults/poison reads."""
    words = f"poison: {kind}".encode()
    return photo[:2] + b"\xff\xfe" + (len(words) + 2).to_bytes(2) + words + photo[2:]


@contextmanager
def largest_process(machine: Machine) -> Iterator[list[int]]:
    """The one number in the list: the most memory, in bytes, that any process of the site ever held meanwhile."""
    most, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(0.05):
            with suppress(psutil.NoSuchProcess):
                for process in machine.processes():
                    with suppress(psutil.NoSuchProcess):
                        most[0] = max(most[0], process.memory_info().rss)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        done.set()
        thread.join()


def states(machine: Machine, names: list[str]) -> dict[str, tuple[str, str, str]]:
    query = "SELECT name, state, code, detail FROM galleries_photo"
    return {name: (state, code, detail) for name, state, code, detail in machine.database.rows(query) if name in names}


def most_tries(machine: Machine, names: list[str]) -> int:
    rows = machine.database.rows("SELECT name, attempts FROM galleries_photo")
    return max(attempts for name, attempts in rows if name in names)


@pytest.mark.databases(short=["sqlite"])
def test_poison_is_set_aside_and_its_neighbours_are_done(
    start: Callable[..., AbstractContextManager[Machine]],
    row: Row,
    seed: int,
    size: Size,
    quiet: Callable[[int, int], Result],
) -> None:
    """poison: a decoder that crashes, eats memory, never ends."""
    good = photos(seed, size.photos)
    bad = {f"{kind}.jpg": poisoned(next(iter(good.values())), kind) for kind in _KINDS}
    files = good | bad
    names = random.Random(seed).sample(list(files), len(files))
    with start(PYTHONPATH=str(_PLUGIN)) as machine, largest_process(machine) as most:
        uploader = Uploader(machine)
        began = time.monotonic()
        uploader.send_all({name: files[name] for name in names}, at_once=20)
        wait_for(
            lambda: all(state == "quarantined" for state, _, _ in states(machine, list(bad)).values()),
            "the quarantine of all poison",
            _AT_MOST_SECONDS,
        )
        row.figure("all poison set aside after", time.monotonic() - began, "s")
        for name, (_, code, detail) in states(machine, list(bad)).items():
            assert code == "decoder_fault", (name, code, detail)
            assert name.removesuffix(".jpg") in detail, detail
        row.holds("quarantined with its reason within 5 minutes")
        tries = most_tries(machine, list(bad))
        row.figure("tries of one", tries)
        assert tries <= 3
        uploader.wait_until_settled(machine, len(files))
        ours = result(machine, uploader)
        for data in bad.values():
            del ours.photos[sha256(data)]
        assert ours.differences(quiet(seed, size.photos)) == []
        row.holds("good ones all done, result equal")
        row.figure("largest process", most[0] // 1_000_000, "MB")
        assert most[0] < _AT_MOST_BYTES
        row.holds("memory bounded")
