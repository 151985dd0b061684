"""Beat and upkeep started twice, as by a mistake in a deployment: everything is done once."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
import requests

from tests import pictures
from tests.faults.album import Result, Uploader, found_by, photos, result
from tests.faults.conftest import Size
from tests.faults.machine import Machine
from tests.faults.report import Row
from tests.running import wait_for

_GUESTS = 8
_ROUNDS = 25  # seconds, in which both sweep twice at least


@pytest.fixture
def mails(tmp_path: Path) -> Path:
    folder = tmp_path / "mails"
    folder.mkdir()
    return folder


@pytest.fixture
def doubled(start: Callable[..., AbstractContextManager[Machine]], mails: Path, tmp_path: Path) -> Iterator[Machine]:
    """A site with two beats and two upkeeps, that writes its mails to files."""
    public = {"EMAIL_URL": f"filemail:///{mails}", "PIXORA_PUBLIC_URL": "http://localhost"}
    beat = ["-m", "celery", "--app=pixora_site", "beat", f"--schedule={tmp_path / 'second-beat'}", "--pidfile="]
    with start(**public, PIXORA_ALLOWED_HOSTS="127.0.0.1") as machine, ExitStack() as stack:
        stack.enter_context(machine.another(*beat))
        stack.enter_context(machine.another("manage.py", "serve", "upkeep"))
        yield machine


@pytest.mark.databases(short=[])
def test_two_sweepers_at_once(
    doubled: Machine, row: Row, seed: int, size: Size, quiet: Callable[[int, int], Result], mails: Path
) -> None:
    """two sweepers at the same time."""
    uploader, files = Uploader(doubled), photos(seed, size.small)
    names = list(files)
    half = len(names) // 2
    uploader.send_all({name: files[name] for name in names[:half]}, at_once=5)
    uploader.wait_until_settled(doubled, half)
    ask_for_mail(uploader, doubled)
    wait_for(lambda: sent(mails) >= _GUESTS, "a question to each guest")
    doubled.database.execute("UPDATE galleries_selfie SET email_confirmed_at = email_told_at")
    uploader.send_all({name: files[name] for name in names[half:]}, at_once=5)
    uploader.wait_until_settled(doubled, len(files))
    doubled.database.execute("UPDATE galleries_selfie SET email_rest_until = NULL")
    wait_for(lambda: sent(mails) >= 2 * _GUESTS, "a mail of new photos to each guest")
    time.sleep(_ROUNDS)
    row.figure("mails", sent(mails))
    assert sent(mails) == 2 * _GUESTS
    row.holds("each mail once")
    assert result(doubled, uploader).differences(quiet(seed, len(files))) == []
    row.holds("result equal")


def ask_for_mail(uploader: Uploader, machine: Machine) -> None:
    """As many guests search, each with an address of their own."""
    address = f"{uploader.photographer.api}/links/{uploader.photographer.link(uploader.album)}/selfies/"
    for _ in range(_GUESTS):
        fields = {"consent": "true", "keep_me_posted": "true"}
        sent = requests.post(address, fields, files={"selfie": ("me.jpg", pictures.selfie_jpeg())}, timeout=60).json()
        assert found_by(sent["url"], sent["guest_key"])
    machine.database.execute("UPDATE galleries_selfie SET email = CAST(id AS text) || '@example.org'")


def sent(mails: Path) -> int:
    return sum(path.read_text().count("\nTo: ") for path in mails.iterdir())
