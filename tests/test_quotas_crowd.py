"""Many uploads at once, in processes of their own, on both databases: exactly as many get in as there is room for."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.conf import settings as django_settings

from tests import services

PROCESSES, FILES, PLACES = 4, 200, 10


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of programs that share a database of this kind; empty, with the tables."""
    tmp_path = tmp_path_factory.mktemp("crowd")
    with ExitStack() as stack:
        surroundings = {
            name: value for name, value in os.environ.items() if not name.startswith(("PIXORA_", "DATABASE_"))
        }
        surroundings |= {"PIXORA_DATA_DIR": str(tmp_path / "data"), "DJANGO_SETTINGS_MODULE": "pixora_site.settings"}
        surroundings |= {
            "REDIS_URL": f"unix://{tmp_path}/none",
            "PIXORA_SECRET_KEY": "of these tests alone, and of no site that anybody visits",
        }
        if request.param == "postgresql":
            surroundings["DATABASE_URL"] = stack.enter_context(services.postgres(tmp_path / "postgres"))
        run(["manage.py", "migrate", "--verbosity=0"], surroundings)
        yield surroundings


def run(command: list[str], surroundings: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=django_settings.BASE_DIR,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def said_by(surroundings: dict[str, str], code: str) -> str:
    return run(["manage.py", "shell", "--no-imports", "-c", code], surroundings).strip()


_MAKE = """
from galleries.models import Album, User
user = User.objects.create_user("olga{limit}@example.org", photo_limit={limit})
print(*[Album.objects.create(owner=user, title=str(n)).pk for n in range(2)])
"""
_TELL = """
from galleries.flows.quota import Quota, drifted
from galleries.models import Photo, User
user = User.objects.get(photo_limit={limit})
quota, photos = Quota.of(user.pk), Photo.objects.filter(album__owner=user).exclude(original_key="")
print(quota.photos, quota.bytes, photos.count(), sum(photos.values_list("size", flat=True)), drifted())
"""


def crowd(surroundings: dict[str, str], albums: str, *more: str) -> Counter[str]:
    """What became of all files of all processes, which begin together."""
    share = FILES // PROCESSES
    shares = [(str(n * share), str((n + 1) * share)) for n in range(PROCESSES)]
    commands = [[sys.executable, "-m", "tests.crowd_of_uploads", *each, *albums.split(), *more] for each in shares]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    programs = [
        subprocess.Popen(each, cwd=django_settings.BASE_DIR, env=surroundings, text=True, **pipes) for each in commands
    ]
    for program in programs:
        assert program.stdout.readline().strip() == "ready", program.stderr.read()  # type: ignore[union-attr]
    for program in programs:
        program.stdin.write("go\n")  # type: ignore[union-attr]
        program.stdin.flush()  # type: ignore[union-attr]
    total: Counter[str] = Counter()
    for program in programs:
        out, complaints = program.communicate(timeout=120)
        assert program.returncode == 0, complaints[-4000:]
        total.update({name: int(count) for name, count in (each.split("=") for each in out.split())})
    return total


def test_of_200_files_of_4_processes_exactly_as_many_are_taken_as_there_is_room_for(database: dict[str, str]) -> None:
    albums = said_by(database, _MAKE.format(limit=PLACES))
    assert crowd(database, albums) == {"accepted": PLACES, "quota_photos": FILES - PLACES}
    photos, size, rows, bytes_kept, drift = said_by(database, _TELL.format(limit=PLACES)).split(maxsplit=4)
    assert (photos, rows, size, drift) == (str(PLACES), str(PLACES), bytes_kept, "[]")


def test_while_photos_come_and_go_the_count_stays_right(database: dict[str, str]) -> None:
    albums = said_by(database, _MAKE.format(limit=2))
    total = crowd(database, albums, "delete")
    assert total["accepted"] + total["quota_photos"] == FILES
    assert total["accepted"] >= PROCESSES
    assert said_by(database, _TELL.format(limit=2)) == "0 0 0 0 []"
