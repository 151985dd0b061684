"""Storage that fails: photos are tried again, none is blamed, and a zip breaks where somebody sees it."""

import io
import random
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import requests

from tests import services
from tests.failing import Asked, Failing, Fault, failing
from tests.faults.album import Result, Uploader, photos, result
from tests.faults.conftest import Size
from tests.faults.machine import Machine
from tests.faults.media import files_below
from tests.faults.page import PageUploader
from tests.faults.report import Row

_SHARE = 0.05


def zip_address(uploader: Uploader) -> str:
    made = uploader.photographer.session.post(f"{uploader.photographer.api}/albums/{uploader.album}/archives/", json={})
    assert made.status_code == 201, made.text
    return str(made.json()["url"])


def fetched(uploader: Uploader, address: str) -> tuple[bytes, bool]:
    """As much of a zip as came, and whether it looked complete to whoever fetched it."""
    content = bytearray()
    try:
        with uploader.photographer.session.get(address, stream=True, timeout=60) as answer:
            # Before the first bytes are out it can be said.
            if answer.status_code != 200:
                assert (answer.status_code, answer.json()["code"]) == (503, "zip_unreadable")
                return b"", False
            for chunk in answer.iter_content(65536):
                content += chunk
            return bytes(content), len(content) == int(answer.headers["Content-Length"])
    except requests.RequestException:
        return bytes(content), False


def is_valid(content: bytes, files: dict[str, bytes]) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()} == files
    except zipfile.BadZipFile:
        return False


def breaks_visibly(uploader: Uploader, address: str) -> None:
    content, complete = fetched(uploader, address)
    assert not complete
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(content))


def none_is_blamed(machine: Machine, uploader: Uploader, row: Row, quiet: Result) -> None:
    uploader.wait_until_settled(machine, len(quiet.photos))
    assert result(machine, uploader).differences(quiet) == []
    row.holds("no photo rejected or set aside, result equal")


@contextmanager
def unreadable(files: list[Path]) -> Iterator[None]:
    """A link to itself in place of each: reading it is an I/O error (ELOOP), for root too."""
    for file in files:
        file.rename(file.with_suffix(".away"))
        file.symlink_to(file.name)
    try:
        yield
    finally:
        for file in files:
            file.with_suffix(".away").replace(file)


def spoil_some(originals: Path, done: threading.Event, seed: int, spoilt: list[Path]) -> None:
    """One in twenty, as soon as it is there, and for some seconds."""
    chance, seen = random.Random(seed), set[str]()
    while not done.wait(0.02):
        new = sorted(file for file in files_below(originals) - seen if file.endswith(".jpg"))
        seen.update(new)
        some = [Path(file) for number, file in enumerate(new) if chance.random() < _SHARE or not (spoilt or number)]
        if some:
            spoilt += some
            with unreadable(some):
                time.sleep(chance.uniform(2, 5))


def test_reading_files_fails_now_and_then(
    machine: Machine, row: Row, seed: int, size: Size, quiet: Callable[[int, int], Result]
) -> None:
    """reads of files fail (5 %)."""
    files, spoilt, done = photos(seed, size.photos), list[Path](), threading.Event()
    originals = machine.site.data_dir / "media" / "originals"
    spoiling = threading.Thread(target=spoil_some, args=(originals, done, seed, spoilt))
    spoiling.start()
    uploader = Uploader(machine)
    try:
        uploader.send_all(files, at_once=20)
    finally:
        done.set()
        spoiling.join()
    row.figure("unreadable for a while", len(spoilt))
    row.figure("failed attempts", machine.site.log().count("could not be examined"))
    none_is_blamed(machine, uploader, row, quiet(seed, size.photos))
    address = zip_address(uploader)
    one = sorted(originals.rglob("*.jpg"))[size.photos // 2]
    with unreadable([one]):
        breaks_visibly(uploader, address)
    whole = one.read_bytes()
    one.write_bytes(whole[:-1])
    breaks_visibly(uploader, address)
    one.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    breaks_visibly(uploader, address)
    one.write_bytes(whole)
    row.holds("a zip breaks visibly: unreadable, cut, altered")
    content, complete = fetched(uploader, address)
    assert complete
    assert is_valid(content, files)
    row.holds("and is whole once all can be read")


def some_fail(seed: int) -> Callable[[Asked], Fault | None]:
    chance = random.Random(seed)
    reads, writes = [Fault.SLOW_DOWN, Fault.HANG_UP, Fault.CUT], [Fault.SLOW_DOWN, Fault.HANG_UP]

    def plan(asked: Asked) -> Fault | None:
        kinds = reads if asked.method == "GET" else writes
        return chance.choice(kinds) if chance.random() < _SHARE else None

    return plan


def every_read_of(key: str, fault: Fault) -> Callable[[Asked], Fault | None]:
    return lambda asked: fault if asked.method == "GET" and key in asked.path else None


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[tuple[str, Failing]]:
    with services.s3(tmp_path / "s3") as behind, failing(behind) as (address, told):
        yield address, told


def outage(told: Failing, seconds: float) -> None:
    before, told.plan = told.plan, lambda asked: Fault.SLOW_DOWN
    time.sleep(seconds)
    told.plan = before


def test_a_bucket_fails_now_and_then_and_is_away_for_a_while(
    s3: tuple[str, Failing],
    start: Callable[..., AbstractContextManager[Machine]],
    row: Row,
    seed: int,
    size: Size,
    quiet: Callable[[int, int], Result],
) -> None:
    """S3 fails (5 % of requests, then 503 for all of them)."""
    address, told = s3
    files = photos(seed, size.photos)
    with start(PIXORA_STORAGE=address, **services.S3_CREDENTIALS) as machine:
        uploader = PageUploader(machine, seed)
        told.plan = some_fail(seed)
        sending = threading.Thread(target=uploader.send_all, args=(files,))
        sending.start()
        time.sleep(size.outage / 2)
        outage(told, size.outage)
        sending.join()
        assert len(uploader.acknowledged) == len(files)
        row.figure("requests that failed", told.faults.total())
        row.figure("answers 503", uploader.answers[503])
        assert set(uploader.answers) <= {200, 201, 503}, uploader.answers
        row.holds("uploader completes")
        none_is_blamed(machine, uploader, row, quiet(seed, size.photos))
        wanted = zip_address(uploader)
        content, complete = fetched(uploader, wanted)
        assert complete
        assert is_valid(content, files)
        row.holds("a zip is whole though 5 % fail")
        keys = machine.database.rows("SELECT original_key FROM galleries_photo ORDER BY name")
        one = str(keys[len(keys) // 2][0])
        for fault in (Fault.SLOW_DOWN, Fault.FLIP):
            told.plan = every_read_of(one, fault)
            breaks_visibly(uploader, wanted)
        told.plan = lambda asked: None
        row.holds("and breaks visibly where one cannot be read, or is altered")
        assert "no findings" in machine.site.manage("verify")
        row.holds("verify finds nothing")
