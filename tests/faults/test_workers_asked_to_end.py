"""SIGTERM, as at every upgrade: what is being worked on is finished, or given back as if it had not been begun."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.faults.album import Result, Uploader, photos, result
from tests.faults.claims import write_down_claims
from tests.faults.conftest import Size
from tests.faults.machine import Machine
from tests.faults.report import Row
from tests.running import wait_for

_EXIT_SECONDS = 30


def ask_to_end(pid: int) -> float:
    """Returns how many seconds it took."""
    started = time.monotonic()
    process = psutil.Process(pid)
    process.terminate()
    psutil.wait_procs([process], timeout=5 * _EXIT_SECONDS)
    assert not process.is_running()
    return time.monotonic() - started


@pytest.mark.databases(short=[])
def test_workers_are_asked_to_end_in_the_middle_of_work(
    machine: Machine, row: Row, seed: int, size: Size, quiet: Callable[[int, int], Result]
) -> None:
    """SIGTERM during work, five times."""
    write_down_claims(machine.database)
    uploader = Uploader(machine)
    uploader.send_all(photos(seed, size.small), at_once=20)
    longest = 0.0
    for _ in range(5):
        wait_for(lambda: machine.database.rows("SELECT 1 FROM galleries_photo WHERE state = 'processing'"), "work")
        longest = max(longest, ask_to_end(wait_for(lambda: machine.program("ingest"), "the program")))
    row.figure("longest exit", longest, "s")
    assert longest <= _EXIT_SECONDS * size.slack
    row.holds(f"exit within {_EXIT_SECONDS} s")
    uploader.wait_until_settled(machine, size.small)
    assert result(machine, uploader).differences(quiet(seed, size.small)) == []
    row.holds("result equal")
    assert machine.database.rows("SELECT MAX(attempt) FROM faults_claim") == [(1,)]
    row.holds("no attempt counted")


@pytest.mark.databases(short=["sqlite"])
def test_work_that_takes_long_is_given_back(machine: Machine, row: Row, seed: int, size: Size) -> None:
    """SIGTERM while a disk hangs."""
    write_down_claims(machine.database)
    uploader = Uploader(machine)
    for process in machine.ingest():
        process.suspend()
    uploader.send_all(photos(seed, 1))
    with hanging(next((machine.site.data_dir / "media" / "originals").rglob("*.jpg"))):
        for process in machine.ingest():
            process.resume()
        wait_for(lambda: machine.database.rows("SELECT 1 FROM faults_claim"), "a claim")
        time.sleep(1)
        seconds = ask_to_end(wait_for(lambda: machine.program("ingest"), "the program"))
    row.figure("exit", seconds, "s")
    assert seconds <= _EXIT_SECONDS * size.slack
    row.holds(f"exit within {_EXIT_SECONDS} s")
    uploader.wait_until_settled(machine, 1)
    claims = machine.database.rows("SELECT attempt, moment FROM faults_claim ORDER BY moment")
    assert [attempt for attempt, _ in claims] == [1] * len(claims)
    assert len(claims) >= 2
    row.holds("the attempt is given back")
    row.figure("until taken up again", claims[-1][1] - claims[0][1] - seconds, "s")
    assert claims[-1][1] - claims[0][1] < 55 * size.slack
    row.holds("the lease is free at once")


@contextmanager
def hanging(path: Path) -> Iterator[None]:
    """The file as a disk that does not answer shows it: who opens it waits for as long as the block lasts."""
    aside = path.with_suffix(".aside")
    path.rename(aside)
    os.mkfifo(path, 0o600)
    try:
        yield
    finally:
        aside.replace(path)
