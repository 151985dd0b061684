"""PostgreSQL is killed under load. What was acknowledged is there afterwards, and everything goes on by itself."""

import hashlib
import threading
import time
from collections.abc import Callable

import pytest
import requests

from tests.faults.album import Result, Uploader, photos, result
from tests.faults.claims import write_down_claims
from tests.faults.conftest import Size
from tests.faults.machine import Machine
from tests.faults.report import Row
from tests.faults.servers import Postgres
from tests.running import wait_for

_OUTAGE, _RECOVERY = 20, 15  # seconds


def readiness(machine: Machine) -> int:
    return requests.get(f"{machine.site.url}/readyz", timeout=30).status_code


@pytest.mark.databases("postgresql", short=["postgresql"])
def test_the_database_is_killed_and_comes_back(
    machine: Machine, row: Row, seed: int, size: Size, quiet: Callable[[int, int], Result]
) -> None:
    """PostgreSQL killed and back after 20 s."""
    assert isinstance(machine.database, Postgres)
    write_down_claims(machine.database)
    uploader, files = Uploader(machine), photos(seed, size.small)
    sending = threading.Thread(target=uploader.send_all, args=(files,))
    sending.start()
    wait_for(lambda: len(uploader.acknowledged) >= len(files) // 4, "a part of the upload")
    machine.database.kill()
    killed = time.monotonic()
    wait_for(lambda: readiness(machine) == 503, "the word of /readyz", _OUTAGE)
    row.figure("until /readyz said so", time.monotonic() - killed, "s")
    row.holds("/readyz says so")
    time.sleep(max(0.0, min(_OUTAGE, size.outage) - (time.monotonic() - killed)))
    machine.database.start()
    seconds = recovery(machine, uploader)
    row.figure("recovery", seconds, "s")
    assert seconds <= _RECOVERY * size.slack
    row.holds(f"ready, uploading and indexing again within {_RECOVERY} s")
    sending.join()
    row.figure("retries of the uploader", uploader.retries)
    uploader.wait_until_settled(machine, len(files))
    assert result(machine, uploader).differences(quiet(seed, len(files))) == []
    row.holds("result equal")
    assert uploader.acknowledged <= whole_originals(machine)
    row.holds("no acknowledged upload lost")


def recovery(machine: Machine, uploader: Uploader) -> float:
    """Seconds until the site is ready, an upload is acknowledged and a photo taken up."""
    back, unix, before = time.monotonic(), time.time(), len(uploader.acknowledged)
    claimed = f"SELECT 1 FROM faults_claim WHERE moment > {unix}"
    wait_for(lambda: readiness(machine) == 200, "readiness", 90)
    wait_for(lambda: len(uploader.acknowledged) > before, "an upload", 90)
    wait_for(lambda: machine.database.rows(claimed), "work", 90)
    return time.monotonic() - back


def whole_originals(machine: Machine) -> set[str]:
    """The SHA-256 of the photos whose files are what their rows say."""
    media = machine.site.data_dir / "media"
    rows = machine.database.rows("SELECT original_key, sha256 FROM galleries_photo")
    return {sha for key, sha in rows if hashlib.sha256((media / key).read_bytes()).hexdigest() == sha}
