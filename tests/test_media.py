"""The bytes of photos as they are sent: sealed, cached privately, conditional."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from galleries import storage
from galleries.models import Album, Photo
from tests import pictures
from tests.conftest import ready_photo

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


def test_renditions_carry_nothing_of_the_cameras_notes(album: Album, owner_api: APIClient) -> None:
    photo = ready_photo(album, pictures.with_exif(pictures.portrait(), taken="2026:06:20 18:30:00"))
    for variant in ("thumb", "preview"):
        data = owner_api.get(f"/api/v1/photos/{photo.pk}/{variant}").getvalue()
        assert b"Exif" not in data
        assert b"2026:06:20" not in data
