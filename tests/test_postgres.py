"""The journeys once more on a real PostgreSQL, and on a real S3, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from tests import services

ON_POSTGRES = ["races", "leases", "photo_journey", "selfie_journey", "zip_journey", "reindex", "search_index", "api"]
ON_POSTGRES += ["admission", "large_zips", "lock_order", "healing", "arrivals", "guessing", "one_person", "verdicts"]
ON_POSTGRES += ["quotas", "fuzz_states", "idempotency", "conditions", "outgoing", "notices", "people", "webhooks"]
ON_POSTGRES += ["deeds", "desk", "deliveries"]
ON_S3 = ["selfie_journey", "zip_journey", "replacing", "brand"]


def run(names: list[str], **variables: str) -> None:
    files = [f"tests/test_{name}.py" for name in names]
    done = subprocess.run(
        # A server goes, and the database with it: it need not be dropped before, past whoever is still connected.
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--reuse-db", *files],
        cwd=settings.BASE_DIR,
        env=os.environ | variables | {"PYTEST_ADDOPTS": "", "PYTEST_XDIST_WORKER": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:]
    assert " passed" in done.stdout


def test_the_journeys_hold_on_postgresql(tmp_path: Path) -> None:
    with services.postgres(tmp_path / "postgres") as url:
        run(ON_POSTGRES, DATABASE_URL=url)


def test_the_journeys_hold_on_a_bucket(tmp_path: Path) -> None:
    with services.s3(tmp_path / "s3") as address:
        run(ON_S3, PIXORA_STORAGE=address, **services.S3_CREDENTIALS)
