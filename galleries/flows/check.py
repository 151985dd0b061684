"""Before an upload: which files the album lacks, and which names it has already."""

from collections.abc import Iterable
from uuid import UUID

from galleries import images, storage
from galleries.models import Album

from . import lost, quota


def missing_of(album: Album, hashes: list[str]) -> tuple[list[str], list[str]]:
    """Split SHA-256 sums into those whose file the album still lacks and those it has.

    Raises OSError ENOSPC where there is no room for those that it lacks.
    """
    stored = set(lost.there(album.photos.filter(sha256__in=hashes)).values_list("sha256", flat=True))
    if missing := [h for h in hashes if h not in stored]:
        # Known before anything has been sent in vain.
        storage.require_room()
    return missing, [h for h in hashes if h in stored]


def without_room(album: Album, sizes: dict[str, int]) -> dict[str, quota.Exceeded]:
    """Of files that the album lacks, by their SHA-256, those beyond the quota of its owner if the others come first."""
    room = quota.Quota.of(album.owner_id)
    return {sha256: exceeded for sha256, size in sizes.items() if (exceeded := room.take(size))}


def namesakes(album: Album, paths: Iterable[str]) -> dict[str, UUID]:
    """Of those paths, the ones whose name and folder a photo of the album has; of several the one that came last."""
    parts = {path: path.replace("\\", "/").rpartition("/") for path in paths}
    wanted = {path: (images.clean_folder(folder), images.clean_name(name)) for path, (folder, _, name) in parts.items()}
    stored = album.photos.exclude(original_key="").filter(name__in={name for _, name in wanted.values()})
    rows = stored.order_by("received_at").values_list("folder", "name", "pk")
    there = {(folder, name): photo for folder, name, photo in rows}
    return {path: there[place] for path, place in wanted.items() if place in there}
