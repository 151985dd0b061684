"""What lies in a site's media: whole files under final names, each with its row, and temporaries that go."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.faults.album import sha256
from tests.faults.machine import Machine
from tests.faults.report import Row
from tests.running import wait_for

_LONG_AGO = "2020-01-01 00:00:00"


def files_below(folder: Path) -> set[str]:
    """Their paths. For who looks many times a second: Path.rglob takes four times as long."""
    return {f"{place}/{name}" for place, _, names in os.walk(folder) for name in names}


@contextmanager
def watched(folder: Path, known: set[str]) -> Iterator[list[str]]:
    """The files below `folder` that at any moment were not one of the known ones, whole."""
    wrong: list[str] = []
    seen: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            for file in files_below(folder) - seen:
                with suppress(FileNotFoundError):
                    seen.add(file)
                    if sha256(Path(file).read_bytes()) not in known:
                        wrong.append(file)

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


def orphans_are_erased(machine: Machine, row: Row) -> None:
    """What was stored by a web that died before its row was there; upkeep would wait ten minutes."""
    orphans = set(stored(machine)) - set(rows(machine))
    row.figure("files without a row", len(orphans))
    machine.database.execute(f"UPDATE galleries_arrival SET created_at = '{_LONG_AGO}'")
    wait_for(lambda: set(stored(machine)) == set(rows(machine)), "the end of files without a row", 60)
    count = "SELECT COUNT(*) FROM galleries_arrival"
    wait_for(lambda: machine.database.rows(count) == [(0,)], "the end of what is said to arrive", 60)


def temporaries_are_swept(machine: Machine, row: Row) -> None:
    """Upkeep would wait six hours."""
    incoming = machine.site.data_dir / "media" / "incoming"
    left = list(incoming.iterdir())
    row.figure("temporaries left", len(left))
    for file in left:
        os.utime(file, (0, 0))
    wait_for(lambda: not list(incoming.iterdir()), "the sweep of temporaries", 60)
    row.holds("temporaries swept")
