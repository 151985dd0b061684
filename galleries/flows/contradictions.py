"""Rows that contradict each other: faces, vectors and counts of a photo, kept searches, frozen zips.

Each is judged once as it is read and, if that looks wrong, once more with the photo locked: whoever writes faces or
vectors of a photo holds that lock.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.models import QuerySet

import recognition
from galleries.archives import contents
from galleries.models import Album, Archive, ArchiveSection, EmbeddingBlock, Face, Photo, Selfie

from .verify import Finding, Kind, Report, batches, is_idle

_BATCH = 500
# float32, and averaged over mirrored chips before it was made a unit again.
_LENGTH_OFF = 1e-3


@dataclass
class Seen:
    """What engines saw in one photo: blocks, and the ordinals of the faces."""

    blocks: dict[str, EmbeddingBlock] = field(default_factory=dict)
    faces: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


def check(photos: QuerySet[Photo], report: Report, tick: Callable[[int], None]) -> None:
    for batch in batches(photos, _BATCH):
        suspects = [photo for photo, wrong in _judged(batch) if wrong]
        for suspect in suspects:
            report.findings += _once_more(suspect.pk)
        tick(len(batch))


@transaction.atomic
def _once_more(photo: UUID) -> list[Finding]:
    locked = list(Photo.objects.select_for_update().filter(pk=photo))
    return [finding for _, wrong in _judged(locked) for finding in wrong]


def _judged(photos: list[Photo]) -> list[tuple[Photo, list[Finding]]]:
    albums = Album.objects.in_bulk({photo.album_id for photo in photos})
    seen: dict[UUID, Seen] = defaultdict(Seen)
    for block in EmbeddingBlock.objects.filter(photo__in=photos):
        seen[block.photo_id].blocks[block.engine] = block
    for pk, engine, ordinal in Face.objects.filter(photo__in=photos).values_list("photo", "engine", "ordinal"):
        seen[pk].faces[engine].append(ordinal)
    there = [photo for photo in photos if photo.album_id in albums]
    return [(photo, _wrong_with(photo, albums[photo.album_id], seen[photo.pk])) for photo in there]


def _wrong_with(photo: Photo, album: Album, seen: Seen) -> list[Finding]:
    engines = sorted({*seen.blocks, *seen.faces})
    found = []
    if engines and not (album.face_search and album.deleted_at is None):
        found.append((Kind.FACES_UNWANTED, ", ".join(engines)))
        engines = []
    for engine in engines:
        block = seen.blocks.get(engine)
        if block is None or sorted(seen.faces[engine]) != list(range(block.count)):
            found.append((Kind.FACES_CONTRADICT, engine))
        elif block.album_id != photo.album_id or not is_sound(block):
            found.append((Kind.VECTORS_WRONG, engine))
    found += _wrong_with_answers(photo, album, seen)
    return [Finding(kind, row=str(photo.pk), detail=detail) for kind, detail in found]


def _wrong_with_answers(photo: Photo, album: Album, seen: Seen) -> list[tuple[Kind, str]]:
    """Of a photo that is searched, and at rest: an album that moves to another engine counts by either."""
    if photo.state != Photo.State.READY or photo.fence or not is_idle(photo) or photo.code or album.next_engine:
        return []
    answering = seen.blocks.get(album.engine)
    is_searched = album.face_search and album.deleted_at is None
    if is_searched and answering is None:
        return [(Kind.FACES_MISSING, album.engine)] if _dimension(album.engine) else []
    count = answering.count if answering and is_searched else 0
    return [(Kind.FACE_COUNT_WRONG, f"{photo.face_count} instead of {count}")] if photo.face_count != count else []


def is_sound(block: EmbeddingBlock) -> bool:
    """As many unit vectors and flags as there are faces."""
    vectors, weak = bytes(block.vectors), bytes(block.weak)
    dimension = _dimension(block.engine) or len(vectors) // 4 // max(1, block.count)
    if len(vectors) != block.count * dimension * 4 or len(weak) != block.count or not set(weak) <= {0, 1}:
        return False
    lengths = np.linalg.norm(np.frombuffer(vectors, dtype="<f4").reshape(block.count, dimension), axis=1)
    return bool(np.all(np.abs(lengths - 1) < _LENGTH_OFF))


def _dimension(engine: str) -> int:
    """0 for an engine whose code is gone."""
    try:
        return recognition.engine(engine).dimension if engine else 0
    except recognition.UnknownEngine:
        return 0


def check_searches(searches: QuerySet[Selfie], report: Report) -> None:
    """What a search has kept, two vectors of its engine, it has only while it is open."""
    for selfie in searches.filter(vectors__isnull=False).iterator():
        size = 2 * 4 * _dimension(selfie.engine)
        if selfie.state == Selfie.State.EXPIRED or (size and len(bytes(selfie.vectors or b"")) != size):
            report.findings.append(Finding(Kind.SEARCH_WRONG, row=str(selfie.pk)))


def check_archives(archives: QuerySet[Archive], report: Report) -> None:
    """A frozen entry says what the photo's row says. Photos that have gone make a zip stale, which it says itself."""
    for archive in archives.iterator(chunk_size=10):
        if not all(_agrees(archive, section) for section in archive.sections.iterator(chunk_size=1)):
            report.findings.append(Finding(Kind.ARCHIVE_WRONG, row=str(archive.pk)))


def _agrees(archive: Archive, section: ArchiveSection) -> bool:
    try:
        frozen = dict(zip(map(UUID, section.photos), contents(bytes(section.packed)), strict=True))
    except ValueError:
        return False
    whose = "guest_" if archive.is_stripped else ""
    prefix = whose if archive.size == Archive.Size.ORIGINAL else "preview_"
    kept = f"{prefix}crc32", f"{prefix}size"
    present = Photo.objects.filter(pk__in=frozen, state=Photo.State.READY).values_list("pk", *kept)
    return all(frozen[pk] == tuple(facts) for pk, *facts in present)
