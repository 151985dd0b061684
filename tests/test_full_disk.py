"""A disk without room: uploads are told so and lose nothing, photos wait for it. tests/faults fills a real one."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from galleries.flows import photo as photo_flow
from galleries.models import Album, Photo
from tests import pictures
from tests.conftest import add, ready_photo, upload, work_off

WORDS = "The server's disk is full"


@pytest.fixture
def full(settings: Any) -> None:
    settings.PIXORA_MIN_FREE_BYTES = 10**18


def test_an_upload_is_told_that_the_disk_is_full(full: None, album: Album, owner_api: APIClient) -> None:
    answer = upload(owner_api, album.pk, [("a.jpg", pictures.jpeg(pictures.quadrants()))])
    assert (answer.status_code, answer["Content-Type"]) == (507, "application/problem+json")
    assert answer.json()["code"] == "disk_full"
    assert answer.json()["detail"].startswith(WORDS)
    assert int(answer["Retry-After"]) > 0
    assert not Photo.objects.exists()


def test_a_page_says_it_too(full: None, album: Album, desk: Client) -> None:
    desk.raise_request_exception = False
    photo = SimpleUploadedFile("a.jpg", pictures.jpeg(pictures.quadrants()))
    answer = desk.post(reverse("album-upload", args=[album.pk]), {"file": photo})
    assert answer.status_code == 507
    assert WORDS in answer.content.decode().replace("&#x27;", "'")
    assert answer["Retry-After"]


def test_it_is_told_before_anything_is_sent_in_vain(album: Album, owner_api: APIClient, settings: Any) -> None:
    here = ready_photo(album).sha256
    settings.PIXORA_MIN_FREE_BYTES = 10**18
    asked = f"/api/v1/albums/{album.pk}/photos/check/"
    file = {"name": "a.jpg", "size": 1, "sha256": here}
    assert owner_api.post(asked, {"files": [file]}, format="json").json()["duplicate"] == [here]
    answer = owner_api.post(asked, {"files": [file, file | {"sha256": "0" * 64}]}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")


def test_photos_wait_for_room_and_lose_no_attempt(album: Album, settings: Any) -> None:
    photo = add(album, pictures.jpeg(pictures.quadrants())).photo
    settings.PIXORA_MIN_FREE_BYTES = 10**18
    photo_flow.work()
    photo.refresh_from_db()
    assert (photo.state, photo.attempts) == ("uploaded", 0)
    settings.PIXORA_MIN_FREE_BYTES = 0
    work_off()
    photo.refresh_from_db()
    assert photo.state == "ready"


@pytest.fixture
def full_database(album: Album) -> Iterator[None]:
    """SQLite may not grow by a single page, and says what it says of a full disk."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL cannot be told to be full; tests/faults fills a disk")
    with connection.cursor() as cursor:
        before = cursor.execute("PRAGMA max_page_count").fetchone()[0]
        cursor.execute("VACUUM")  # pages that other tests left free would take many rows
        cursor.execute("PRAGMA max_page_count = 1")  # SQLite takes it for the pages that there are
        yield
        cursor.execute(f"PRAGMA max_page_count = {before}")


def test_a_full_database_is_told_of_and_keeps_no_file(
    full_database: None, album: Album, owner_api: APIClient, settings: Any
) -> None:
    statuses = []
    for shade in range(200):
        picture = pictures.quadrants().copy()
        picture[0, 0] = shade
        statuses.append(upload(owner_api, album.pk, [("a" * 200 + ".png", pictures.png(picture))]).status_code)
    assert set(statuses) == {201, 507}
    rows = set(album.photos.values_list("original_key", flat=True))
    assert len(rows) == statuses.count(201)
    originals = settings.PIXORA_DATA_DIR / "media" / "originals"
    assert {str(path.relative_to(originals.parent)) for path in originals.rglob("*.png")} == rows
