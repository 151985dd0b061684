"""A backup of the one-machine site: a folder with a copy of the database, the files that its rows name, and a manifest.

The database is copied first, in one moment; then the files, which are there before their row and never change under a
key. What was deleted between the two is taken out of the copy. The manifest comes last and in one step, so a backup
that breaks off leaves the one before as it was, and the next one goes on where it ended.
"""

import hashlib
import json
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from django.contrib.sessions.models import Session
from django.db import connections
from django.utils import timezone

from galleries import storage
from galleries.flows import lost
from galleries.flows.soundness import Expected, files_of
from galleries.flows.verify import batches
from galleries.models import Album, Arrival, Erasure, Photo, Selfie, Usage

MANIFEST, SECRET_KEY, MEDIA, DATABASE = "manifest.json", "secret_key", "media", "pixora.sqlite3"
_THREADS = 4
# What Django calls the copy of the database while it is worked on.
COPY = "copy"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a file of the backup is; `sha256` is in hexadecimal."""

    size: int
    sha256: str
    crc32: int


@dataclass
class Manifest:
    """Files by their path below the backup's folder; `database` is the path of one of them."""

    made_at: str = ""
    database: str = ""
    files: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Raises FileNotFoundError where no backup was ever finished."""
        said = json.loads((folder / MANIFEST).read_text())
        return cls(said["made_at"], said["database"], {path: Entry(**entry) for path, entry in said["files"].items()})

    def write(self, folder: Path) -> None:
        """Everything else is on the disk before it says so."""
        os.sync()
        part = folder / f"{MANIFEST}.part"
        part.write_text(json.dumps(asdict(self)))
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(folder / MANIFEST)


def entry_of(chunks: Iterable[bytes], target: Path | None = None) -> Entry:
    """Hash the bytes and, with a target, write them there in one step."""
    size, sha256, crc32 = 0, hashlib.sha256(), 0
    part = target.with_name(f"{target.name}.part") if target else Path(os.devnull)
    part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with part.open("wb") as file:
        for chunk in chunks:
            size, crc32 = size + len(chunk), zlib.crc32(chunk, crc32)
            sha256.update(chunk)
            file.write(chunk)
    if target:
        part.replace(target)
    return Entry(size, sha256.hexdigest(), crc32)


def chunks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(storage.CHUNK_BYTES):
            yield chunk


@contextmanager
def opened(database: Path) -> Iterator[str]:
    """Gives the name by which Django knows this SQLite file; it is one file again afterwards."""
    options = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=DELETE; PRAGMA secure_delete=ON;"}
    connections.databases[COPY] = {**connections["default"].settings_dict, "NAME": str(database), "OPTIONS": options}
    try:
        yield COPY
    finally:
        connections[COPY].close()
        del connections[COPY], connections.databases[COPY]


def copy_database(source: Path, target: Path) -> None:
    """As it is at one moment, by SQLite's own online backup; writers go on meanwhile."""
    with (
        closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        live.backup(copy)


@dataclass
class Backup:
    """`dropped` photos were deleted while it was made; `lost` ones have no sound original here."""

    folder: Path
    manifest: Manifest
    before: Manifest
    dropped: int = 0
    lost: list[str] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)

    def forget_what_is_not_kept(self) -> None:
        """Sessions are secrets and short-lived; a guest's picture is never copied, so their waiting search ends."""
        for rows in (Session, Erasure, Arrival):
            rows.objects.using(COPY).all().delete()
        ended = {"state": Selfie.State.FAILED, "code": "search_failed", "fence": None, "lease_until": None}
        Selfie.objects.using(COPY).waiting().filter(vectors=None).update(**ended)

    def copy_photos(self, tick: Callable[[int], None]) -> None:
        with ThreadPoolExecutor(_THREADS) as pool:
            for batch in batches(Photo.objects.using(COPY)):
                for photo, failed in zip(batch, pool.map(self._copy_photo, batch), strict=True):
                    if failed:
                        self._account_for(photo, failed)
                tick(len(batch))

    def copy_logos(self) -> None:
        for album in Album.objects.using(COPY).exclude(logo_key=""):
            try:
                self._copy(album.logo_key, lambda known: True)
            except FileNotFoundError:
                gone = {"logo_key": "", "logo_width": 0, "logo_height": 0}
                Album.objects.using(COPY).filter(pk=album.pk).update(**gone)

    def _copy_photo(self, photo: Photo) -> set[str]:
        """The names of those of its files that are not as the row says: "original", "preview", "thumb"."""
        failed = {file.name for file in files_of(photo) if not self._is_kept(file)}
        # Of an original that is lost here, an earlier backup may have a copy, which stays; its row says the rest.
        return failed - {"original"} if photo.code in lost.WORDS else failed

    def _is_kept(self, file: Expected) -> bool:
        try:
            return self._copy(file.key, partial(_is_as_expected, file))
        except (FileNotFoundError, storage.ShortRead):
            return False

    def _copy(self, key: str, is_right: Callable[[Entry], bool]) -> bool:
        """A copy that is right stays, of this or an earlier backup; no wrong one takes its place."""
        path = f"{MEDIA}/{key}"
        target = self.folder / path
        entry = self.before.files.get(path)
        if entry is None or not target.exists() or target.stat().st_size != entry.size:
            entry = entry_of(chunks_of(target)) if target.exists() else None
        if entry is None or not is_right(entry):
            fresh = self.folder / f"{path}.fresh"
            entry = entry_of(storage.open_range(key, 0, storage.size(key)), fresh)
            if not is_right(entry):
                fresh.unlink()
                return False
            fresh.replace(target)
            self.copied.append(path)
        self.manifest.files[path] = entry
        return True

    def _account_for(self, photo: Photo, failed: set[str]) -> None:
        rows = Photo.objects.using(COPY).filter(pk=photo.pk)
        # Counted anew when it is next asked for.
        Usage.objects.using(COPY).filter(user__albums=photo.album_id).delete()
        if not Photo.objects.filter(pk=photo.pk).exists():
            self.dropped += 1
            rows.delete()
            for key in photo.stored_keys():
                self.manifest.files.pop(f"{MEDIA}/{key}", None)
        elif "original" not in failed:
            # Just being made again, or damaged here: made again after a restore.
            rows.update(state=Photo.State.UPLOADED)
        elif photo.state == Photo.State.REJECTED:
            rows.update(original_key="")
        else:
            self.lost.append(str(photo.pk))
            told = {"code": lost.LOST, "detail": lost.WORDS[lost.LOST], "wanted_engine": ""}
            rows.update(state=Photo.State.QUARANTINED, **told)

    def prune(self) -> None:
        """What the manifest does not name: what was deleted on the site goes from its backup too."""
        named = {self.folder / path for path in self.manifest.files} | {self.folder / MANIFEST}
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
            elif path.is_file() and path not in named and path.name != LOCK:
                path.unlink()


LOCK = ".lock"


def _is_as_expected(file: Expected, entry: Entry) -> bool:
    return (entry.size, entry.crc32) == (file.size, file.crc32) and file.sha256 in ("", entry.sha256)


def make(folder: Path, data: Path, database: Path, *, secrets: bool, tick: Callable[[int], None]) -> Backup:
    """Make the folder a backup of the data folder as it is now."""
    try:
        before = Manifest.read(folder)
    except FileNotFoundError:
        before = Manifest()
    now = timezone.now()
    name = f"pixora-{now:%Y%m%dT%H%M%S%f}.sqlite3"
    backup = Backup(folder, Manifest(now.isoformat(), name), before)
    copy_database(database, folder / name)
    with opened(folder / name):
        backup.forget_what_is_not_kept()
        backup.copy_photos(tick)
        backup.copy_logos()
    backup.manifest.files[name] = entry_of(chunks_of(folder / name))
    if secrets and (data / SECRET_KEY).exists():
        backup.manifest.files[SECRET_KEY] = entry_of(chunks_of(data / SECRET_KEY), folder / SECRET_KEY)
    backup.manifest.write(folder)
    backup.prune()
    return backup
