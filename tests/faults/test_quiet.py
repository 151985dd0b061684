"""What the other files compare with: an album where nothing happens."""

from collections.abc import Callable

from tests.faults.album import Result, Uploader, photos, result
from tests.faults.conftest import Size
from tests.faults.machine import Machine
from tests.faults.report import Row


def test_an_album_in_peace(
    machine: Machine, row: Row, seed: int, size: Size, quiet: Callable[[int, int], Result]
) -> None:
    """nothing."""
    uploader = Uploader(machine)
    files = photos(seed, size.photos)
    uploader.send_all(files, at_once=20)
    uploader.wait_until_settled(machine, size.photos)
    ours = result(machine, uploader)
    assert {facts.state for facts in ours.photos.values()} == {"ready"}
    row.holds("all ready")
    assert [len(facts.boxes) for facts in ours.photos.values()].count(0) <= size.photos // 4
    assert ours.found
    row.figure("faces", ours.faces())
    assert ours.differences(quiet(seed, size.photos)) == []
    row.holds("equal to itself")
    for program in ("web", "downloads", "ingest", "selfie", "upkeep", "beat"):
        assert machine.program(program)
    assert len(machine.pool("ingest")) == 2
