"""What the other files compare with: an album where nothing happens."""

from collections.abc import Callable

import pytest

from tests.faults.album import Result
from tests.faults.conftest import Size, in_peace
from tests.faults.machine import Machine
from tests.faults.report import Row


@pytest.mark.databases(short=[])
def test_an_album_in_peace(
    machine: Machine, row: Row, seed: int, size: Size, quiet: Callable[[int, int], Result]
) -> None:
    """nothing."""
    ours = in_peace(machine, seed, size.small)
    assert {facts.state for facts in ours.photos.values()} == {"ready"}
    row.holds("all ready")
    assert [len(facts.boxes) for facts in ours.photos.values()].count(0) <= size.small // 2
    assert ours.found
    row.figure("faces", ours.faces())
    assert ours.differences(quiet(seed, size.small)) == []
    row.holds("the same on both databases")
    for program in ("web", "downloads", "ingest", "selfie", "upkeep", "beat"):
        assert machine.program(program)
    assert len(machine.pool("ingest")) == 2
