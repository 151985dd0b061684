"""Workers are killed, nobody else does anything, and all photos are done."""

import random
import time
from collections.abc import Callable
from functools import partial

import pytest

from tests.faults.album import Result, Uploader, photos, result
from tests.faults.claims import interruptions, write_down_claims
from tests.faults.conftest import Size
from tests.faults.machine import Machine
from tests.faults.report import Row
from tests.faults.servers import kill
from tests.running import wait_for

_AGAIN_SECONDS = 75  # a lease of 60, and at most one round of upkeep


def one_of_the_pool(machine: Machine, chance: random.Random) -> list[int]:
    pool = machine.pool("ingest")
    return [chance.choice(pool)] if pool else []


def the_parent(machine: Machine, chance: random.Random) -> list[int]:
    pid = machine.program("ingest")
    return [pid] if pid else []


def the_whole_program(machine: Machine, chance: random.Random) -> list[int]:
    return [process.pid for process in machine.ingest()]


def the_sweeper(machine: Machine, chance: random.Random) -> list[int]:
    pid = machine.program(chance.choice(["upkeep", "beat"]))
    return [pid] if pid else []


# Of ten kills.
TURNS = [one_of_the_pool] * 7 + [the_parent, the_whole_program, the_sweeper]


def kill_in_turn(
    machine: Machine, uploader: Uploader, files: dict[str, bytes], count: int, seed: int, patience: float
) -> list[float]:
    """Kills `count` times, each time after some of the files were sent and a few taken up; returns the moments."""
    chance, moments = random.Random(seed), [0.0]
    turns = [turn for _ in range(count // len(TURNS) + 1) for turn in chance.sample(TURNS, len(TURNS))]
    names = list(files)
    for number, victims in enumerate(turns[:count]):
        share = {name: files[name] for name in names[number::count]}
        uploader.send_all(share, at_once=len(share))
        wait_for(partial(goes_on_since, machine, moments[-1], chance.randint(1, len(share))), "work", patience)
        time.sleep(chance.uniform(0, 0.2))
        pids = wait_for(partial(victims, machine, chance), "the program", 30)
        moments.append(time.time())
        kill(*pids)
    return moments[1:]


def goes_on_since(machine: Machine, moment: float, photos: int) -> bool:
    claims = f"SELECT COUNT(*) FROM faults_claim WHERE moment > {moment}"
    return bool(machine.database.rows(claims)[0][0] >= photos)


@pytest.mark.databases(short=["sqlite"])
def test_killed_workers_lose_nothing_and_double_nothing(
    machine: Machine, row: Row, seed: int, size: Size, quiet: Callable[[int, int], Result]
) -> None:
    """kill -9 of random workers."""
    write_down_claims(machine.database)
    uploader = Uploader(machine)
    moments = kill_in_turn(machine, uploader, photos(seed, size.photos), size.kills, seed, _AGAIN_SECONDS * size.slack)
    row.figure("kills", len(moments))
    uploader.wait_until_settled(machine, size.photos)
    cut = interruptions(machine.database, moments)
    row.figure("interrupted", len(cut))
    row.figure("most attempts at one photo", max((each.attempt + 1 for each in cut), default=1))
    row.figure("longest until taken up again", max((each.waited for each in cut), default=0.0), "s")
    ours = result(machine, uploader)
    assert ours.differences(quiet(seed, size.photos)) == []
    row.holds("none lost, doubled, or quarantined; result equal")
    assert all(each.waited <= _AGAIN_SECONDS * size.slack for each in cut), sorted(cut, key=lambda each: each.waited)[
        -5:
    ]
    row.holds(f"taken up again within {_AGAIN_SECONDS} s")
