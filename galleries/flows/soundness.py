"""Is a stored file, byte for byte, what its photo's row says of it?"""

import hashlib
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from galleries import storage
from galleries.models import Photo

from . import stripped

_READS = 3


@dataclass(frozen=True, slots=True)
class Expected:
    """A file as its photo's row has it; `sha256` is "" where no row knows it."""

    name: str
    key: str
    size: int
    crc32: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """`what` is missing, altered or unreadable; of what guests download, wrong."""

    file: Expected
    what: str
    detail: str = ""


def files_of(photo: Photo) -> list[Expected]:
    """Renditions are promised by a photo that is ready, and by no other."""
    expected = []
    if photo.original_key:
        expected.append(original_of(photo))
    if photo.state == Photo.State.READY:
        expected.append(Expected("preview", photo.preview_key, photo.preview_size, photo.preview_crc32))
        expected.append(Expected("thumb", photo.thumb_key, photo.thumb_size, photo.thumb_crc32))
    return expected


def original_of(photo: Photo) -> Expected:
    return Expected("original", photo.original_key, photo.size, photo.crc32, photo.sha256)


def fault_of(file: Expected, *, quick: bool) -> Fault | None:
    """Read the file, three times where the storage fails; `quick` asks for its size alone."""
    return _tried(file, lambda: altered(file, quick=quick))


def _tried(file: Expected, look: Callable[[], Fault | None]) -> Fault | None:
    for attempt in range(1, _READS + 1):
        try:
            return look()
        except FileNotFoundError:
            return Fault(file, "missing")
        except storage.ShortRead:
            return Fault(file, "altered", "it is shorter")
        except Exception as error:  # noqa: BLE001 -- each storage fails in its own way; here all mean "not read"
            if attempt == _READS:
                return Fault(file, "unreadable", f"{type(error).__name__}: {error}")
            time.sleep(attempt)
    raise AssertionError


def altered(file: Expected, *, quick: bool = False) -> Fault | None:
    """Raises what the storage raises, FileNotFoundError where there is no such file."""
    size = storage.size(file.key)
    if size != file.size:
        return Fault(file, "altered", f"{size} bytes instead of {file.size}")
    if quick:
        return None
    sha256, crc32 = hashlib.sha256(), 0
    for chunk in storage.open_range(file.key, 0, size):
        crc32 = zlib.crc32(chunk, crc32)
        if file.sha256:
            sha256.update(chunk)
    if crc32 != file.crc32 or (file.sha256 and sha256.hexdigest() != file.sha256):
        return Fault(file, "altered", "other bytes of the same length")
    return None


def faults_of_stripped(photo: Photo, *, quick: bool) -> list[Fault]:
    """Of what guests download of it, whose files are sound; `quick` reads none."""
    if photo.state != Photo.State.READY or not photo.original_key:
        return []
    file = Expected("stripped", photo.original_key, photo.guest_size, photo.guest_crc32)

    def look() -> Fault | None:
        wrong = stripped.contradiction(photo, quick=quick)
        return Fault(file, "wrong", wrong) if wrong else None

    fault = _tried(file, look)
    # One that has gone since it was found sound is told as the original, when its row is looked at again.
    return [fault] if fault and fault.what in ("wrong", "unreadable") else []


def has_sound_original(photo: Photo) -> bool:
    return bool(photo.original_key) and original_fault(photo) is None


def original_fault(photo: Photo) -> Fault | None:
    """By all of its bytes, however quick the rest is. None also where there is to be no original."""
    return fault_of(original_of(photo), quick=False) if photo.original_key else None
