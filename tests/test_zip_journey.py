"""Journey three over HTTP: the frozen list, the exact bytes, ranges, permission at every request, honest failure."""

import hashlib
import io
import zipfile
from typing import Any

import numpy as np
import pytest
from rest_framework.test import APIClient

from galleries import media, storage
from galleries.archives import BrokenSource
from galleries.models import Album, Archive, Link, Photo
from tests import pictures
from tests.conftest import ready_photo, search


def bytes_of(answer: Any) -> bytes:
    body: bytes = b"".join(answer.streaming_content) if answer.streaming else answer.content
    answer.close()
    return body


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def photos(album: Album) -> list[Photo]:
    taken = pictures.with_exif(pictures.faceless(), taken="2026:06:20 18:30:00")
    return [
        ready_photo(album, taken, "a.jpg"),
        ready_photo(album, pictures.jpeg(pictures.quadrants()), "a.jpg"),
        ready_photo(album, pictures.webp(pictures.quadrants()), "b.webp", "Ceremony/outside"),
    ]


def make_zip(client: APIClient, album: Album, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/api/v1/albums/{album.pk}/archives/", body, format="json")
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def test_the_owners_zip_holds_the_original_bytes(album: Album, photos: list[Photo], owner_api: APIClient) -> None:
    made = make_zip(owner_api, album)
    answer = owner_api.get(made["url"])
    whole = bytes_of(answer)
    assert int(answer["Content-Length"]) == len(whole) == made["bytes"]
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == 'attachment; filename="Summer party.zip"'
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {"a.jpg", "a (2).jpg", "Ceremony/outside/b.webp"}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {sha256(archive.read(name)) for name in archive.namelist()} == {photo.sha256 for photo in photos}
        assert (2026, 6, 20, 18, 30, 0) in {info.date_time for info in archive.infolist()}


def test_any_range_is_the_slice_of_the_whole(album: Album, photos: list[Photo], owner_api: APIClient) -> None:
    made = make_zip(owner_api, album)
    first = owner_api.get(made["url"])
    whole, etag = bytes_of(first), first["ETag"]
    size = len(whole)
    for asked, start, stop in (("0-0", 0, 1), (f"{size // 3}-", size // 3, size), ("-7", size - 7, size)):
        answer = owner_api.get(made["url"], HTTP_RANGE=f"bytes={asked}", HTTP_IF_RANGE=etag)
        assert answer.status_code == 206
        assert answer["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
        assert bytes_of(answer) == whole[start:stop]


@pytest.mark.parametrize(
    "headers",
    [
        {"range": "bytes=0-9,20-29"},
        {"range": "lines=1-2"},
        {"range": "bytes=5-", "if-range": '"another"'},
    ],
)
def test_what_is_no_single_valid_range_gets_the_whole(
    album: Album, photos: list[Photo], owner_api: APIClient, headers: dict[str, str]
) -> None:
    made = make_zip(owner_api, album)
    answer = owner_api.get(made["url"], headers=headers)
    assert answer.status_code == 200
    assert len(bytes_of(answer)) == made["bytes"]


def test_a_range_beyond_the_end_is_416(album: Album, photos: list[Photo], owner_api: APIClient) -> None:
    made = make_zip(owner_api, album)
    answer = owner_api.get(made["url"], HTTP_RANGE=f"bytes={made['bytes']}-")
    assert (answer.status_code, answer["Content-Range"]) == (416, f"bytes */{made['bytes']}")


def test_head_and_conditional_requests_send_no_bytes(album: Album, photos: list[Photo], owner_api: APIClient) -> None:
    made = make_zip(owner_api, album)
    head = owner_api.head(made["url"])
    assert (head.status_code, int(head["Content-Length"]), bytes_of(head)) == (200, made["bytes"], b"")
    assert owner_api.get(made["url"], HTTP_IF_NONE_MATCH=head["ETag"]).status_code == 304


def test_the_guests_zip_holds_the_sure_ones_as_they_get_them_one_by_one(searchable: Album, link: Link) -> None:
    mine = ready_photo(searchable)
    ready_photo(searchable, pictures.jpeg(pictures.faceless()), "coffee.jpg")
    found = search(link)
    made = found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", {}, format="json").json()
    assert made["count"] == 1
    with zipfile.ZipFile(io.BytesIO(bytes_of(found.api.get(made["url"])))) as archive:
        one = bytes_of(found.api.get(f"/api/v1/photos/{mine.pk}/original"))
        assert archive.read("a.jpg") == one


def test_previews_can_be_had_as_a_smaller_zip(album: Album, photos: list[Photo], owner_api: APIClient) -> None:
    made = make_zip(owner_api, album, size="preview")
    with zipfile.ZipFile(io.BytesIO(bytes_of(owner_api.get(made["url"])))) as archive:
        assert archive.testzip() is None
        assert archive.read("Ceremony/outside/b.jpg") == storage.read(photos[2].preview_key)


def test_chosen_photos_only_and_none_is_an_error(album: Album, photos: list[Photo], owner_api: APIClient) -> None:
    assert make_zip(owner_api, album, photos=[str(photos[0].pk)])["count"] == 1
    for wrong in ([], [str(photos[0].pk), "00000000-0000-4000-8000-000000000000"]):
        answer = owner_api.post(f"/api/v1/albums/{album.pk}/archives/", {"photos": wrong}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (400, "nothing_to_download")


def test_a_foreign_photo_cannot_be_put_into_a_zip(
    album: Album, photos: list[Photo], owner_api: APIClient, other_owner: Any
) -> None:
    foreign = ready_photo(Album.objects.create(owner=other_owner, title="Other"))
    body = {"photos": [str(foreign.pk)]}
    assert owner_api.post(f"/api/v1/albums/{album.pk}/archives/", body, format="json").status_code == 400


def test_a_zip_goes_stale_with_any_of_its_photos(searchable: Album, link: Link, owner_api: APIClient) -> None:
    photo = ready_photo(searchable)
    found = search(link)
    made = found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", {}, format="json").json()
    for change in ({"hidden": True}, {"hidden": False}):
        owner_api.patch(f"/api/v1/photos/{photo.pk}/", change, format="json")
        answer = found.api.get(made["url"])
        assert answer.status_code == (410 if change["hidden"] else 200)
        assert not change["hidden"] or answer.json()["code"] == "archive_stale"
        answer.close()
    Link.objects.update(can_download=False)
    assert found.api.get(made["url"]).status_code == 410
    assert found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", {}, format="json").status_code == 403


def test_a_zip_is_its_makers_alone(searchable: Album, link: Link, owner_api: APIClient) -> None:
    ready_photo(searchable)
    found, other = search(link), search(link)
    url = found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", {}, format="json").json()["url"]
    assert [client.get(url).status_code for client in (other.api, APIClient(), owner_api)] == [404] * 3


def test_a_file_lost_from_disk_is_said_as_long_as_nothing_was_sent(
    album: Album, photos: list[Photo], owner_api: APIClient, settings: Any
) -> None:
    made = make_zip(owner_api, album)
    storage.delete([photos[1].original_key])
    for _ in range(2 * settings.PIXORA_ZIP_STREAMS):
        answer = owner_api.get(made["url"])
        assert (answer.status_code, answer.json()["code"], "Retry-After" in answer) == (503, "zip_unreadable", True)


def test_a_file_lost_from_disk_breaks_the_zip_visibly(album: Album, photos: list[Photo], owner_api: APIClient) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1000, 1200, 3), dtype=np.uint8)
    assert (
        ready_photo(album, pictures.with_exif(noise, taken="2020:01:01 00:00:00"), "0.jpg").size
        > 2 * storage.CHUNK_BYTES
    )
    made = make_zip(owner_api, album)
    storage.delete([photos[1].original_key])
    answer = owner_api.get(made["url"])
    assert answer.status_code == 200
    with pytest.raises(BrokenSource):
        bytes_of(answer)
    answer.close()


def test_a_file_altered_on_disk_breaks_the_zip_visibly(album: Album, photos: list[Photo], owner_api: APIClient) -> None:
    made = make_zip(owner_api, album)
    data = bytearray(storage.read(photos[0].original_key))
    data[len(data) // 2] ^= 1
    storage.write(photos[0].original_key, bytes(data))
    assert owner_api.get(made["url"]).json()["code"] == "zip_unreadable"


def test_beyond_the_cap_a_zip_is_503_and_free_again_after(
    album: Album, photos: list[Photo], owner_api: APIClient, settings: Any
) -> None:
    made = make_zip(owner_api, album)
    under_way = [owner_api.get(made["url"]) for _ in range(settings.PIXORA_ZIP_STREAMS)]
    busy = owner_api.get(made["url"])
    assert (busy.status_code, busy.json()["code"], busy["Retry-After"]) == (503, "busy", "10")
    for each in under_way:
        each.close()
    assert len(bytes_of(owner_api.get(made["url"]))) == made["bytes"]


def test_the_address_names_the_downloads_port_where_there_is_one(
    album: Album, photos: list[Photo], owner_api: APIClient, settings: Any, rf: Any
) -> None:
    archive = Archive.objects.get(pk=make_zip(owner_api, album)["id"])
    settings.PIXORA_DOWNLOADS_PORT = 8001
    settings.ALLOWED_HOSTS = ["photos.example.org", "[::1]"]
    for host, expected in (("photos.example.org:8000", "photos.example.org:8001"), ("[::1]:8000", "[::1]:8001")):
        assert expected in media.archive_address(rf.get("/", headers={"host": host}), archive)
