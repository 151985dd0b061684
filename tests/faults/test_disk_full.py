"""A disk that is full time and again, at moments drawn by chance: uploads and photos wait for room."""

import random
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.faults.album import Result, photos, result, sha256
from tests.faults.conftest import FULL, Size
from tests.faults.machine import Machine
from tests.faults.media import orphans_are_erased, rows, stored, watched
from tests.faults.page import PageUploader
from tests.faults.report import Row

# What a photo of the album takes with its renditions.
_PHOTO_BYTES = 130_000
_MOST_BYTES = 1 << 30
# Parts of the album by which the disk grows.
_GROWTH = (0.04, 0.15) if FULL else (0.25, 0.5)


class Disk:
    """A file system of its own, which takes from nothing but memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.size = 0

    def resize(self, size: int, option: str = "remount,") -> None:
        self.size = size
        mount = ["mount", "-t", "tmpfs", "-o", f"{option}size={size},mode=0700", "tmpfs", str(self.folder)]
        subprocess.run(mount, check=True, capture_output=True)

    def free(self) -> int:
        return shutil.disk_usage(self.folder).free


@contextmanager
def a_disk(folder: Path, size: int) -> Iterator[Disk]:
    folder.mkdir()
    disk = Disk(folder)
    try:
        disk.resize(size, option="")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount a small disk, and not in every container")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path, size: Size) -> Iterator[Disk]:
    """A disk for the media of the site to be started, and with room for few of the album's photos."""
    with a_disk(tmp_path / "disk", _MOST_BYTES) as disk:
        (disk.folder / "media").mkdir(mode=0o700)
        site = tmp_path / "site"
        site.mkdir()
        (site / "media").symlink_to(disk.folder / "media")
        yield disk


def grow_by_chance(disk: Disk, uploader: PageUploader, thread: threading.Thread, photos: int, seed: int) -> int:
    """Whenever uploads have been refused, a little later a little more room; returns how often."""
    chance, times = random.Random(seed), 0
    while thread.is_alive():
        before, deadline = uploader.answers[507], time.monotonic() + 10
        while thread.is_alive() and uploader.answers[507] == before and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 1.5))
        disk.resize(disk.size + int(chance.uniform(*_GROWTH) * photos * _PHOTO_BYTES))
        times += 1
    return times


def upload_into(disk: Disk, room: int, machine: Machine, row: Row, seed: int, files: dict[str, bytes]) -> PageUploader:
    known = {sha256(data) for data in files.values()}
    uploader = PageUploader(machine, seed)
    disk.resize(_MOST_BYTES - disk.free() + room)
    with watched(machine.site.data_dir / "media" / "originals", known) as wrong:
        thread = threading.Thread(target=uploader.send_all, args=(files,))
        thread.start()
        row.figure("times full", grow_by_chance(disk, uploader, thread, len(files), seed))
        thread.join()
        assert wrong == []
    row.figure("answers 507", uploader.answers[507])
    assert uploader.acknowledged == known
    row.holds("uploader completes")
    row.holds("no truncated file at any moment")
    return uploader


def all_is_well(
    disk: Disk, uploader: PageUploader, machine: Machine, row: Row, files: dict[str, bytes], quiet: Result
) -> None:
    disk.resize(_MOST_BYTES)
    uploader.wait_until_settled(machine, len(files))
    orphans_are_erased(machine, row)
    assert stored(machine) == rows(machine)
    assert not list((machine.site.data_dir / "media" / "incoming").iterdir())
    row.holds("SHA-256 right, no file without a row")
    assert result(machine, uploader).differences(quiet) == []
    row.holds("all done once there was room, result equal")


@pytest.mark.databases(short=["sqlite"])
def test_the_disk_of_the_photos_is_full_time_and_again(
    disk: Disk,
    start: Callable[..., AbstractContextManager[Machine]],
    row: Row,
    seed: int,
    size: Size,
    quiet: Callable[[int, int], Result],
) -> None:
    """disk of the photos full at random points."""
    files = photos(seed, size.photos)
    with start(PIXORA_MIN_FREE_BYTES="0") as machine:
        uploader = upload_into(disk, size.photos * _PHOTO_BYTES // 20, machine, row, seed, files)
        assert uploader.problems[507]["code"] == "disk_full"
        assert uploader.problems[507]["detail"].startswith("The server's disk is full")
        assert set(uploader.answers) <= {200, 201, 507}
        row.holds("answered 507")
        all_is_well(disk, uploader, machine, row, files, quiet(seed, size.photos))


@pytest.mark.databases("sqlite", short=["sqlite"])
@pytest.mark.parametrize("reserve", [0, 2_000_000] if FULL else [0])
def test_the_disk_of_photos_and_database_is_full_time_and_again(
    reserve: int,
    disk: Disk,
    start: Callable[..., AbstractContextManager[Machine]],
    row: Row,
    seed: int,
    size: Size,
    quiet: Callable[[int, int], Result],
    tmp_path: Path,
) -> None:
    """disk of photos and database full at random points."""
    row.fault += f" (reserve {reserve // 1_000_000} MB)"
    (tmp_path / "site" / "pixora.sqlite3").symlink_to(disk.folder / "pixora.sqlite3")
    files = photos(seed, size.photos)
    with start(PIXORA_MIN_FREE_BYTES=str(reserve)) as machine:
        uploader = upload_into(disk, reserve + size.photos * _PHOTO_BYTES // 20, machine, row, seed, files)
        assert set(uploader.answers) <= {0, 200, 201, 503, 507}, uploader.problems
        if reserve:
            assert "database or disk is full" not in machine.site.log()
            row.holds("the database could always write")
        all_is_well(disk, uploader, machine, row, files, quiet(seed, size.photos))
