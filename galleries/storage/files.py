"""Keys -> files below `PIXORA_DATA_DIR`/media, written atomically and readable by this user alone."""

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from .contract import ShortRead, Stored, checked, is_key
from .folders import make_folder, root, sync_folder
from .incoming import CHUNK_BYTES, FOLDER, Received


def path(key: str) -> Path:
    """Where `key` lies on this machine, whether it exists or not. Raises ValueError for what is no key."""
    return root() / checked(key)


class Files:
    def adopt(self, received: Received, key: str) -> None:
        target = path(key)
        with _folders(fcntl.LOCK_SH):
            make_folder(target.parent)
            received.path.replace(target)
            sync_folder(target.parent)

    def read(self, key: str) -> bytes:
        return path(key).read_bytes()

    def size(self, key: str) -> int:
        return path(key).stat().st_size

    def exists(self, key: str) -> bool:
        return path(key).is_file()

    def open_range(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        with path(key).open("rb") as file:
            file.seek(offset)
            while length:
                chunk = file.read(min(length, CHUNK_BYTES))
                if not chunk:
                    raise ShortRead(f"{key} ends {length} bytes too early")
                length -= len(chunk)
                yield chunk

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        # In a zip of 70,000, a Path and a file object cost more than the bytes.
        descriptor = os.open(f"{settings.PIXORA_DATA_DIR}/media/{checked(key)}", os.O_RDONLY)
        try:
            data = os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)
        if len(data) < length:
            raise ShortRead(f"{key} ends {length - len(data)} bytes too early")
        return data

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        yield path(key)

    def delete(self, keys: Iterable[str]) -> None:
        """One that cannot be removed keeps no other; the last such error is raised at the end."""
        paths, failed = [path(key) for key in keys], None
        for each in paths:
            try:
                each.unlink(missing_ok=True)
            except OSError as error:
                failed = error
        with _folders(fcntl.LOCK_EX):
            for folder in {each.parent for each in paths}:
                _remove_emptied(folder)
        if failed:
            raise failed

    def older_than(self, folder: str, seconds: float) -> list[str]:
        oldest = time.time() - seconds
        found = []
        for each in path(folder).glob("*"):
            with suppress(FileNotFoundError):
                if each.is_file() and each.stat().st_mtime <= oldest:
                    found.append(f"{folder}/{each.name}")
        return found

    def walk(self, prefix: str) -> Iterator[Stored]:
        for folder, folders, names in os.walk(root()):
            if folder == str(root()) and FOLDER in folders:
                folders.remove(FOLDER)
            for name in sorted(names):
                key = str((Path(folder) / name).relative_to(root()))
                if key.startswith(prefix) and is_key(key):
                    with suppress(FileNotFoundError):
                        facts = (root() / key).stat()
                        yield Stored(key, facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC))
            folders[:] = [each for each in sorted(folders) if _may_hold(Path(folder) / each, prefix)]

    def internal_address(self, key: str, content_type: str) -> str:
        return f"/protected/{checked(key)}"


def _may_hold(folder: Path, prefix: str) -> bool:
    """Whether keys below `folder` can begin with `prefix`."""
    start = f"{folder.relative_to(root())}/"
    return start.startswith(prefix) or prefix.startswith(start)


@contextmanager
def _folders(mode: int) -> Iterator[None]:
    """Many may place files at once; whoever removes emptied folders is alone, or a file could lose the folder that was
    just made for it. Held by this user's processes on this machine, and given back by the kernel if one dies.
    """
    make_folder(root())
    descriptor = os.open(root(), os.O_RDONLY)
    try:
        fcntl.flock(descriptor, mode)
        yield
    finally:
        # Not by closing alone: a child forked just now would go on holding it.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _remove_emptied(folder: Path) -> None:
    """Upwards until one still holds something; the root stays."""
    while folder != root():
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = folder.parent
