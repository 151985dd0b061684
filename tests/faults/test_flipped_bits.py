"""Bits that flip on the disk: verify names exactly those files, while photos come in and are examined."""

import json
import random
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.album import Uploader, photos
from tests.faults.conftest import Size
from tests.faults.machine import Machine
from tests.faults.report import Row


def flip_a_bit(file: Path, chance: random.Random) -> None:
    content = bytearray(file.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    file.write_bytes(content)


def findings(machine: Machine, out: Path) -> list[tuple[str, str]]:
    """(kind, key) of all that verify finds."""
    out.unlink(missing_ok=True)
    with suppress(subprocess.CalledProcessError):  # So it ends where it found something.
        machine.site.manage("verify", "--json", str(out))
    document = json.loads(out.read_text())
    assert not document["unchecked"]
    return sorted((each["kind"], each["key"]) for each in document["findings"])


@pytest.mark.databases(short=["sqlite"])
def test_verify_finds_every_flipped_bit_and_nothing_else(
    machine: Machine, row: Row, seed: int, size: Size, tmp_path: Path
) -> None:
    """flipped bits in 1 % of originals."""
    files, chance = photos(seed, size.photos), random.Random(seed)
    uploader = Uploader(machine)
    half = dict(list(files.items())[: size.photos // 2])
    uploader.send_all(half, at_once=20)
    uploader.wait_until_settled(machine, len(half))
    assert findings(machine, tmp_path / "before.json") == []
    media = machine.site.data_dir / "media"
    originals = sorted((media / "originals").rglob("*.jpg"))
    flipped = chance.sample(originals, max(2, size.photos // 100))
    for file in flipped:
        flip_a_bit(file, chance)
    rest = {name: data for name, data in files.items() if name not in half}
    sending = threading.Thread(target=uploader.send_all, args=(rest,))
    sending.start()
    runs = 0
    while sending.is_alive() or not runs:
        found = findings(machine, tmp_path / "during.json")
        assert found == sorted(("original_altered", file.relative_to(media).as_posix()) for file in flipped)
        runs += 1
    sending.join()
    row.figure("flipped", len(flipped))
    row.figure("runs of verify during uploads", runs)
    row.holds("all found, no false alarm, also while photos come in")
