"""Journey three, a zip: a click freezes a list, and the bytes are made while they are sent."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from django.db import transaction

from galleries import access, archives, metrics, stripping
from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.models import Album, Archive, ArchiveSection, Match, Photo, Selfie
from galleries.models.photo import PhotoQuerySet, preview_key

_ID_BYTES = 16


def of_album(viewer: Viewer, album: Album, photo_ids: list[uuid.UUID] | None, size: str) -> Archive:
    """A zip of an own album: the named photos, else all that are ready; originals as they were sent."""
    photos = album.photos.filter(state=Photo.State.READY)
    return _freeze(viewer, album, photos, photo_ids, size, _WHOLE, user=viewer.user)


def of_selfie(viewer: Viewer, selfie: Selfie, photo_ids: list[uuid.UUID] | None, size: str) -> Archive:
    """A zip of a guest's result: the named photos, else the sure and confirmed ones; originals without metadata."""
    if not selfie.link.can_download:
        raise Refusal("download_off", "The photographer has switched off downloads for this link.", status=403)
    certain = Match.objects.filter(selfie=selfie).certain().values("photo")
    photos = selfie.album.photos.all() if photo_ids else selfie.album.photos.filter(pk__in=certain)
    archive = _freeze(viewer, selfie.album, photos, photo_ids, size, _STRIPPED, selfie=selfie, guest=selfie.guest)
    selfie.link.count("zip_count")
    return archive


def _freeze(
    viewer: Viewer,
    album: Album,
    photos: PhotoQuerySet,
    photo_ids: list[uuid.UUID] | None,
    size: str,
    original: "_Content",
    **holder: Any,
) -> Archive:
    allowed = photos.filter(pk__in=access.downloadable_by(viewer).values("pk")).exclude(original_key="")
    if photo_ids is not None:
        allowed = allowed.filter(pk__in=photo_ids)
    included = bytearray()
    content = _PREVIEW if size == Archive.Size.PREVIEW else original
    outline, sections = archives.freeze(_entries(allowed, content, included))
    if not outline.count or (photo_ids is not None and outline.count < len(set(photo_ids))):
        raise Refusal("nothing_to_download", "Choose photos that you can download; none, or not all of these are.")
    metrics.count("zips", size=size)
    return _kept(outline, sections, included, album=album, size=size, **holder)


@transaction.atomic
def _kept(
    outline: archives.Outline, sections: list[archives.FrozenSection], photo_ids: bytearray, **facts: Any
) -> Archive:
    length = archives.Layout.of_frozen(outline, sections).length
    archive = Archive.objects.create(bytes=length, **asdict(outline), **facts)
    ids = (photo_ids[at : at + _ID_BYTES].hex() for at in range(0, len(photo_ids), _ID_BYTES))
    ArchiveSection.objects.bulk_create(
        (
            ArchiveSection(archive=archive, photos=list(islice(ids, archives.SECTION_ENTRIES)), **asdict(section))
            for section in sections
        ),
        batch_size=10,
    )
    return archive


@dataclass(frozen=True, slots=True)
class _Content:
    """What an entry holds of a photo: columns of its row, and what they say of its bytes.

    `read` takes the photo's keys of original and preview and those columns; it gives the size, the CRC-32 and the
    pieces, and whether they are the preview's.
    """

    columns: tuple[str, ...]
    read: Callable[..., tuple[int, int, tuple[archives.Span | bytes, ...], bool]]


def _read_whole(original: str, preview: str, size: int, crc32: int) -> Any:
    return size, crc32, (archives.Span(original, 0, size),), False


def _read_preview(original: str, preview: str, size: int, crc32: int) -> Any:
    return size, crc32, (archives.Span(preview, 0, size),), True


def _read_stripped(original: str, preview: str, size: int, crc32: int, packed: bytes | None) -> Any:
    if packed is None:
        return _read_preview(original, preview, size, crc32)
    return size, crc32, archives.spans(original, stripping.unpack(bytes(packed))), False


_WHOLE = _Content(("size", "crc32"), _read_whole)
_PREVIEW = _Content(("preview_size", "preview_crc32"), _read_preview)
_STRIPPED = _Content(("guest_size", "guest_crc32", "guest_pieces"), _read_stripped)


def _entries(photos: PhotoQuerySet, content: _Content, included: bytearray) -> Iterator[archives.Entry]:
    """Row by row, as 70,000 photos at once would take more memory than the zip; adds their ids to `included`."""
    names = archives.UniqueNames(photos.exclude(folder="").order_by().values_list("folder", flat=True).distinct())
    # Rows, not Photos: half of the time at the click.
    columns = photos.in_order().values_list(
        "album", "pk", "folder", "name", "taken_at", "original_key", *content.columns
    )
    for album_id, pk, folder, name, taken_at, key, *facts in columns.iterator():
        included += pk.bytes
        path = f"{folder}/{name}" if folder else name
        preview = preview_key(album_id, pk)
        size, crc32, pieces, is_preview = content.read(key, preview, *facts)
        if is_preview:
            path = str(PurePosixPath(path).with_suffix(PurePosixPath(preview).suffix))
        taken = taken_at and taken_at.replace(tzinfo=None)
        yield archives.Entry(names.unique(path), size, crc32, taken, pieces)


def layout_of(archive: Archive) -> archives.Layout:
    outline = archives.Outline(archive.count, archive.directory, archive.directory_end, archive.etag)
    return archives.Layout.of_frozen(outline, list(archive.sections.order_by("start").defer("packed", "photos")))


def require_fresh(viewer: Viewer, archive: Archive) -> None:
    """Raises 410 archive_stale once any photo of the list may no longer be had by its holder."""
    allowed = access.downloadable_by(viewer).filter(album=archive.album_id, pk__in=archive.photo_ids)
    if allowed.count() < archive.count:
        raise Refusal(
            "archive_stale", "Photos in this zip have changed or gone since it was made. Make a new one.", status=410
        )
