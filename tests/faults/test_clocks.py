"""Clocks that are wrong: that of one worker, and that of the machine.

The database's clock rules. On SQLite that is the machine's, which all processes of the one machine share; so there one
worker cannot differ from the others, but all can be set forward or back together.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.album import Result, Uploader, photos, result
from tests.faults.claims import write_down_claims
from tests.faults.conftest import Size
from tests.faults.machine import Machine
from tests.faults.report import Row
from tests.faults.servers import kill
from tests.running import wait_for

_HOUR = 3600


@pytest.mark.databases(short=[])
def test_workers_whose_clocks_are_off_by_an_hour(
    machine: Machine, row: Row, seed: int, size: Size, quiet: Callable[[int, int], Result]
) -> None:
    """clock of one worker an hour ahead, of another an hour behind."""
    write_down_claims(machine.database)
    uploader = Uploader(machine)
    path = str(Path(__file__).parent / "off_by")
    with ExitStack() as stack:
        for off_by in (_HOUR, -_HOUR):
            wrong = {"PYTHONPATH": path, "CLOCK_OFF_BY": str(off_by), "PIXORA_WORKERS": "1"}
            stack.enter_context(machine.another("manage.py", "serve", "ingest", **wrong))
        uploader.send_all(photos(seed, size.small), at_once=5)
        uploader.wait_until_settled(machine, size.small)
    assert result(machine, uploader).differences(quiet(seed, size.small)) == []
    row.holds("result equal")
    claims = machine.database.rows("SELECT COUNT(*), COUNT(DISTINCT photo), MAX(attempt) FROM faults_claim")
    assert claims == [(size.small, size.small, 1)]
    row.holds("no photo taken up twice")


@pytest.mark.databases(short=[])
def test_the_machine_s_clock_is_set_back_while_a_worker_dies(machine: Machine, row: Row, seed: int) -> None:
    """the machine's clock set back by an hour, and a worker killed."""
    uploader = Uploader(machine)
    for process in machine.ingest():
        process.suspend()
    uploader.send_all(photos(seed, 5), at_once=5)
    leave_as_a_killed_worker_would(machine, _HOUR)
    kill(*(process.pid for process in machine.ingest()))
    wait_for(lambda: machine.program("ingest"), "the program", 60)
    uploader.wait_until_settled(machine, 5)
    row.holds("all done, none waits for the hour")


def leave_as_a_killed_worker_would(machine: Machine, ahead: int) -> None:
    """Photos in work, with leases given by a clock that was ahead of the present one."""
    until = {
        "sqlite": f"strftime('%Y-%m-%d %H:%M:%f', 'now', '+{ahead + 60} seconds')",
        "postgresql": f"clock_timestamp() + interval '{ahead + 60} seconds'",
    }
    fence = "'0123456789abcdef0123456789abcdef'"
    held = f"state = 'processing', attempts = 1, fence = {fence}, lease_until = {until[machine.database.name]}"
    machine.database.execute(f"UPDATE galleries_photo SET {held}")
