"""Albums with as many stored photos as wanted, without a worker: rows, and files that take no disk."""

import os
import uuid
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from django.core.management import call_command
from django.urls import reverse

from galleries import images, storage
from galleries.access import Viewer
from galleries.flows import archive as archive_flow
from galleries.models import Album, ApiToken, Link, Photo, User

from . import ours
from .site import Headers

_AT_ONCE = 1000
# Entries beyond so many are links to those, or the largest zip would not fit into the memory that files are read from.
_DISTINCT = 10_000


@dataclass(frozen=True, slots=True)
class Zip:
    """Addresses of a zip and of one stored file as large as it, and what to send with a request."""

    bundle: str
    whole: str
    headers: Headers
    size: int


def prepare() -> None:
    """The site's own tables and weights, and somebody who owns albums; no engine is loaded for it."""
    call_command("serve", prepare=True)
    User.objects.create_user(ours.OWNER)


def zip_of_zeros(entries: int, size: int) -> Zip:
    """So many entries of `size` bytes, files with nothing but a hole in them, as is the whole one."""
    album = _album()
    crc32 = zlib.crc32(bytes(size))
    holes = [_hole(album, f"DSC{number:05}.jpg", size, crc32) for number in range(min(entries, _DISTINCT))]
    names = ((f"DSC{number:05}.jpg", holes[number % _DISTINCT]) for number in range(len(holes), entries))
    _add(chain(holes, (_link(album, name, hole) for name, hole in names)))
    return _zip(album)


def zip_of_noise(entries: int, size: int) -> Zip:
    """Bytes that tell where they come from: every entry begins elsewhere in the same noise."""
    album, noise = _album(), os.urandom(size * 2)
    _add(_stored(album, f"DSC{number:05}.jpg", noise[number * 7 % size :][:size]) for number in range(entries))
    return _zip(album)


def _zip(album: Album) -> Zip:
    archive = archive_flow.of_album(Viewer(album.owner), album, None, "original")
    whole = _hole(album, "whole.jpg", archive.bytes, 0)
    whole.save(force_insert=True)
    _, token = ApiToken.objects.create(user=album.owner)
    addresses = reverse("api:archive", args=[archive.pk]), reverse("api:photo-original", args=[whole.pk])
    return Zip(*addresses, {"Authorization": f"Token {token}"}, archive.bytes)


def _album() -> Album:
    return Album.objects.create(owner=User.objects.get(email=ours.OWNER), title=f"Zip {uuid.uuid4().hex[:6]}")


def _add(photos: Iterable[Photo]) -> None:
    rest = iter(photos)
    while some := list(islice(rest, _AT_ONCE)):
        Photo.objects.bulk_create(some)


def _photo(album: Album, name: str, size: int, crc32: int) -> Photo:
    # A hash of its own, as an album holds no photo twice.
    facts = {"size": size, "crc32": crc32, "sha256": uuid.uuid4().hex * 2, "content_type": "image/jpeg"}
    photo = Photo(album=album, name=name, state=Photo.State.READY, width=3, height=2, **facts)
    photo.original_key = f"originals/{album.pk}/{photo.pk}.jpg"
    return photo


def _hole(album: Album, name: str, size: int, crc32: int) -> Photo:
    photo = _photo(album, name, size, crc32)
    with _opened(photo.original_key) as file:
        os.truncate(file.fileno(), size)
    return photo


def _link(album: Album, name: str, other: Photo) -> Photo:
    photo = _photo(album, name, other.size, other.crc32)
    storage.path(photo.original_key).hardlink_to(storage.path(other.original_key))
    return photo


def _stored(album: Album, name: str, data: bytes) -> Photo:
    photo = _photo(album, name, len(data), zlib.crc32(data))
    with _opened(photo.original_key) as file:
        file.write(data)
    return photo


def _opened(key: str) -> BinaryIO:
    """Made without waiting for the disk."""
    path = storage.path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("wb")


@dataclass(frozen=True, slots=True)
class Party:
    """An album that guests look through and search in: its id, and the token of its link."""

    album: uuid.UUID
    link: str
    photos: list[uuid.UUID]


def party(photos: int, selfie: Path) -> Party:
    """So many photos with four faces each, the selfie's among them, and thumbs and previews to look at."""
    album = Album.objects.get(pk=ours.fill(photos * ours.FACES_A_PHOTO, selfie))
    picture = images.render(images.decode(selfie, images.DECODE_EDGE).pixels)
    storage.write("stock/thumb.jpg", picture.thumb)
    storage.write("stock/preview.jpg", picture.preview)
    for photo in album.photos.iterator():
        for key, stock in ((photo.thumb_key, "stock/thumb.jpg"), (photo.preview_key, "stock/preview.jpg")):
            storage.path(key).parent.mkdir(parents=True, exist_ok=True)
            storage.path(key).hardlink_to(storage.path(stock))
    shown = list(album.photos.values_list("pk", flat=True)[:200])
    return Party(album.pk, Link.make(album, can_browse=True).token, shown)


def uploader() -> Headers:
    _, token = ApiToken.objects.create(user=User.objects.get(email=ours.OWNER))
    return {"Authorization": f"Token {token}"}
