"""Are all files there and as their rows say, and does every file belong to a row? The site may run meanwhile.

What is just received, worked at or deleted looks like a fault for a moment. So the file is always read first and its
row once more after it, and only a fault of a row that stood still is told: whatever moves a file changes its row, its
arrival or its erasure before or with it (models/erasure.py).
"""

import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from galleries import storage
from galleries.models import Album, Arrival, Erasure, Photo, Selfie
from galleries.models.lease import from_now

from . import lost, quota, soundness
from .soundness import Fault, fault_of, files_of
from .upkeep import ARRIVAL_SECONDS, INCOMING_SECONDS, LEFT_SECONDS, SCRATCH_SECONDS

# Reading waits for the disk or the network, and hashing lets other threads run.
_THREADS = 4
_BATCH = 200
_LOOKS = 5
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_Row = TypeVar("_Row", bound=Model)


class Kind(StrEnum):
    ORIGINAL_MISSING = "original_missing"
    ORIGINAL_ALTERED = "original_altered"
    ORIGINAL_FOUND = "original_found"
    PREVIEW_MISSING = "preview_missing"
    PREVIEW_ALTERED = "preview_altered"
    THUMB_MISSING = "thumb_missing"
    THUMB_ALTERED = "thumb_altered"
    STRIPPED_WRONG = "stripped_wrong"
    LOGO_MISSING = "logo_missing"
    LOGO_ALTERED = "logo_altered"
    SCRATCH_MISSING = "scratch_missing"
    ORPHAN = "orphan"
    SCRATCH_LEFT = "scratch_left"
    TEMPORARY_LEFT = "temporary_left"
    ERASURE_LEFT = "erasure_left"
    ARRIVAL_LEFT = "arrival_left"
    VECTORS_WRONG = "vectors_wrong"
    FACES_CONTRADICT = "faces_contradict"
    FACES_UNWANTED = "faces_unwanted"
    FACES_MISSING = "faces_missing"
    FACE_COUNT_WRONG = "face_count_wrong"
    SEARCH_WRONG = "search_wrong"
    ARCHIVE_WRONG = "archive_wrong"
    USAGE_WRONG = "usage_wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """`row` is the id of the photo, album, search, zip, erasure, arrival or user that it is about."""

    kind: Kind
    key: str = ""
    row: str = ""
    detail: str = ""


@dataclass
class Report:
    """`unchecked` holds keys that could not be read, and why; `bytes` were read."""

    findings: list[Finding] = field(default_factory=list)
    unchecked: dict[str, str] = field(default_factory=dict)
    photos: int = 0
    files: int = 0
    bytes: int = 0


def check_photos(photos: QuerySet[Photo], report: Report, *, quick: bool, tick: Callable[[int], None]) -> None:
    """Every row of the photos against its files."""
    with ThreadPoolExecutor(_THREADS) as pool:
        look = partial(_faults, quick=quick)
        for batch in batches(photos):
            for photo, faults in zip(batch, pool.map(look, batch), strict=True):
                report.photos += 1
                report.files += len(files_of(photo))
                report.bytes += 0 if quick else sum(file.size for file in files_of(photo))
                if faults or photo.code in lost.WORDS:
                    _tell(photo, report, quick=quick)
            tick(len(batch))


def _faults(photo: Photo, *, quick: bool) -> list[Fault]:
    faults = [fault for file in files_of(photo) if (fault := fault_of(file, quick=quick))]
    # Of a file that is not as it was sent, nothing else is to be said.
    return faults or soundness.faults_of_stripped(photo, quick=quick)


def _tell(photo: Photo, report: Report, *, quick: bool) -> None:
    """Look again until the row stood still while its files were read. Renditions in work are the worker's."""
    for _ in range(_LOOKS):
        before = Photo.objects.filter(pk=photo.pk).first()
        faults = _faults(before, quick=quick) if before else []
        after = Photo.objects.filter(pk=photo.pk).first()
        if before is None or after is None:
            return
        if _state(before) == _state(after):
            _add(after, faults, report)
            return


def _state(photo: Photo) -> tuple[object, ...]:
    stripped = photo.guest_pieces, photo.guest_size, photo.guest_crc32
    return photo.state, photo.code, photo.fence, photo.wanted_engine, *stripped, *files_of(photo)


def is_idle(photo: Photo) -> bool:
    """No worker is at it, nor will one come."""
    return photo.state not in (Photo.State.UPLOADED, Photo.State.PROCESSING) and not photo.wanted_engine


def _add(photo: Photo, faults: list[Fault], report: Report) -> None:
    for fault in faults:
        if fault.what == "unreadable":
            report.unchecked[fault.file.key] = fault.detail
        elif fault.file.name == "original" or (is_idle(photo) and photo.fence is None):
            kind = Kind(f"{fault.file.name}_{fault.what}")
            report.findings.append(Finding(kind, fault.file.key, str(photo.pk), fault.detail))
    if photo.code in lost.WORDS and soundness.has_sound_original(photo):
        report.findings.append(Finding(Kind.ORIGINAL_FOUND, photo.original_key, str(photo.pk)))


def check_logos(albums: QuerySet[Album], report: Report, *, quick: bool) -> None:
    for album in albums.exclude(logo_key="").iterator():
        report.files += 1
        try:
            kind = None if quick and storage.size(album.logo_key) else _png_fault(album.logo_key)
        except FileNotFoundError:
            kind = Kind.LOGO_MISSING
        except Exception as error:  # noqa: BLE001 -- as above
            report.unchecked[album.logo_key] = f"{type(error).__name__}: {error}"
            continue
        if kind and Album.objects.filter(pk=album.pk, logo_key=album.logo_key).exists():
            report.findings.append(Finding(kind, album.logo_key, str(album.pk)))


def _png_fault(key: str) -> Kind | None:
    """A PNG carries a CRC-32 of each of its chunks; a logo is small."""
    data = storage.read(key)
    place = len(_SIGNATURE)
    while data[:8] == _SIGNATURE and place + 12 <= len(data):
        end = place + 8 + int.from_bytes(data[place : place + 4])
        if zlib.crc32(data[place + 4 : end]) != int.from_bytes(data[end : end + 4]):
            break
        if data[place + 4 : place + 8] == b"IEND":
            return None
        place = end + 4
    return Kind.LOGO_ALTERED


_PHOTO = re.compile(r"(?:originals|renditions)/[^/]+/([0-9a-f-]{36})[^/]*")
_LOGO = re.compile(r"renditions/([0-9a-f-]{36})/logo-[^/]+")
_SELFIE = re.compile(r"selfies/([0-9a-f-]{36})")


def check_keys(prefixes: Iterable[str], report: Report, tick: Callable[[int], None]) -> None:
    """Every file against the rows."""
    for prefix in prefixes:
        found = storage.walk(prefix)
        while batch := list(islice(found, _BATCH)):
            for each in strangers(batch):
                kind = Kind.SCRATCH_LEFT if each.key.startswith("selfies/") else Kind.ORPHAN
                report.findings.append(Finding(kind, each.key, detail=f"{each.size} bytes"))
            tick(len(batch))


def strangers(found: list[storage.Stored]) -> list[storage.Stored]:
    """Those that have neither a row nor an arrival nor an erasure, and are still there.

    In this order: a file's arrival goes when its row comes, its row when its erasure comes, and its erasure last.
    """
    keys = {each.key for each in found}
    keys -= set(Arrival.objects.filter(key__in=keys).values_list("key", flat=True))
    keys -= _owned(keys)
    if keys:
        keys -= {key for erased in Erasure.objects.values_list("keys", flat=True) for key in erased}
    # A selfie is stored before its search is committed, and has no arrival.
    young = time.time() - SCRATCH_SECONDS
    fresh = {each.key for each in found if each.key.startswith("selfies/") and each.modified.timestamp() > young}
    return [each for each in found if each.key in keys - fresh and storage.exists(each.key)]


def _owned(keys: set[str]) -> set[str]:
    photos = Photo.objects.filter(pk__in=_ids(_PHOTO, keys)).only("pk", "album", "original_key")
    albums = Album.objects.filter(pk__in=_ids(_LOGO, keys)).exclude(logo_key="")
    running = Selfie.objects.filter(pk__in=_ids(_SELFIE, keys), state__in=Selfie.WAITING).only("pk")
    return (
        {key for photo in photos for key in photo.stored_keys()}
        | set(albums.values_list("logo_key", flat=True))
        | {selfie.scratch_key for selfie in running}
    )


def _ids(pattern: re.Pattern[str], keys: Iterable[str]) -> set[UUID]:
    found = set()
    for key in keys:
        if match := pattern.fullmatch(key):
            try:
                found.add(UUID(match[1]))
            except ValueError:
                continue
    return found


def check_searches(searches: QuerySet[Selfie], report: Report) -> None:
    """A search that waits has its picture."""
    for selfie in searches.filter(state__in=Selfie.WAITING, vectors=None).only("pk").iterator():
        if not storage.exists(selfie.scratch_key) and searches.filter(pk=selfie.pk, state__in=Selfie.WAITING).exists():
            report.findings.append(Finding(Kind.SCRATCH_MISSING, selfie.scratch_key, str(selfie.pk)))


def check_left(report: Report) -> None:
    """What upkeep should have finished long ago."""
    for erasure in Erasure.objects.filter(created_at__lt=from_now(-4 * LEFT_SECONDS)):
        report.findings.append(Finding(Kind.ERASURE_LEFT, row=str(erasure.pk), detail=f"{len(erasure.keys)} files"))
    for arrival in Arrival.objects.filter(created_at__lt=from_now(-ARRIVAL_SECONDS - 4 * LEFT_SECONDS)):
        report.findings.append(Finding(Kind.ARRIVAL_LEFT, arrival.key, str(arrival.pk)))
    if forgotten := storage.forgotten_incoming(INCOMING_SECONDS + 4 * LEFT_SECONDS):
        report.findings.append(Finding(Kind.TEMPORARY_LEFT, detail=f"{len(forgotten)} files"))


def check_usage(report: Report) -> None:
    report.findings += [Finding(Kind.USAGE_WRONG, row=str(each.user), detail=each.words) for each in quota.drifted()]


def batches(rows: QuerySet[_Row], size: int = _BATCH) -> Iterator[list[_Row]]:
    """By primary key, so that no query stays open while files are read."""
    last = Q()
    while batch := list(rows.filter(last).order_by("pk")[:size]):
        yield batch
        last = Q(pk__gt=batch[-1].pk)
