"""`manage.py verify` beside a site in full work: uploads, workers, replacements and deletions are no findings."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests import pictures
from tests.photographer import Photographer
from tests.running import Site, environment, running_site, wait_for

RUNS = 4


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Of its own: on the one that tests share, some have put rows without files."""
    with running_site(tmp_path) as site:
        yield site


def picture(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 255, (600, 800, 3), dtype=np.uint8)
    return pictures.jpeg(pixels)


def keep_busy(photographer: Photographer, album: str, number: int, until: threading.Event) -> None:
    """Each round adds three photos, replaces one of the round before and deletes another."""
    before = list[str]()
    while not until.is_set():
        sent = {f"{number + each}.jpg": picture(number + each) for each in range(3)}
        accepted = [each["id"] for each in photographer.upload(album, sent)["accepted"]]
        number += 3
        if before:
            new = {"file": ("again.jpg", picture(1_000_000 + number))}
            address = f"{photographer.api}/albums/{album}/photos/"
            assert photographer.session.post(address, files=new, data={"replaces": before[0]}).status_code == 201
            assert photographer.session.delete(f"{photographer.api}/photos/{before[1]}/").status_code == 204
        before = accepted


def verified(site: Site, out: Path, *options: str) -> None:
    command = [sys.executable, "manage.py", "verify", "--json", str(out), *options]
    done = subprocess.run(command, env=environment(site.data_dir), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_site_in_full_work_gives_no_false_alarm(site: Site, tmp_path: Path) -> None:
    photographer = Photographer(site, "vera@example.org")
    album, done, out = photographer.make_album(), threading.Event(), tmp_path / "verify.json"
    owners = [threading.Thread(target=keep_busy, args=(photographer, album, first, done)) for first in (0, 100_000)]
    for owner in owners:
        owner.start()
    try:
        for run in range(RUNS):
            verified(site, out, *(["--repair"] if run % 2 else []))
    finally:
        done.set()
        for owner in owners:
            owner.join()
    wait_for(lambda: photographer.finished(album), "the album")
    verified(site, out)
    assert json.loads(out.read_text())["checked"]["photos"] > 10
