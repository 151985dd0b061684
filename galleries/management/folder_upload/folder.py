"""The folder: which of its files are photos, when one is whole, and what it holds."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

EXTENSIONS = {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".heic", ".heif", ".hif"}
# What programs call a file that they still write, before its extension.
_UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".download", ".crdownload", ".filepart", "~")
_CHUNK = 1 << 18


class Changed(Exception):
    """The file is another one than when it was looked at."""


class Unreadable(Exception):
    """`gone`: it is no longer there."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"The file cannot be read ({error.strerror}).")
        self.gone = isinstance(error, FileNotFoundError)


@dataclass(frozen=True, slots=True)
class File:
    """`name` is its path below the folder, with slashes; `modified` in nanoseconds."""

    path: Path
    name: str
    size: int
    modified: int

    @classmethod
    def at(cls, path: Path, name: str) -> "File":
        """Raises OSError."""
        found = path.stat()
        return cls(path, name, found.st_size, found.st_mtime_ns)

    def again(self) -> "File":
        """The file as it is now. Raises Unreadable."""
        with _told():
            return File.at(self.path, self.name)

    def sha256(self) -> str:
        """Raises Changed, Unreadable."""
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        if self.again() != self:
            raise Changed
        return digest.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """All of its bytes, exactly `size` of them. Raises Changed, Unreadable."""
        left = self.size
        with _told(), self.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise Changed
                yield chunk
        if left:
            raise Changed


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unreadable(error) from error


@dataclass(slots=True)
class Listing:
    """`others`: how many files are no photos by their names; `unreadable`: folders that could not be listed."""

    files: list[File] = field(default_factory=list)
    others: int = 0
    unreadable: list[str] = field(default_factory=list)


def listing(folder: Path) -> Listing:
    """All photos below the folder by their names, in order. Links to folders are not followed: they may lead round."""
    found = Listing()
    for place, folders, names in os.walk(folder, onerror=lambda error: found.unreadable.append(str(error.filename))):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        below = Path(place).relative_to(folder)
        for name in sorted(names):
            if _is_hidden(name):
                continue
            if not is_photo(name):
                found.others += 1
                continue
            path = Path(place) / name
            # It went away just now.
            with suppress(OSError):
                found.files.append(File.at(path, (below / name).as_posix()))
    return found


def is_photo(name: str) -> bool:
    """By its name; what it is, the site sees."""
    path = PurePath(name.lower())
    return path.suffix in EXTENSIONS and not path.stem.endswith(_UNFINISHED) and not name.startswith("~")


def _is_hidden(name: str) -> bool:
    """Besides those with a dot, the previews that some disks' systems keep beside each photo."""
    return name.startswith(".") or name in ("@eaDir", "__MACOSX")


def is_being_written(path: Path) -> bool:
    """Whether a program has it open for writing, as far as one can tell: Linux knows it of a file on a disk of its own.

    It grants a lease for reading only where nobody writes. It is given back at once; who would write meanwhile waits
    that long, and the signal that tells us of it is to be ignored by the caller (SIGIO).
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        # Somebody else's file, or a network's.
        return False
    finally:
        os.close(file)
    return False
