"""Two beats and two upkeep workers at once, as two machines would run them: everything happens, and once."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings as django_settings

from tests import services
from tests.running import environment

ROOT = Path(django_settings.BASE_DIR)
GUESTS, EXPIRED, DELETED, LEFT = 30, 10, 3, 20
# Work of every kind that a sweep finds; a sweep comes every 15 s, from both beats at the same moment.
PREPARE = f"""
from datetime import timedelta
from django.core.management import call_command
from django.utils import timezone
from galleries import storage
from galleries.models import Album, Erasure, Guest, Link, Photo, Selfie, User, Visit
call_command("migrate", verbosity=0)
now = timezone.now()
owner = User.objects.create_user("olga@example.org")
link = Link.make(Album.objects.create(owner=owner, title="Party"))

def search(**facts):
    guest = Guest.objects.create()
    Visit.objects.create(guest=guest, link=link, unlocked=True)
    facts = {{"expires_at": now + timedelta(days=9), "keep_me_posted": True}} | facts
    made = Selfie.objects.create(album=link.album, link=link, guest=guest, state="done", **facts)
    storage.write(made.scratch_key, b"a face")

for number in range({GUESTS}):
    search(email=f"guest{{number}}@example.org")
for _ in range({EXPIRED}):
    search(vectors=b"1" * 1024, expires_at=now - timedelta(minutes=1))
for number in range({DELETED}):
    album = Album.objects.create(owner=owner, title="Old", deleted_at=now - timedelta(days=8))
    for name in ("a", "b", "c"):
        photo = Photo(album=album, name=name, size=1, sha256=name * 64, crc32=1, state="ready")
        photo.original_key = f"originals/{{album.pk}}/{{photo.pk}}.jpg"
        photo.save()
        storage.write(photo.original_key, b"a photo")
for number in range({LEFT}):
    storage.write(f"originals/left/{{number}}.jpg", b"a photo")
    Erasure.objects.create(keys=[f"originals/left/{{number}}.jpg"])
Erasure.objects.update(created_at=now - timedelta(hours=1))
"""
LEFT_TO_DO = """
from galleries.models import Album, Erasure, Mail, Photo, Selfie
print([Selfie.objects.exclude(state="expired").count(), Album.objects.count(), Photo.objects.count(),
       Erasure.objects.count(), Selfie.objects.mail_due().count() + Mail.objects.waiting().count()])
"""


@contextmanager
def running(programs: list[str], surroundings: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as said:
        commands = [[sys.executable, "manage.py", "serve", program] for program in programs]
        started = [subprocess.Popen(each, cwd=ROOT, env=surroundings, stdout=said, stderr=said) for each in commands]
        try:
            yield
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(60)


def wait_for(wanted: str, found: Callable[[], str]) -> None:
    deadline = time.monotonic() + 180
    while (seen := found()) != wanted:
        assert time.monotonic() < deadline, f"upkeep came to {seen}, not {wanted}"
        time.sleep(3)


def mailed(folder: Path) -> list[str]:
    return sorted(name for each in folder.glob("*") for name in re.findall(r"^To: (\S+)", each.read_text(), re.M))


def test_two_beats_and_two_upkeep_workers_double_nothing(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mails, log = tmp_path / "mails", tmp_path / "log"
    mails.mkdir()
    # A short path, for PostgreSQL's socket.
    with services.postgres(tmp_path_factory.mktemp("pg")) as database, services.redis(tmp_path / "redis") as broker:
        surroundings = environment(
            tmp_path / "data",
            DATABASE_URL=database,
            REDIS_URL=broker,
            EMAIL_URL=f"filemail:///{mails}",
            PIXORA_PUBLIC_URL="http://127.0.0.1:8000",
        )

        def shell(program: str) -> str:
            command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", program]
            done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        shell(PREPARE)
        with running(["beat", "beat", "upkeep", "upkeep"], surroundings, log):
            wait_for(str([GUESTS, 1, 0, 0, 0]), lambda: shell(LEFT_TO_DO))
            # One more sweep of each beat.
            time.sleep(20)
        assert shell(LEFT_TO_DO) == str([GUESTS, 1, 0, 0, 0])
    assert mailed(mails) == sorted(f"guest{number}@example.org" for number in range(GUESTS))
    assert not list((tmp_path / "data" / "media" / "originals").rglob("*.jpg"))
    said = log.read_text()
    assert "failed" not in said
    assert "Traceback" not in said
