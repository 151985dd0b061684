"""What the web server is asked for: a zip and a file of its size, an album's page and a static file of its size."""

import os
from uuid import UUID

from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from galleries import storage
from galleries.access import Viewer
from galleries.flows import archive as archive_flow
from galleries.models import Album, ApiToken, Photo, User

from .ours import new_album
from .site import Headers

_ENTRY_BYTES = 4_000_000  # a photo of 12 megapixels


def zip_and_file(size: int) -> tuple[str, str, Headers]:
    """Addresses of a zip of about so many bytes and of one file as large, and what to send with a request."""
    album = new_album()
    count = max(1, size // _ENTRY_BYTES)
    for number in range(count):
        _stored(album, f"{number}.jpg", size // count)
    archive = archive_flow.of_album(Viewer(album.owner), album, None, "original")
    whole = _stored(album, "whole.jpg", archive.bytes)
    _, token = ApiToken.objects.create(user=album.owner)
    addresses = reverse("api:archive", args=[archive.pk]), reverse("api:photo-original", args=[whole.pk])
    return *addresses, {"Authorization": f"Token {token}"}


def _stored(album: Album, name: str, size: int) -> Photo:
    data = os.urandom(size)
    with storage.receive([data], limit=size) as received:
        photo = Photo(album=album, name=name, size=size, sha256=received.sha256, crc32=received.crc32)
        photo.original_key, photo.content_type = f"originals/{album.pk}/{photo.pk}.jpg", "image/jpeg"
        storage.adopt(received, photo.original_key)
    photo.state = Photo.State.READY
    photo.save(force_insert=True)
    return photo


def page_and_file(album: UUID) -> tuple[str, str, Headers]:
    """Addresses of the album's page and of a static file as large, and what to send with a request.

    To be called before the web server starts, which looks for static files once.
    """
    call_command("serve", prepare=True)
    owner, page = User.objects.get(albums=album), reverse("album", args=[album])
    browser = Client(headers={"host": "127.0.0.1"})
    browser.force_login(owner)
    content = browser.get(page).content
    (settings.STATIC_ROOT / "bench.html").write_bytes(content)
    return page, f"{settings.STATIC_URL}bench.html", {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}
