"""The journeys and the leases once more on a real PostgreSQL, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from tests import services

JOURNEYS = ["races", "leases", "photo_journey", "selfie_journey", "zip_journey", "reindex", "search_index", "api"]
JOURNEYS += ["admission", "large_zips"]


def test_the_journeys_hold_on_postgresql(tmp_path: Path) -> None:
    files = [f"tests/test_{name}.py" for name in JOURNEYS]
    with services.postgres(tmp_path / "postgres") as url:
        done = subprocess.run(
            # The server goes, and the database with it: it need not be dropped before, past whoever is still connected.
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--reuse-db", *files],
            cwd=settings.BASE_DIR,
            env=os.environ | {"DATABASE_URL": url, "PYTEST_ADDOPTS": "", "PYTEST_XDIST_WORKER": ""},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-20_000:]
    assert " passed" in done.stdout
