import fcntl
import os
import shutil
import sqlite3
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from galleries.management import backups
from galleries.management.backups import COPY, DATABASE, MEDIA, SECRET_KEY, Entry, Manifest
from galleries.models import Album, EmbeddingBlock, Face, Photo, Selfie

from .backup import only_one_at, progress_of

_THREADS = 4


class Command(BaseCommand):
    help = (
        "Make a data folder of a backup. It is made beside the present one, checked file by file, and put in its place "
        "at the end; the present one is kept under another name."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="the backup")
        parser.add_argument("--into", type=Path, metavar="DATA", help="the data folder; default: PIXORA_DATA_DIR")
        parser.add_argument("--replace", action="store_true", help="a site is there already: take its place")
        parser.add_argument(
            "--end-searches", action="store_true", help="end all searches of guests: some may have withdrawn since"
        )
        parser.add_argument(
            "--incomplete", action="store_true", help="do so though files are missing or damaged; verify names them"
        )

    def handle(
        self,
        *args: Any,
        folder: Path,
        into: Path | None,
        replace: bool,
        end_searches: bool,
        incomplete: bool,
        **options: Any,
    ) -> None:
        os.umask(0o077)
        folder, data = folder.expanduser().resolve(), (into or settings.PIXORA_DATA_DIR).expanduser().resolve()
        refuse_in_use(data)
        if is_used(data) and not replace:
            raise CommandError(f"There is a site in {data}. With --replace this takes its place, and it is kept aside.")
        try:
            manifest = Manifest.read(folder)
        except FileNotFoundError:
            raise CommandError(f"There is no finished backup in {folder}.") from None
        made = data.with_name(f"{data.name}.restoring")
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
        with only_one_at(folder / backups.LOCK):
            fetch(folder, manifest, made, incomplete=incomplete)
        kept, ended = self._prepare(made, data, end_searches=end_searches)
        put_in_place(made, data)
        self.stdout.write(f"{data} is as it was at {manifest.made_at[:19]} UTC. Everybody signs in anew.")
        for aside in sorted(data.parent.glob(f"{data.name}.replaced-*")):
            self.stdout.write(f"What was there before is in {aside}; once nobody misses it: rm -r '{aside}'")
        self.stdout.write(f"Guests' searches: {kept} are back, {ended} were ended.")
        if kept and not end_searches:
            self.stdout.write("Who withdrew since on a site that is lost is among the former; --end-searches ends all.")

    def _prepare(self, made: Path, data: Path, *, end_searches: bool) -> tuple[int, int]:
        """Bring the database up to date, and erase what guests and owners have withdrawn since, as far as is known."""
        with backups.opened(made / DATABASE):
            refuse_damaged()
            call_command("migrate", database=COPY, interactive=False, verbosity=0)
            searches = Selfie.objects.using(COPY).exclude(state=Selfie.State.EXPIRED)
            present = present_database(data)
            forget_faces_of(unsearched_albums(present))
            open_now = set() if end_searches else open_searches(present)
            ended = searches.exclude(pk__in=open_now) if open_now is not None else searches.none()
            gone = ended.count()
            ended.delete()
            return searches.count(), gone


def refuse_in_use(data: Path) -> None:
    lock = data / "serve.lock"
    if lock.exists():
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CommandError(f"Pixora runs with the data folder {data}. Stop it first.") from None


def is_used(data: Path) -> bool:
    """A secret key alone is none: it is made by whatever command comes first."""
    return (data / DATABASE).exists() or (data / MEDIA).exists()


def fetch(folder: Path, manifest: Manifest, made: Path, *, incomplete: bool) -> None:
    """Copy all files, or say which are not as the manifest has them. What an earlier try has copied stays."""
    paths = {path: made / (DATABASE if path == manifest.database else path) for path in manifest.files}
    wanted = set(paths.values())
    if outside := [path for path, target in paths.items() if made not in target.resolve().parents]:
        raise CommandError(f"The backup's manifest names {outside[0]}, which is outside of it.")
    # The database is worked on here, and what else is there is of another backup.
    for left in made.rglob("*"):
        if left.is_file() and (left == made / DATABASE or left not in wanted):
            left.unlink()
    with ThreadPoolExecutor(_THREADS) as pool, progress_of(len(paths)) as tick:
        wrong = []
        for path, right in zip(paths, pool.map(partial(_fetch, folder, manifest), paths.items()), strict=True):
            wrong += [] if right else [path]
            tick(1)
    if wrong and (manifest.database in wrong or not incomplete):
        shown = "\n    ".join(wrong[:50])
        raise CommandError(
            f"{len(wrong)} files of the backup are missing or damaged; nothing was changed:\n    {shown}\n"
            "With --incomplete the site is restored all the same, if the database is sound; then: manage.py verify"
        )


def _fetch(folder: Path, manifest: Manifest, place: tuple[str, Path]) -> bool:
    path, target = place
    wanted = manifest.files[path]
    if target.exists() and backups.entry_of(backups.chunks_of(target)) == wanted:
        return True
    try:
        return _copied(folder / path, target) == wanted
    except FileNotFoundError:
        return False


def _copied(source: Path, target: Path) -> Entry:
    return backups.entry_of(backups.chunks_of(source), target)


def refuse_damaged() -> None:
    with connections[COPY].cursor() as cursor:
        cursor.execute("PRAGMA integrity_check")
        if (answer := cursor.fetchone()[0]) != "ok":
            raise CommandError(f"The backup's database is damaged: {answer}")
    loader = MigrationLoader(connections[COPY])
    if newer := [".".join(name) for name in loader.applied_migrations if name not in loader.disk_migrations]:
        raise CommandError(f"The backup is of a newer Pixora, which knows {', '.join(newer)}.")


def present_database(data: Path) -> Path:
    """That of the site to be replaced; of a restore that broke off at its last step, the one it had put aside."""
    aside = sorted(data.parent.glob(f"{data.name}.replaced-*"))
    return (data if (data / DATABASE).exists() or not aside else aside[-1]) / DATABASE


def open_searches(database: Path) -> set[UUID] | None:
    """The searches that the present site still knows; None where it is not there or cannot be read."""
    return _ids(database, "SELECT id FROM galleries_selfie WHERE state <> 'expired'")


def unsearched_albums(database: Path) -> set[UUID]:
    """Those of the present site that have no face search, or no longer."""
    return _ids(database, "SELECT id FROM galleries_album WHERE NOT face_search") or set()


def _ids(database: Path, query: str) -> set[UUID] | None:
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as present:
            return {UUID(row[0]) for row in present.execute(query)}
    except sqlite3.Error:
        return None


def forget_faces_of(albums: set[UUID]) -> None:
    """Who switched face search off had every vector deleted; switching it on again finds the faces anew."""
    for album in Album.objects.using(COPY).filter(pk__in=albums, face_search=True):
        Face.objects.using(COPY).filter(photo__album=album).delete()
        EmbeddingBlock.objects.using(COPY).filter(album=album).delete()
        Photo.objects.using(COPY).filter(album=album).update(wanted_engine="", face_count=0)
        Album.objects.using(COPY).filter(pk=album.pk).update(face_search=False, engine="", next_engine="")


def put_in_place(made: Path, data: Path) -> None:
    """Each step is one rename: broken off between them, the command finishes when it is given again."""
    if not (made / SECRET_KEY).exists() and (data / SECRET_KEY).exists():
        shutil.copy2(data / SECRET_KEY, made / SECRET_KEY)
    os.sync()
    try:
        if data.exists() and not any(data.iterdir()):
            data.rmdir()
        elif data.exists():
            data.rename(data.with_name(f"{data.name}.replaced-{timezone.now():%Y%m%dT%H%M%S%f}"))
        made.rename(data)
    except OSError as error:
        raise CommandError(f"{made} is ready, but cannot take the place of {data}: {error.strerror}.") from error
