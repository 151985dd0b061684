"""One person per guest and album, on the real engine: who may be searched for, and what is kept to know it."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from rest_framework.test import APIClient

import recognition
from galleries.flows import selfie as selfie_flow
from galleries.flows import upkeep, visit
from galleries.management.labelled import read_labels
from galleries.models import Album, Link, Match, Photo, SearchRecord, Selfie, SoughtPerson
from galleries.models.lease import from_now
from tests import pictures
from tests.conftest import Found, add, ready_photo, search, work_off
from tests.pages import text_of

LONG = os.environ.get("FUZZ") == "long"
FIRST, SECOND, THIRD = pictures.STRANGERS[:3]


def selfie_of(number: int) -> bytes:
    return pictures.stranger_jpeg(number, selfie=True)


def send(guest: APIClient, link: Link, data: bytes, **fields: str) -> Selfie:
    body = {"selfie": SimpleUploadedFile("me.jpg", data), "consent": "true", **fields}
    answer = guest.post(f"/api/v1/links/{link.token}/selfies/", body)
    assert answer.status_code == 202, answer.content
    return Selfie.objects.get(pk=answer.json()["id"])


def again(found: Found, data: bytes, **fields: str) -> Found:
    """The same guest's next search."""
    selfie = send(found.api, found.selfie.link, data, **fields)
    work_off()
    selfie.refresh_from_db()
    return Found(found.key, selfie)


def told(found: Found) -> dict[str, Any]:
    body: dict[str, Any] = found.api.get(f"/api/v1/selfies/{found.selfie.pk}/").json()
    return body


def names(found: Found) -> set[str]:
    return {photo["name"] for photo in told(found)["photos"]}


@pytest.fixture
def party(searchable: Album) -> Album:
    """One photo of each of three strangers."""
    for number in (FIRST, SECOND, THIRD):
        add(searchable, pictures.stranger_jpeg(number), f"{number}.jpg")
    work_off()
    return searchable


def test_later_selfies_must_show_the_person_of_the_first(party: Album, link: Link) -> None:
    found = search(link, selfie_of(FIRST))
    assert names(found) == {f"{FIRST}.jpg"}
    other = again(found, selfie_of(SECOND))
    body = told(other)
    assert (body["state"], body["code"], body["photos"]) == ("failed", "another_person", [])
    assert "each guest finds their own photos" in body["detail"]
    assert not Match.objects.filter(selfie=other.selfie).exists()
    assert names(again(found, selfie_of(FIRST))) == {f"{FIRST}.jpg"}
    assert SoughtPerson.objects.count() == 1


def test_the_page_says_it_in_words_and_names_nobody(party: Album, link: Link) -> None:
    found = search(link, selfie_of(FIRST))
    other = again(found, selfie_of(SECOND))
    page = found.api.get(f"/s/{other.selfie.pk}/")
    assert "Only your own photos" in text_of(page)
    assert "If it is you, try once more" in text_of(page)
    assert str(SECOND) not in text_of(page)


def test_a_selfie_that_failed_binds_nobody(party: Album, link: Link) -> None:
    found = search(link, pictures.jpeg(pictures.faceless()))
    assert told(found)["code"] == "no_face"
    assert not SoughtPerson.objects.exists()
    assert names(again(found, selfie_of(SECOND))) == {f"{SECOND}.jpg"}


def test_a_person_without_a_photo_yet_is_the_person_too(party: Album, link: Link) -> None:
    found = search(link)
    assert told(found)["photos"] == []
    assert told(again(found, selfie_of(FIRST)))["code"] == "another_person"


def test_each_album_has_its_own_person(party: Album, link: Link) -> None:
    found = search(link, selfie_of(FIRST))
    other_album = Album.objects.create(owner=party.owner, title="Other", face_search=True, engine=party.engine)
    elsewhere = send(found.api, Link.make(other_album), selfie_of(SECOND))
    work_off()
    elsewhere.refresh_from_db()
    assert elsewhere.state == "done"


def test_the_owner_can_allow_families(party: Album, link: Link, owner_api: APIClient) -> None:
    path = f"/api/v1/albums/{party.pk}/"
    assert owner_api.patch(path, {"persons_a_guest": 2}, format="json").json()["persons_a_guest"] == 2
    assert owner_api.patch(path, {"persons_a_guest": 4}, format="json").status_code == 400
    assert owner_api.patch(path, {"persons_a_guest": 0}, format="json").status_code == 400
    found = search(link, selfie_of(FIRST))
    child = again(found, selfie_of(SECOND))
    assert (names(found), names(child)) == ({f"{FIRST}.jpg"}, {f"{SECOND}.jpg"})
    assert told(again(found, selfie_of(THIRD)))["code"] == "another_person"


def test_what_is_said_of_one_person_says_nothing_of_the_other(party: Album, link: Link) -> None:
    Album.objects.update(persons_a_guest=2)
    found = search(link, selfie_of(FIRST))
    judged = {"photo": Photo.objects.get(name=f"{FIRST}.jpg").pk, "verdict": "me"}
    assert found.api.post(f"/api/v1/selfies/{found.selfie.pk}/feedback/", judged, format="json").status_code == 200
    assert names(again(found, selfie_of(SECOND))) == {f"{SECOND}.jpg"}
    assert Match.objects.get(selfie=again(found, selfie_of(FIRST)).selfie).verdict == "me"


def test_of_two_first_selfies_looked_at_at_once_one_counts(party: Album, link: Link) -> None:
    guest = APIClient()
    first = guest.post(
        f"/api/v1/links/{link.token}/selfies/",
        {"selfie": SimpleUploadedFile("me.jpg", selfie_of(FIRST)), "consent": "true"},
    )
    guest.credentials(HTTP_PIXORA_GUEST=first.json()["guest_key"])
    send(guest, link, selfie_of(SECOND))
    claimed = [Selfie.objects.claim(), Selfie.objects.claim()]
    looked_at = []
    for selfie in claimed:
        assert selfie
        # Both have been compared with the guest's persons of a moment ago, when there were none.
        looked_at.append(selfie)
    for selfie in looked_at:
        selfie_flow.search(selfie)
    assert sorted(Selfie.objects.values_list("state", "code")) == [("done", ""), ("failed", "another_person")]


# What is kept


def test_it_is_kept_as_long_as_a_search_is_about_it_and_not_longer(party: Album, link: Link) -> None:
    found = search(link, selfie_of(FIRST))
    second = again(found, selfie_of(FIRST))
    assert found.api.delete(f"/api/v1/selfies/{found.selfie.pk}/").status_code == 204
    assert SoughtPerson.objects.count() == 1
    assert second.api.delete(f"/api/v1/selfies/{second.selfie.pk}/").status_code == 204
    assert not SoughtPerson.objects.exists()


def run_out(found: Found) -> None:
    Selfie.objects.update(expires_at=from_now(-1))
    upkeep.end_selfies()


def delete_link(found: Found) -> None:
    visit.delete_link(found.selfie.link)


def switch_off(found: Found) -> None:
    from galleries.flows import album as album_flow

    album_flow.switch_face_search(found.selfie.album, False)


def delete_album(found: Found) -> None:
    from galleries.flows import album as album_flow

    album_flow.delete(found.selfie.album)


@pytest.mark.parametrize("end", [run_out, delete_link, switch_off, delete_album])
def test_it_dies_with_the_last_search_however_that_ends(party: Album, link: Link, end: Any) -> None:
    found = search(link, selfie_of(FIRST), keep_me_posted="true")
    assert SoughtPerson.objects.exists()
    end(found)
    assert not SoughtPerson.objects.exists()


def test_after_withdrawing_nobody_knows_who_it_was_and_it_is_written_down(party: Album, link: Link) -> None:
    found = search(link, selfie_of(FIRST))
    found.api.delete(f"/api/v1/selfies/{found.selfie.pk}/")
    assert names(again(found, selfie_of(SECOND))) == {f"{SECOND}.jpg"}
    begun = SearchRecord.objects.order_by("created_at").values_list("is_repeat", "began_anew")
    assert list(begun) == [(False, False), (True, True)]


def test_a_new_engine_begins_anew(party: Album, link: Link) -> None:
    found = search(link, selfie_of(FIRST))
    SoughtPerson.objects.update(engine="another+engine@1")
    assert told(again(found, selfie_of(SECOND)))["state"] == "done"


# A photo of the album as selfie


def shown(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def crop(picture: Image.Image) -> Image.Image:
    return picture.crop((60, 60, picture.width - 60, picture.height - 60))


def screenshot(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width * 3 // 2, picture.height * 3 // 2), Image.Resampling.BILINEAR)


def darker(picture: Image.Image) -> Image.Image:
    return Image.fromarray((np.asarray(picture) * 0.7).astype(np.uint8))


def mirrored(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(np.asarray(picture)[:, ::-1]))


@pytest.mark.parametrize("alter", [crop, screenshot, darker, mirrored])
def test_a_photo_of_the_album_is_no_selfie(searchable: Album, link: Link, alter: Any) -> None:
    ready_photo(searchable)
    portrait = Image.fromarray(pictures.portrait()[0:300, 60:380])
    found = search(link, pictures.jpeg(np.asarray(alter(portrait)), quality=75))
    body = told(found)
    assert (body["state"], body["code"], body["photos"]) == ("failed", "album_photo", [])
    assert "fresh selfie" in body["detail"]
    assert not SoughtPerson.objects.exists()


def test_another_picture_of_the_same_person_is_one(searchable: Album, link: Link) -> None:
    ready_photo(searchable)
    assert names(search(link)) == {"a.jpg"}


def test_no_guest_of_a_real_event_is_taken_for_a_copy(photos_dir: Path) -> None:
    event = photos_dir / "event"
    labels, faces = read_labels(event / "labels.json"), []
    # The long form takes all of them: half a minute.
    for name in list(labels.squares)[: None if LONG else 24]:
        with Image.open(event / "photos" / name) as picture:
            faces += [face.embedding for face in recognition.find_faces(np.asarray(picture.convert("RGB")))]
    album = np.stack(faces)
    refused = []
    for stem in labels.selfies.values():
        with Image.open(next((event / "selfies").glob(f"{stem}.*"))) as picture:
            selfie = recognition.embed_selfie(np.asarray(picture.convert("RGB"))).embedding
        if recognition.is_same_picture(selfie, album):
            refused.append(stem)
    assert (len(labels.selfies), refused) == (60, [])
