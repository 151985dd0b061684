"""The bytes of photos as they are sent: sealed, cached privately, conditional."""

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from galleries import storage
from galleries.models import Album, Photo
from tests import pictures
from tests.conftest import browser_of, ready_photo

VARIANTS = ("thumb", "preview", "original")


@pytest.fixture
def photo(album: Album) -> Photo:
    return ready_photo(album, pictures.webp(pictures.portrait()), "Köln “1”.webp")


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_sealed(photo: Photo, owner_api: APIClient, variant: str) -> None:
    answer = owner_api.get(f"/api/v1/photos/{photo.pk}/{variant}")
    assert answer.status_code == 200
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"].startswith("default-src 'none'; sandbox")
    assert answer["Cache-Control"] == "private, no-cache"
    assert {"Cookie", "Authorization", "Pixora-Guest"} <= {name.strip() for name in answer["Vary"].split(",")}
    assert answer["Content-Type"] == ("image/webp" if variant == "original" else "image/jpeg")
    assert int(answer["Content-Length"]) == len(answer.getvalue())


def test_the_original_comes_as_a_download_with_its_name(photo: Photo, owner_api: APIClient) -> None:
    answer = owner_api.get(f"/api/v1/photos/{photo.pk}/original")
    assert answer["Content-Disposition"] == "attachment; filename*=utf-8''K%C3%B6ln%20%E2%80%9C1%E2%80%9D.webp"
    assert answer.getvalue() == storage.read(photo.original_key)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_the_browser_has_is_answered_304(photo: Photo, owner_api: APIClient, variant: str) -> None:
    address = f"/api/v1/photos/{photo.pk}/{variant}"
    etag = owner_api.get(address)["ETag"]
    assert owner_api.get(address, HTTP_IF_NONE_MATCH=etag).status_code == 304
    assert owner_api.get(address, HTTP_IF_NONE_MATCH=f'W/{etag}, "b"').status_code == 304
    assert owner_api.get(address, HTTP_IF_NONE_MATCH='"another"').status_code == 200


def test_permission_is_asked_before_304(photo: Photo, owner_api: APIClient) -> None:
    etag = owner_api.get(f"/api/v1/photos/{photo.pk}/thumb")["ETag"]
    assert APIClient().get(f"/api/v1/photos/{photo.pk}/thumb", HTTP_IF_NONE_MATCH=etag).status_code == 404


def test_nginx_sends_the_file_where_it_is_asked_to(photo: Photo, owner_api: APIClient, settings: Any) -> None:
    settings.PIXORA_SENDFILE = True
    answer = owner_api.get(f"/api/v1/photos/{photo.pk}/original")
    assert answer["X-Accel-Redirect"] == f"/protected/{photo.original_key}"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer.content == b""


def test_a_photo_without_renditions_has_only_its_original(album: Album, owner_api: APIClient) -> None:
    photo = ready_photo(album, pictures.truncated_jpeg(), "cut.jpg")
    assert photo.state == "rejected"
    codes = [owner_api.get(f"/api/v1/photos/{photo.pk}/{variant}").status_code for variant in VARIANTS]
    assert codes == [404, 404, 200]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_file_that_is_gone_is_a_404(photo: Photo, owner_api: APIClient, variant: str) -> None:
    storage.delete(photo.stored_keys())
    assert owner_api.get(f"/api/v1/photos/{photo.pk}/{variant}").status_code == 404


NAVIGATION = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def test_a_person_who_is_sent_to_bytes_reads_a_page_where_there_are_none(photo: Photo, owner_api: APIClient) -> None:
    address = owner_api.post(f"/api/v1/albums/{photo.album_id}/archives/", {}, format="json").json()["url"]
    browser = browser_of(photo.album.owner)
    assert owner_api.delete(f"/api/v1/photos/{photo.pk}/").status_code == 204
    stale = browser.get(address, headers={"accept": NAVIGATION})
    assert (stale.status_code, stale["Content-Type"]) == (410, "text/html; charset=utf-8")
    assert "Make a new one" in stale.content.decode()
    assert "Accept" in stale["Vary"]
    assert stale["Cache-Control"] == "private, no-store"
    missing = Client().get(f"/api/v1/photos/{photo.pk}/thumb", headers={"accept": NAVIGATION})
    assert (missing.status_code, missing["Content-Type"]) == (404, "text/html; charset=utf-8")
    for accept in ("*/*", "application/json", "image/avif,image/webp,*/*"):
        assert browser.get(address, headers={"accept": accept})["Content-Type"] == "application/problem+json"


def test_renditions_carry_nothing_of_the_cameras_notes(album: Album, owner_api: APIClient) -> None:
    photo = ready_photo(album, pictures.with_exif(pictures.portrait(), taken="2026:06:20 18:30:00"))
    for variant in ("thumb", "preview"):
        data = owner_api.get(f"/api/v1/photos/{photo.pk}/{variant}").getvalue()
        assert b"Exif" not in data
        assert b"2026:06:20" not in data
