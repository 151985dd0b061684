"""What a guest receives by any way has nothing of the camera's notes; what its owner receives is what was sent."""

import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pillow_heif
import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from rest_framework.test import APIClient

from galleries import storage
from galleries.access import Viewer
from galleries.archives import Span
from galleries.flows import archive as archive_flow
from galleries.flows import photo as photo_flow
from galleries.flows import visit
from galleries.models import Album, Archive, Guest, Link, Match, Photo, Selfie
from galleries.stripping.pieces import Stretch, pack
from tests import noted, pictures
from tests.conftest import Found, add, api_of, guest_api, ready_photo, work_off
from tests.noted import CANARY
from tests.pages import browser_with
from tests.test_verify import Run, own_data_folder, run
from tests.test_zip_journey import bytes_of, make_zip

__all__ = ["own_data_folder", "run"]
pytestmark = pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
SENT: dict[str, Callable[[], bytes]] = {
    "a.jpg": noted.jpeg,
    "b.jpg": lambda: noted.jpeg(progressive=True),
    "c.png": noted.png,
    "d.webp": noted.webp,
    "e.heic": noted.heic,
    "odd.JPG.jpeg": noted.odd_jpeg,
}
ODD = "odd.JPG.jpeg"


@pytest.fixture
def photos(album: Album) -> dict[str, Photo]:
    pillow_heif.register_heif_opener()
    return {name: ready_photo(album, make(), name) for name, make in SENT.items()}


@pytest.fixture
def link(album: Album) -> Link:
    """Without a search by faces: whom the photos show is not what is asked here."""
    return Link.make(album, can_browse=True)


@pytest.fixture
def found(link: Link, photos: dict[str, Photo]) -> Found:
    return found_all(link)


def found_all(link: Link, viewer: Viewer | None = None) -> Found:
    """A guest whose search came out with all photos of the album."""
    guest, key = visit.enter(link, viewer or Viewer())
    expires = timezone.now() + timedelta(days=1)
    selfie = Selfie.objects.create(album=link.album, link=link, guest=guest, expires_at=expires, state="done")
    box = {"x": 0, "y": 0, "width": 1, "height": 1, "distance": 0.1}
    Match.objects.bulk_create(Match(selfie=selfie, photo=each, tier="sure", **box) for each in link.album.photos.all())
    return Found(str(key), selfie)


def original(client: APIClient, photo: Photo, **headers: str) -> Any:
    return client.get(f"/api/v1/photos/{photo.pk}/original", headers=headers)


def guests_zip(found: Found, **body: Any) -> dict[str, Any]:
    made: dict[str, Any] = found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", body, format="json").json()
    return made


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def pixels(data: bytes) -> Any:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def test_a_guest_receives_no_note_by_any_way_and_the_owner_what_was_sent(
    photos: dict[str, Photo], found: Found, owner_api: APIClient, album: Album
) -> None:
    zipped = unzipped(bytes_of(found.api.get(guests_zip(found)["url"])))
    for name, photo in photos.items():
        single = bytes_of(original(found.api, photo))
        renditions = [bytes_of(found.api.get(f"/api/v1/photos/{photo.pk}/{each}")) for each in ("thumb", "preview")]
        small = unzipped(bytes_of(found.api.get(guests_zip(found, size="preview", photos=[str(photo.pk)])["url"])))
        kept = "odd.JPG.jpg" if name == ODD else name
        assert zipped[kept] == single
        assert not any(CANARY in data for data in (single, *renditions, *small.values()))
        whole = bytes_of(original(owner_api, photo))
        assert CANARY in whole
        assert hashlib.sha256(whole).hexdigest() == photo.sha256
        assert single == renditions[1] if name == ODD else np.array_equal(pixels(single), pixels(whole))
    assert set(zipped) == set(photos) - {ODD} | {"odd.JPG.jpg"}
    assert set(unzipped(bytes_of(owner_api.get(make_zip(owner_api, album)["url"]))).values()) == {
        make() for make in SENT.values()
    }


def test_renditions_carry_no_metadata_whatever_the_original_does(photos: dict[str, Photo], found: Found) -> None:
    for photo in photos.values():
        for variant in ("thumb", "preview"):
            data = bytes_of(found.api.get(f"/api/v1/photos/{photo.pk}/{variant}"))
            with Image.open(io.BytesIO(data)) as image:
                assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
                assert isinstance(image, JpegImageFile)
                assert [kind for kind, _ in image.applist] == ["APP0"]
                assert not image.getexif()


def test_a_file_that_is_not_understood_comes_as_its_preview_under_a_name_of_its_kind(
    photos: dict[str, Photo], found: Found
) -> None:
    answer = original(found.api, photos[ODD])
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Content-Disposition"] == 'attachment; filename="odd.JPG.jpg"'
    assert bytes_of(answer) == storage.read(photos[ODD].preview_key)
    # The owner is not troubled with it.
    assert (photos[ODD].state, photos[ODD].code, photos[ODD].detail) == ("ready", "", "")


def test_an_owner_who_searches_as_a_guest_gets_a_guests_zip_and_their_own_originals(
    photos: dict[str, Photo], link: Link, album: Album
) -> None:
    guest, key = Guest.make(album.owner)
    found = found_all(link, Viewer(guest=guest))
    client = api_of(album.owner)
    address = f"/api/v1/selfies/{found.selfie.pk}/archives/"
    zipped = unzipped(bytes_of(client.get(client.post(address, {}, format="json").json()["url"])))
    assert not any(CANARY in data for data in zipped.values())
    assert CANARY in bytes_of(original(client, photos["a.jpg"]))
    assert CANARY not in bytes_of(original(guest_api(key), photos["a.jpg"]))


def test_a_guest_who_looks_through_the_album_gets_no_note_either(photos: dict[str, Photo], link: Link) -> None:
    _, key = visit.enter(link, Viewer())
    assert CANARY not in bytes_of(original(guest_api(str(key)), photos["a.jpg"]))


def test_a_zip_is_resumed_in_every_place_that_differs(photos: dict[str, Photo], found: Found) -> None:
    made = guests_zip(found)
    first = found.api.get(made["url"])
    whole, etag = bytes_of(first), first["ETag"]
    assert len(whole) == int(first["Content-Length"]) == made["bytes"]
    layout = archive_flow.layout_of(Archive.objects.get(pk=made["id"]))
    segments, places = list(layout.segments(0, layout.length)), [0]
    assert sum(isinstance(each, Span) for each in segments) > len(photos)
    for segment in segments:
        length = segment.length if isinstance(segment, Span) else len(segment)
        places += [places[-1] + 1, places[-1] + length // 2, places[-1] + length - 1, places[-1] + length]
    for place in sorted(set(places) - {layout.length}):
        rest = found.api.get(made["url"], headers={"range": f"bytes={place}-", "if-range": etag})
        assert rest.status_code == 206
        assert whole[:place] + bytes_of(rest) == whole


def test_a_single_photo_comes_whole_or_in_any_one_range(photos: dict[str, Photo], found: Found) -> None:
    photo = photos["a.jpg"]
    first = original(found.api, photo)
    whole, etag, length = bytes_of(first), first["ETag"], int(first["Content-Length"])
    assert (length, first["Accept-Ranges"]) == (len(whole), "bytes")
    assert first["Content-Disposition"] == 'attachment; filename="a.jpg"'
    for start, stop in ((0, 1), (0, length), (1, 70), (20, 57), (length // 2, length - 1), (length - 1, length)):
        part = original(found.api, photo, **{"range": f"bytes={start}-{stop - 1}", "if-range": etag})
        assert (part.status_code, part["Content-Range"]) == (206, f"bytes {start}-{stop - 1}/{length}")
        assert bytes_of(part) == whole[start:stop]
    beyond = original(found.api, photo, range=f"bytes={length}-")
    assert (beyond.status_code, beyond["Content-Range"]) == (416, f"bytes */{length}")
    assert original(found.api, photo, **{"if-none-match": etag}).status_code == 304
    assert bytes_of(original(found.api, photo, **{"range": "bytes=5-", "if-range": '"another"'})) == whole
    head = found.api.head(f"/api/v1/photos/{photo.pk}/original")
    assert (int(head["Content-Length"]), bytes_of(head)) == (length, b"")


def test_the_two_forms_of_an_original_have_two_etags(
    photos: dict[str, Photo], found: Found, owner_api: APIClient
) -> None:
    whose, owners = original(found.api, photos["a.jpg"])["ETag"], original(owner_api, photos["a.jpg"])["ETag"]
    assert whose != owners
    assert original(found.api, photos["a.jpg"], **{"if-none-match": owners}).status_code == 200


def test_nginx_is_given_originals_for_their_owners_alone(
    photos: dict[str, Photo], found: Found, owner_api: APIClient, settings: Any
) -> None:
    settings.PIXORA_SENDFILE = True
    assert photos["a.jpg"].original_key in original(owner_api, photos["a.jpg"])["X-Accel-Redirect"]
    for name, photo in photos.items():
        sent = original(found.api, photo).headers.get("X-Accel-Redirect", "")
        assert sent == (f"/protected/{photo.preview_key}" if name == ODD else "")


def test_the_sizes_that_a_guest_reads_are_those_of_what_comes(photos: dict[str, Photo], found: Found) -> None:
    page = browser_with(found).get(reverse("selfie", args=[found.selfie.pk]))
    sizes = {photo.name: len(bytes_of(original(found.api, photo))) for photo in photos.values()}
    assert page.context["sums"]["bytes"] == sum(sizes.values())
    assert all(f'data-bytes="{size}"' in page.content.decode() for size in sizes.values())


def test_a_file_that_is_gone_is_a_404_for_guests_too(photos: dict[str, Photo], found: Found) -> None:
    storage.delete([photos["a.jpg"].original_key])
    assert original(found.api, photos["a.jpg"]).status_code == 404


def test_originals_in_a_bucket_are_stripped_the_same(bucket: str, photos: dict[str, Photo], found: Found) -> None:
    whole = bytes_of(original(found.api, photos["a.jpg"]))
    assert CANARY not in whole
    assert bytes_of(original(found.api, photos["a.jpg"], range="bytes=10-5000")) == whole[10:5001]


# In step with the rows


def whatever(photo: Photo) -> tuple[Any, ...]:
    photo.refresh_from_db()
    return bytes(photo.guest_pieces or b""), photo.guest_size, photo.guest_crc32


WRONG: dict[str, dict[str, Any]] = {
    "pieces cut off": {"guest_pieces": b"1234"},
    "pieces of another length": {"guest_size": 5},
    "another CRC-32": {"guest_crc32": 5},
    "no pieces": {"guest_pieces": None},
    "pieces behind the end": {"guest_pieces": pack([Stretch(1 << 40, 9)]), "guest_size": 9},
    "never looked at": {"guest_pieces": None, "guest_size": 0, "guest_crc32": 0},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_rows_that_contradict_their_file_are_found_and_mended(album: Album, run: Run, wrong: dict[str, Any]) -> None:
    photo = ready_photo(album, noted.jpeg())
    before = whatever(photo)
    assert run() == (0, [])
    Photo.objects.filter(pk=photo.pk).update(**wrong)
    assert run() == (1, [("stripped_wrong", False)])
    # Only reading the file tells a wrong CRC-32.
    assert run("--quick")[0] == ("guest_crc32" not in wrong or len(wrong) > 1)
    assert run("--repair") == (0, [("stripped_wrong", True)])
    work_off()
    assert whatever(photo) == before
    assert run() == (0, [])


def test_a_frozen_zip_of_a_guest_says_what_the_rows_say(found: Found, run: Run) -> None:
    guests_zip(found)
    guests_zip(found, size="preview")
    assert run() == (0, [])
    Photo.objects.filter(name="a.jpg").update(guest_crc32=5)
    assert run() == (1, [("archive_wrong", False), ("stripped_wrong", False)])


def test_the_database_refuses_pieces_of_no_size(album: Album) -> None:
    photo = ready_photo(album, noted.jpeg())
    for wrong in ({"guest_size": 0}, {"guest_crc32": 1 << 32}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Photo.objects.filter(pk=photo.pk).update(**wrong)


def test_a_photo_that_is_healed_or_replaced_is_stripped_again(album: Album, run: Run) -> None:
    photo = ready_photo(album, noted.jpeg())
    before = whatever(photo)
    os.truncate(storage.path(photo.original_key), 1000)
    run("--repair")
    add(album, noted.jpeg())
    work_off()
    assert whatever(photo) == before
    replaced = pictures.jpeg(pictures.faceless(), comment=CANARY)
    photo_flow.receive(album, photo.name, "", [replaced], replaces=photo.pk)
    work_off()
    assert album.photos.get().guest_size == len(replaced) - len(CANARY) - 4
