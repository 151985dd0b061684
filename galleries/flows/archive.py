"""Journey three, a zip: a click freezes a list, and the bytes are made while they are sent."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from galleries import access, archives, metrics
from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.models import Album, Archive, Match, Photo, Selfie
from galleries.models.photo import PhotoQuerySet


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
    chosen = list(allowed.in_order())
    if not chosen or (photo_ids is not None and len(chosen) < len(set(photo_ids))):
        raise Refusal("nothing_to_download", "Choose photos that you can download; none, or not all of these are.")
    entries = _entries(chosen, size)
    layout = layout_of(entries)
    metrics.count("zips", size=size)
    return Archive.objects.create(
        album=album, size=size, entries=entries, count=len(entries), bytes=layout.length, **holder
    )


def _entries(photos: list[Photo], size: str) -> list[list[Any]]:
    names = archives.unique_names(_entry_name(photo, size) for photo in photos)
    return [[str(photo.pk), name, *_source(photo, size)] for photo, name in zip(photos, names, strict=True)]


def _entry_name(photo: Photo, size: str) -> str:
    path = f"{photo.folder}/{photo.name}" if photo.folder else photo.name
    if size == Archive.Size.ORIGINAL:
        return path
    return str(PurePosixPath(path).with_suffix(PurePosixPath(photo.preview_key).suffix))


def _source(photo: Photo, size: str) -> tuple[int, int, str, list[list[Any]]]:
    """(bytes, CRC-32, ISO time or "", pieces). An original is one range, the whole file."""
    taken = photo.taken_at.replace(tzinfo=None).isoformat() if photo.taken_at else ""
    if size == Archive.Size.ORIGINAL:
        return photo.size, photo.crc32, taken, [[photo.original_key, 0, photo.size]]
    return photo.preview_size, photo.preview_crc32, taken, [[photo.preview_key, 0, photo.preview_size]]


def layout_of(entries: Iterable[list[Any]]) -> archives.Layout:
    return archives.Layout(
        archives.Entry(
            name=name,
            size=size,
            crc32=crc32,
            modified=datetime.fromisoformat(taken) if taken else None,
            pieces=tuple(archives.Span(*piece) for piece in pieces),
        )
        for _photo, name, size, crc32, taken, pieces in entries
    )


def require_fresh(viewer: Viewer, archive: Archive) -> None:
    """Raises 410 archive_stale once any photo of the list may no longer be had by its holder."""
    wanted = {entry[0] for entry in archive.entries}
    allowed = access.downloadable_by(viewer).filter(album=archive.album_id).values_list("pk", flat=True)
    if not wanted <= {str(pk) for pk in allowed}:
        raise Refusal(
            "archive_stale", "Photos in this zip have changed or gone since it was made. Make a new one.", status=410
        )
