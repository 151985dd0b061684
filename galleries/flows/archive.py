"""Journey three, a zip: a click freezes a list, and the bytes are made while they are sent."""

import uuid
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from django.db import transaction

from galleries import access, archives
from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.models import Album, Archive, ArchiveSection, Match, Photo, Selfie
from galleries.models.photo import PhotoQuerySet, preview_key

_ID_BYTES = 16


def of_album(viewer: Viewer, album: Album, photo_ids: list[uuid.UUID] | None, size: str) -> Archive:
    """A zip of an own album: the named photos, else all that are ready."""
    photos = album.photos.filter(state=Photo.State.READY)
    return _freeze(viewer, album, photos, photo_ids, size, user=viewer.user)


def of_selfie(viewer: Viewer, selfie: Selfie, photo_ids: list[uuid.UUID] | None, size: str) -> Archive:
    """A zip of a guest's result: the named photos, else the sure and confirmed ones."""
    if not selfie.link.can_download:
        raise Refusal("download_off", "The photographer has switched off downloads for this link.", status=403)
    certain = Match.objects.filter(selfie=selfie).certain().values("photo")
    photos = selfie.album.photos.all() if photo_ids else selfie.album.photos.filter(pk__in=certain)
    archive = _freeze(viewer, selfie.album, photos, photo_ids, size, selfie=selfie, guest=selfie.guest)
    selfie.link.count("zip_count")
    return archive


def _freeze(
    viewer: Viewer, album: Album, photos: PhotoQuerySet, photo_ids: list[uuid.UUID] | None, size: str, **holder: Any
) -> Archive:
    allowed = photos.filter(pk__in=access.downloadable_by(viewer).values("pk")).exclude(original_key="")
    if photo_ids is not None:
        allowed = allowed.filter(pk__in=photo_ids)
    included = bytearray()
    outline, sections = archives.freeze(_entries(allowed, size, included))
    if not outline.count or (photo_ids is not None and outline.count < len(set(photo_ids))):
        raise Refusal("nothing_to_download", "Choose photos that you can download; none, or not all of these are.")
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


def _entries(photos: PhotoQuerySet, size: str, included: bytearray) -> Iterator[archives.Entry]:
    """Row by row, as 70,000 photos at once would take more memory than the zip; adds their ids to `included`."""
    names = archives.UniqueNames(photos.exclude(folder="").order_by().values_list("folder", flat=True).distinct())
    content = ("preview_size", "preview_crc32") if size == Archive.Size.PREVIEW else ("size", "crc32")
    # Rows, not Photos: half of the time at the click.
    columns = photos.in_order().values_list("album", "pk", "folder", "name", "taken_at", "original_key", *content)
    for album_id, pk, folder, name, taken_at, key, length, crc32 in columns.iterator():
        included += pk.bytes
        path = f"{folder}/{name}" if folder else name
        if size == Archive.Size.PREVIEW:
            key = preview_key(album_id, pk)
            path = str(PurePosixPath(path).with_suffix(PurePosixPath(key).suffix))
        taken = taken_at and taken_at.replace(tzinfo=None)
        # An original is one range, the whole file.
        yield archives.Entry(names.unique(path), length, crc32, taken, (archives.Span(key, 0, length),))


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
