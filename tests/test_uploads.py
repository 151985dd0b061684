"""Uploads while they arrive: written once, never further than a file may be long, and gone when nobody takes them."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from rest_framework.test import APIClient

from galleries import storage
from galleries.middleware import PLAIN_BYTES
from galleries.models import Album, Link, Photo, Selfie, User
from galleries.uploads import IncomingFile, IncomingHandler
from tests import pictures
from tests.conftest import browser_of, upload

BOUNDARY = "a-boundary"


def incoming() -> list[Path]:
    return sorted((Path(site_settings.PIXORA_DATA_DIR) / "media" / "incoming").glob("*"))


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Any:
    yield
    assert incoming() == []


def begun() -> IncomingHandler:
    """The site's one handler, after the head of a file has come."""
    (handler,) = RequestFactory().post("/").upload_handlers
    assert isinstance(handler, IncomingHandler)
    handler.new_file("file", "a.jpg", "image/jpeg", None)
    return handler


def arrived(*chunks: bytes) -> IncomingFile:
    """A file as Django's parser hands it to the handler."""
    handler = begun()
    for chunk in chunks:
        handler.receive_data_chunk(chunk, 0)
    return handler.file_complete(sum(map(len, chunks)))


def test_what_arrived_is_taken_over_and_not_copied() -> None:
    file = arrived(b"first ", b"second")
    on_disk = incoming()
    assert b"".join(file.chunks()) == b"first second"
    with storage.receive(file.chunks(), limit=100) as received:
        assert incoming() == on_disk == [received.path]
        assert received.path.read_bytes() == b"first second"
        copied = storage.receive([b"first ", b"second"], limit=100)
        assert (received.size, received.sha256, received.crc32) == (copied.size, copied.sha256, copied.crc32)
        copied.discard()


def test_nothing_is_stored_beyond_the_limit(settings: Any) -> None:
    settings.PIXORA_MAX_FILE_BYTES = 10
    handler = begun()
    handler.receive_data_chunk(b"x" * 10, 0)
    assert len(incoming()) == 1
    for _ in range(3):
        handler.receive_data_chunk(b"x" * 10, 0)
        assert incoming() == []
    file = handler.file_complete(40)
    assert file.size == 40
    with pytest.raises(storage.TooLarge):
        storage.receive(file.chunks(), limit=10)


def test_a_file_of_exactly_the_limit_is_taken(settings: Any) -> None:
    settings.PIXORA_MAX_FILE_BYTES = 10
    with storage.receive(arrived(b"x" * 10).chunks(), limit=10) as received:
        assert received.size == 10


def test_what_nobody_takes_goes_when_it_is_closed_or_nobody_holds_it() -> None:
    closed, forgotten = arrived(b"closed"), storage.Incoming(10)
    assert len(incoming()) == 2
    closed.close()
    assert len(incoming()) == 1
    del forgotten
    assert incoming() == []


def test_a_file_too_large_is_refused_and_its_neighbour_taken(settings: Any, album: Album, owner_api: APIClient) -> None:
    photo = pictures.jpeg(pictures.quadrants())
    settings.PIXORA_MAX_FILE_BYTES = len(photo)
    answer = upload(owner_api, album.pk, [("film.mov", b"x" * (len(photo) + 1)), ("a.jpg", photo)]).json()
    assert [(each["name"], each["code"]) for each in answer["rejected"]] == [("film.mov", "file_too_large")]
    assert [each["name"] for each in answer["accepted"]] == ["a.jpg"]
    assert storage.read(Photo.objects.exclude(original_key="").get().original_key) == photo


def test_a_selfie_too_large_is_413(settings: Any, link: Link) -> None:
    settings.PIXORA_MAX_FILE_BYTES = 10
    sent = {"selfie": SimpleUploadedFile("me.jpg", b"x" * 11), "consent": "true"}
    answer = APIClient().post(f"/api/v1/links/{link.token}/selfies/", sent)
    assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")
    assert not Selfie.objects.exists()


def test_files_that_no_route_takes_are_gone_with_the_request(album: Album, owner: User) -> None:
    stray = {"photo": SimpleUploadedFile("a.jpg", b"x" * 1000)}
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(reverse("album-upload", args=[album.pk]), stray).status_code == 403
    assert strict.post(reverse("account_login"), stray).status_code == 403
    browser_of(owner).post(reverse("album-upload", args=[album.pk]), {"other": SimpleUploadedFile("a.jpg", b"x")})


def test_an_upload_that_breaks_off_leaves_nothing(album: Album, owner: User) -> None:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    body = head.encode() + pictures.jpeg(pictures.quadrants())[:500]
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    answer = browser_of(owner).generic("POST", f"/api/v1/albums/{album.pk}/photos/", body, content_type=content_type)
    assert answer.status_code == 400
    assert not Photo.objects.exists()


def announce(client: Client, path: str, length: int) -> HttpResponse:
    """A request that says how long it will be, and has not sent a byte; reading it is an error."""
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    return client.generic("POST", path, "", content_type=content_type, CONTENT_LENGTH=str(length))  # type: ignore[return-value]


ONE, MANY = PLAIN_BYTES + 60_000_000, PLAIN_BYTES + 6_000_000_000


@pytest.mark.parametrize(
    ("name", "signed_in", "most"),
    [
        ("account_login", False, PLAIN_BYTES),
        ("album-edit", True, PLAIN_BYTES),
        ("album-upload", False, PLAIN_BYTES),
        ("album-upload", True, MANY),
        ("guest-link", False, ONE),
        ("api:albums", True, PLAIN_BYTES),
        ("api:album-photos", False, PLAIN_BYTES),
        ("api:album-photos", True, MANY),
        ("api:shared-link-unlock", False, PLAIN_BYTES),
        ("api:shared-link-selfies", False, ONE),
    ],
)
def test_a_request_is_refused_by_its_length_before_it_is_read(
    name: str, signed_in: bool, most: int, link: Link, owner: User
) -> None:
    values = {"album-edit": link.album_id, "album-upload": link.album_id, "api:album-photos": link.album_id}
    args = [values.get(name, link.token)] if name not in ("account_login", "api:albums") else []
    client = Client(enforce_csrf_checks=True)
    if signed_in:
        client.force_login(owner)
    answer = announce(client, reverse(name, args=args), most + 1)
    assert answer.status_code == 413
    if name.startswith("api:"):
        assert answer["Content-Type"] == "application/problem+json"
        assert b'"code": "request_too_large"' in answer.content
    else:
        assert f"at most {most // 1_000_000} MB" in answer.content.decode()


@pytest.mark.parametrize("name", ["album-upload", "api:album-photos"])
def test_a_request_that_does_not_say_how_long_it_is_is_told_to(name: str, album: Album, owner: User) -> None:
    """Django would take it for one without files."""
    answer = browser_of(owner).post(reverse(name, args=[album.pk]), headers={"Transfer-Encoding": "chunked"})
    assert answer.status_code == 411
    assert "Content-Length" in answer.content.decode()


@pytest.mark.parametrize("name", ["album-upload", "api:album-photos"])
def test_an_owner_may_send_more_than_a_form_holds(name: str, album: Album, owner: User) -> None:
    big = SimpleUploadedFile("film.mov", b"x" * (PLAIN_BYTES + 1))
    answer = browser_of(owner).post(reverse(name, args=[album.pk]), {"file": big})
    assert answer.status_code == (201 if name.startswith("api:") else 302)
    assert Photo.objects.get().code == "not_a_photo"


def test_nobodys_files_are_taken_in_to_be_thrown_away(album: Album, link: Link, settings: Any) -> None:
    """A guest's cookie wants CSRF, which reads the form; that it is no owner is known before."""
    guest = Client(enforce_csrf_checks=True, headers={"Authorization": "Basic bm9ib2R5"})
    guest.cookies[settings.PIXORA_GUEST_COOKIE] = (
        APIClient().post(f"/api/v1/links/{link.token}/unlock/", {}, format="json").json()["guest_key"]
    )
    answer = announce(guest, f"/api/v1/albums/{album.pk}/photos/", 1_000_000_000)
    assert answer.status_code == 401
