import fcntl
import os
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from galleries.management import backups
from galleries.models import Photo


class Command(BaseCommand):
    help = (
        "Copy the database, the photos and the secret key into a folder, while the site runs. The same folder again "
        "copies only what is new, and removes what has been deleted since."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--no-secrets", action="store_true", help="without the secret key, to be kept elsewhere")

    def handle(self, *args: Any, folder: Path, no_secrets: bool, **options: Any) -> None:
        os.umask(0o077)
        folder, data = folder.expanduser().resolve(), settings.PIXORA_DATA_DIR
        if connection.vendor != "sqlite" or settings.PIXORA_STORAGE:
            raise CommandError(
                "This is for SQLite and files. For PostgreSQL or S3 see OPERATING.md, Back up and restore."
            )
        if data == folder or data in folder.parents:
            raise CommandError(f"{folder} is inside the data folder: it would be lost with it.")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / backups.LOCK).exists():
            raise CommandError(f"{folder} is not empty, and no backup of Pixora's.")
        with only_one_at(folder / backups.LOCK), progress_of(Photo.objects.count()) as tick:
            database = Path(connection.settings_dict["NAME"])
            backup = backups.make(folder, data, database, secrets=not no_secrets, tick=tick)
        self._say(backup)

    def _say(self, backup: backups.Backup) -> None:
        files = backup.manifest.files
        size = sum(entry.size for entry in files.values()) / 1e6
        self.stdout.write(f"{len(files)} files, {size:.1f} MB; {len(backup.copied)} of them were new.")
        if backup.dropped:
            self.stdout.write(f"{backup.dropped} photos were deleted meanwhile, and are not in it.")
        if backups.SECRET_KEY not in files:
            self.stdout.write("The secret key is not in it: without it, links cannot be shown again.")
        if backup.lost:
            shown = "\n    ".join(backup.lost)
            self.stdout.write(f"{len(backup.lost)} photos have no sound original (manage.py verify):\n    {shown}")
            raise SystemExit(1)


@contextmanager
def only_one_at(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"{lock.parent} is in use by another backup or restore.") from None
        yield


@contextmanager
def progress_of(total: int) -> Iterator[Any]:
    columns = (TextColumn("photos"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("photos", total=total)
        yield lambda count: progress.advance(task, count)
