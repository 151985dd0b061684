"""A file of the same name with other bytes: what check says of it, and how it takes an earlier photo's place."""

import hashlib
from typing import Any

import numpy as np
import pytest
from rest_framework.test import APIClient

from galleries import storage
from galleries.flows import photo as photo_flow
from galleries.models import Album, Link, Match, Photo
from tests import pictures
from tests.conftest import add, ready_photo, search, upload, work_off


def portrait(light: float) -> bytes:
    """The same face each time, in other bytes."""
    return pictures.jpeg((pictures.portrait() * light).astype(np.uint8))


def coffee() -> bytes:
    return pictures.jpeg(pictures.faceless())


def check(client: APIClient, album: Album, *files: tuple[str, bytes]) -> Any:
    asked = [
        {"name": path.rpartition("/")[2], "path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for path, data in files
    ]
    return client.post(f"/api/v1/albums/{album.pk}/photos/check/", {"files": asked}, format="json").json()


def replace(client: APIClient, old: Photo, data: bytes) -> Any:
    fields = {"path": f"{old.folder}/{old.name}", "replaces": str(old.pk)}
    return upload(client, old.album_id, [(old.name, data)], **fields).json()


def test_check_names_what_is_there_under_the_same_name_with_other_bytes(album: Album, owner_api: APIClient) -> None:
    there = ready_photo(album, portrait(1), "a.jpg", "Ceremony/church")
    other = portrait(0.9)
    answer = check(owner_api, album, ("Ceremony/church/a.jpg", other), ("Party/a.jpg", other), ("a.jpg", other))
    sha256 = hashlib.sha256(other).hexdigest()
    assert answer["same_name"] == [{"path": "Ceremony/church/a.jpg", "sha256": sha256, "id": str(there.pk)}]
    assert answer["missing"] == [sha256] * 3
    assert check(owner_api, album, ("Ceremony/church/a.jpg", portrait(1)))["same_name"] == []


def test_a_name_is_compared_as_it_is_kept(album: Album, owner_api: APIClient) -> None:
    there = ready_photo(album, portrait(1), "who?.jpg", "a:b")
    assert [each["id"] for each in check(owner_api, album, ("a:b/who?.jpg", coffee()))["same_name"]] == [str(there.pk)]


def test_a_file_refused_at_the_door_takes_no_name(album: Album, owner_api: APIClient) -> None:
    add(album, b"no photo", "a.jpg")
    assert check(owner_api, album, ("a.jpg", coffee()))["same_name"] == []


def test_the_old_photo_stays_until_the_new_one_is_ready(album: Album, owner_api: APIClient) -> None:
    old = ready_photo(album, portrait(1))
    assert len(replace(owner_api, old, portrait(0.9))["accepted"]) == 1
    assert Photo.objects.filter(pk=old.pk, state="ready").exists()
    work_off()
    left = Photo.objects.get()
    assert (left.pk != old.pk, left.name, left.state, left.replaces) == (True, old.name, "ready", None)
    assert storage.read(left.original_key) == portrait(0.9)
    assert not any(storage.exists(key) for key in old.stored_keys())


def test_a_damaged_new_one_replaces_nothing(album: Album, owner_api: APIClient) -> None:
    old = ready_photo(album, portrait(1))
    replace(owner_api, old, pictures.truncated_jpeg())
    replace(owner_api, old, b"no photo at all")
    work_off()
    assert Photo.objects.get(state="ready").pk == old.pk


@pytest.mark.parametrize("between", ["at work", "damaged"])
def test_one_that_replaces_what_is_not_ready_replaces_what_that_was_to(
    album: Album, owner_api: APIClient, between: str
) -> None:
    old = ready_photo(album, portrait(1))
    photo_flow.hide(old, hidden=True)
    replace(owner_api, old, pictures.truncated_jpeg() if between == "damaged" else portrait(0.9))
    second = Photo.objects.get(replaces=old.pk)
    if between == "damaged":
        work_off()
    else:
        assert Photo.objects.claim() == second
    replace(owner_api, second, portrait(0.8))
    work_off()
    left = Photo.objects.get()
    assert (left.hidden, left.state) == (True, "ready")
    assert storage.read(left.original_key) == portrait(0.8)


def test_a_hidden_photo_is_replaced_by_a_hidden_one(album: Album, owner_api: APIClient) -> None:
    old = ready_photo(album, portrait(1))
    photo_flow.hide(old, hidden=True)
    replace(owner_api, old, portrait(0.9))
    work_off()
    assert Photo.objects.get().hidden


def test_only_a_photo_of_the_same_album_is_replaced(album: Album, owner_api: APIClient, other_album: Album) -> None:
    foreign = ready_photo(other_album, portrait(1))
    answer = upload(owner_api, album.pk, [("a.jpg", portrait(0.9))], replaces=str(foreign.pk))
    assert len(answer.json()["accepted"]) == 1
    work_off()
    assert Photo.objects.filter(pk=foreign.pk).exists()


def test_what_is_no_id_is_refused_and_nothing_is_stored(album: Album, owner_api: APIClient) -> None:
    assert upload(owner_api, album.pk, [("a.jpg", portrait(1))], replaces="the other one").status_code == 400
    assert not Photo.objects.exists()


@pytest.fixture
def other_album(other_owner: Any) -> Album:
    return Album.objects.create(owner=other_owner, title="Another party")


def test_guests_keep_a_photo_that_was_only_retouched(searchable: Album, link: Link, owner_api: APIClient) -> None:
    old = ready_photo(searchable, portrait(1))
    found = search(link)
    assert Match.objects.get(selfie=found.selfie).photo_id == old.pk
    replace(owner_api, old, portrait(0.9))
    work_off()
    new = Photo.objects.get()
    assert Match.objects.get(selfie=found.selfie).photo_id == new.pk != old.pk
    assert found.api.get(f"/api/v1/photos/{new.pk}/preview").status_code == 200


def test_guests_do_not_get_another_picture_of_the_same_name(
    searchable: Album, link: Link, owner_api: APIClient
) -> None:
    old = ready_photo(searchable, portrait(1))
    found = search(link)
    replace(owner_api, old, coffee())
    work_off()
    assert not Match.objects.filter(selfie=found.selfie).exists()
    assert found.api.get(f"/api/v1/photos/{Photo.objects.get().pk}/preview").status_code == 404
