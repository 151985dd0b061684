"""Journey two over HTTP, on the real engine: consent, search, what the guest says of it, later photos, withdrawal."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from galleries import storage
from galleries.flows import photo as photo_flow
from galleries.models import Album, EmbeddingBlock, Guest, Link, Match, Photo, Selfie
from galleries.models.lease import from_now
from tests import pictures
from tests.conftest import Found, add, ready_photo, search, work_off


def darker() -> bytes:
    return pictures.jpeg((pictures.portrait() * 0.6).astype(np.uint8))


def mirrored() -> bytes:
    return pictures.jpeg(np.ascontiguousarray(pictures.portrait()[:, ::-1]))


def selfies_address(link: Link) -> str:
    return f"/api/v1/links/{link.token}/selfies/"


def send(link: Link, data: bytes, **fields: str) -> Any:
    return APIClient().post(selfies_address(link), {"selfie": SimpleUploadedFile("me.jpg", data), **fields})


def state_of(found: Found) -> dict[str, Any]:
    answer = found.api.get(f"/api/v1/selfies/{found.selfie.pk}/")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def names(found: Found) -> set[str]:
    return {photo["name"] for photo in state_of(found)["photos"]}


def test_a_guest_finds_their_photos_and_no_others(searchable: Album, link: Link) -> None:
    for name, data in {"dark.jpg": darker(), "mirror.jpg": mirrored()}.items():
        add(searchable, data, name)
    add(searchable, pictures.jpeg(pictures.faceless()), "coffee.jpg")
    work_off()
    found = search(link)
    body = state_of(found)
    assert (body["state"], body["scanned"], body["total"]) == ("done", 3, 3)
    assert {(photo["name"], photo["tier"]) for photo in body["photos"]} == {
        ("dark.jpg", "sure"),
        ("mirror.jpg", "sure"),
    }
    assert found.api.get(body["photos"][0]["original"]).status_code == 200


def test_without_consent_nothing_is_kept(link: Link) -> None:
    for fields in ({}, {"consent": "false"}):
        answer = send(link, pictures.selfie_jpeg(), **fields)
        assert (answer.status_code, answer.json()["code"]) == (403, "consent_required")
    assert not Guest.objects.exists()
    assert not Selfie.objects.exists()
    assert not list(storage.path("x").parent.glob("selfies/*"))


def three_faces() -> bytes:
    return pictures.jpeg(np.hstack([pictures.portrait()[:300, 100:350]] * 3))


def tiny_face() -> bytes:
    canvas = pictures.faceless().copy()
    small = pictures.portrait()[40:200, 140:300][::4, ::4]
    canvas[100:140, 100:140] = small
    return pictures.jpeg(canvas)


BAD_SELFIES = {
    "no_face": lambda: pictures.jpeg(pictures.faceless()),
    "several_faces": three_faces,
    "face_too_small": tiny_face,
    "damaged": pictures.truncated_jpeg,
}


@pytest.mark.parametrize("code", BAD_SELFIES)
def test_a_selfie_that_cannot_be_searched_with_says_why(link: Link, code: str) -> None:
    found = search(link, BAD_SELFIES[code]())
    body = state_of(found)
    assert (body["state"], body["code"], body["photos"]) == ("failed", code, [])
    assert len(body["detail"]) > 20


@pytest.mark.parametrize(("make", "code"), [(pictures.html, "not_a_photo"), (lambda: b"", "empty_file")])
def test_what_is_no_picture_is_refused_at_once(link: Link, make: Any, code: str) -> None:
    answer = send(link, make(), consent="true")
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert not Selfie.objects.exists()


@pytest.mark.parametrize("make", [pictures.selfie_jpeg, BAD_SELFIES["no_face"], pictures.truncated_jpeg])
def test_the_selfies_bytes_are_gone_after_the_search_however_it_ended(link: Link, make: Any) -> None:
    send(link, make(), consent="true")
    selfie = Selfie.objects.get()
    assert storage.exists(selfie.scratch_key)
    work_off()
    assert not storage.exists(selfie.scratch_key)


def test_the_vector_is_kept_only_on_the_guests_wish(searchable: Album, link: Link) -> None:
    ready_photo(searchable)
    for wish, kept in (("false", False), ("true", True)):
        found = search(link, keep_me_posted=wish)
        found.selfie.refresh_from_db()
        assert (found.selfie.vectors is not None) is kept


def test_later_photos_join_by_themselves(searchable: Album, link: Link) -> None:
    posted, not_posted = search(link, keep_me_posted="true"), search(link)
    assert names(posted) == set()
    add(searchable, darker(), "later.jpg")
    add(searchable, pictures.jpeg(pictures.faceless()), "coffee.jpg")
    work_off()
    assert names(posted) == {"later.jpg"}
    assert state_of(posted)["scanned"] == 2
    assert names(not_posted) == set()


def test_a_photo_indexed_while_the_search_ran_is_not_missed(searchable: Album, link: Link) -> None:
    """The search has read the album; then a photo comes, before the search is a watching one."""
    from galleries.flows import selfie as selfie_flow

    ready_photo(searchable, pictures.jpeg(pictures.faceless()), "coffee.jpg")
    send(link, pictures.selfie_jpeg(), consent="true", keep_me_posted="true")
    selfie = Selfie.objects.claim()
    assert selfie is not None
    seen = selfie_flow._find(selfie)
    add(searchable, darker(), "late.jpg")
    while Photo.objects.due().exists():
        photo_flow.work()
    selfie_flow._finish(selfie, seen)
    work_off()
    assert selfie.matches.get().photo.name == "late.jpg"


def test_another_guest_sees_nothing_of_it(searchable: Album, link: Link) -> None:
    photo = ready_photo(searchable)
    found, stranger = search(link), search(link, pictures.jpeg(pictures.faceless()))
    for path in (f"/selfies/{found.selfie.pk}/", f"/photos/{photo.pk}/thumb", f"/photos/{photo.pk}/original"):
        assert found.api.get(f"/api/v1{path}").status_code == 200
        foreign, missing = stranger.api.get(f"/api/v1{path}"), APIClient().get(f"/api/v1{path}")
        assert (foreign.status_code, missing.status_code) == (404, 404)
        assert foreign.content == missing.content


def test_not_me_takes_a_photo_away_and_thats_me_keeps_it(searchable: Album, link: Link) -> None:
    first, second = ready_photo(searchable, darker(), "a.jpg"), ready_photo(searchable, mirrored(), "b.jpg")
    found = search(link, keep_me_posted="true")
    address = f"/api/v1/selfies/{found.selfie.pk}/feedback/"
    assert found.api.post(address, {"photo": first.pk, "verdict": "not_me"}, format="json").status_code == 200
    assert names(found) == {"b.jpg"}
    assert found.api.get(f"/api/v1/photos/{first.pk}/thumb").status_code == 404
    assert found.api.post(address, {"photo": first.pk, "verdict": "me"}, format="json").json()["tier"] == "sure"
    assert names(found) == {"a.jpg", "b.jpg"}
    assert found.api.post(address, {"photo": second.pk, "verdict": "perhaps"}, format="json").status_code == 400


def test_what_the_guest_said_survives_a_new_index_and_a_new_search(searchable: Album, link: Link) -> None:
    wrong, right = ready_photo(searchable, darker(), "a.jpg"), ready_photo(searchable, mirrored(), "b.jpg")
    found = search(link, keep_me_posted="true")
    address = f"/api/v1/selfies/{found.selfie.pk}/feedback/"
    found.api.post(address, {"photo": wrong.pk, "verdict": "not_me"}, format="json")
    found.api.post(address, {"photo": right.pk, "verdict": "me"}, format="json")
    Photo.objects.update(wanted_engine=searchable.engine)
    work_off()
    Selfie.objects.update(wanted=True)
    work_off()
    assert names(found) == {"b.jpg"}
    assert Match.objects.get(photo=right).verdict == "me"
    again = found.api.post(
        selfies_address(link), {"selfie": SimpleUploadedFile("me.jpg", pictures.selfie_jpeg()), "consent": "true"}
    )
    assert again.status_code == 202
    assert "guest_key" not in again.json()
    work_off()
    assert names(Found(found.key, Selfie.objects.get(pk=again.json()["id"]))) == {"b.jpg"}


def test_feedback_counts_only_on_a_photo_of_the_result(searchable: Album, link: Link) -> None:
    other = ready_photo(searchable, pictures.jpeg(pictures.faceless()), "coffee.jpg")
    found = search(link)
    answer = found.api.post(
        f"/api/v1/selfies/{found.selfie.pk}/feedback/", {"photo": other.pk, "verdict": "me"}, format="json"
    )
    assert answer.status_code == 404
    assert names(found) == set()


def test_a_maybe_is_a_preview_until_the_guest_says_thats_me(searchable: Album, link: Link) -> None:
    photo = ready_photo(searchable)
    found = search(link)
    Match.objects.update(tier="maybe")
    shown = state_of(found)["photos"][0]
    assert (shown["tier"], shown["original"]) == ("maybe", None)
    assert found.api.get(shown["preview"]).status_code == 200
    assert found.api.get(f"/api/v1/photos/{photo.pk}/original").status_code == 403
    feedback = {"photo": photo.pk, "verdict": "me"}
    found.api.post(f"/api/v1/selfies/{found.selfie.pk}/feedback/", feedback, format="json")
    shown = state_of(found)["photos"][0]
    assert shown["tier"] == "sure"
    assert found.api.get(shown["original"]).status_code == 200


def test_a_hidden_photo_is_hidden_from_its_guests(searchable: Album, link: Link, owner_api: APIClient) -> None:
    photo = ready_photo(searchable)
    found = search(link)
    owner_api.patch(f"/api/v1/photos/{photo.pk}/", {"hidden": True}, format="json")
    assert names(found) == set()
    assert found.api.get(f"/api/v1/photos/{photo.pk}/thumb").status_code == 404


def test_withdrawing_erases_everything_of_the_search(searchable: Album, link: Link) -> None:
    photo = ready_photo(searchable)
    found = search(link, keep_me_posted="true")
    zipped = found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", {}, format="json").json()
    assert found.api.delete(f"/api/v1/selfies/{found.selfie.pk}/").status_code == 204
    gone = [f"/api/v1/selfies/{found.selfie.pk}/", f"/api/v1/photos/{photo.pk}/thumb", zipped["url"]]
    assert [found.api.get(address).status_code for address in gone] == [404] * 3
    assert not Match.objects.exists()


def test_a_worker_cannot_write_back_after_withdrawal(searchable: Album, link: Link) -> None:
    from galleries.flows import selfie as selfie_flow

    ready_photo(searchable)
    send(link, pictures.selfie_jpeg(), consent="true", keep_me_posted="true")
    selfie = Selfie.objects.claim()
    assert selfie is not None
    selfie_flow.withdraw(Selfie.objects.get(pk=selfie.pk))
    selfie_flow.search(selfie)
    assert not Selfie.objects.exists()
    assert not Match.objects.exists()


def test_a_search_whose_worker_died_is_taken_up_again(searchable: Album, link: Link) -> None:
    ready_photo(searchable)
    send(link, pictures.selfie_jpeg(), consent="true")
    assert Selfie.objects.claim() is not None
    assert Selfie.objects.claim() is None
    Selfie.objects.update(lease_until=from_now(-1))
    work_off()
    assert Selfie.objects.get().state == "done"


def test_vectors_of_two_engines_are_never_compared(searchable: Album, link: Link) -> None:
    ready_photo(searchable)
    EmbeddingBlock.objects.update(engine="another+engine@1")
    assert names(search(link)) == set()
    Album.objects.update(engine="another+engine@1")
    body = state_of(search(link))
    assert (body["state"], body["code"]) == ("failed", "engine_changed")


@pytest.mark.parametrize("end", [{"enabled": False}, {"expires_at": from_now(-1)}])
def test_a_link_that_ended_ends_its_guests_access_at_once(searchable: Album, link: Link, end: dict[str, Any]) -> None:
    photo = ready_photo(searchable)
    found = search(link)
    Link.objects.update(**end)
    assert found.api.get(f"/api/v1/selfies/{found.selfie.pk}/").status_code == 404
    assert found.api.get(f"/api/v1/photos/{photo.pk}/thumb").status_code == 404
    for path in ("", "photos/"):
        answer = APIClient().get(f"/api/v1/links/{link.token}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (410, "link_expired")
    assert send(link, pictures.selfie_jpeg(), consent="true").status_code == 410


def test_with_face_search_off_no_selfie_is_taken_and_old_ones_end(
    searchable: Album, link: Link, owner_api: APIClient
) -> None:
    ready_photo(searchable)
    found = search(link, keep_me_posted="true")
    owner_api.patch(f"/api/v1/albums/{searchable.pk}/", {"face_search": False}, format="json")
    assert state_of(found)["state"] == "expired"
    found.selfie.refresh_from_db()
    assert found.selfie.vectors is None
    assert send(link, pictures.selfie_jpeg(), consent="true").json()["code"] == "face_search_off"


def test_a_locked_link_wants_its_password_everywhere(searchable: Album) -> None:
    link = Link.make(searchable, password="sesame", can_browse=True)
    ready_photo(searchable)
    assert send(link, pictures.selfie_jpeg(), consent="true").json()["code"] == "password_required"
    assert APIClient().get(f"/api/v1/links/{link.token}/photos/").json()["code"] == "password_required"
    unlock = f"/api/v1/links/{link.token}/unlock/"
    wrong = APIClient().post(unlock, {"password": "guess"}, format="json")
    assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_password")
    assert "guess" not in wrong.content.decode()
    assert not Guest.objects.exists()
    key = APIClient().post(unlock, {"password": "sesame"}, format="json").json()["guest_key"]
    client = APIClient()
    client.credentials(HTTP_PIXORA_GUEST=key)
    photos = client.get(f"/api/v1/links/{link.token}/photos/").json()["results"]
    assert client.get(photos[0]["original"]).status_code == 200
    answer = client.post(
        selfies_address(link), {"selfie": SimpleUploadedFile("a.jpg", pictures.selfie_jpeg()), "consent": "true"}
    )
    assert answer.status_code == 202


def test_a_link_takes_no_more_new_guests_than_it_may(searchable: Album) -> None:
    link = Link.make(searchable, max_uses=1)
    first = search(link)
    assert send(link, pictures.selfie_jpeg(), consent="true").json()["code"] == "link_used_up"
    again = first.api.post(
        selfies_address(link), {"selfie": SimpleUploadedFile("a.jpg", pictures.selfie_jpeg()), "consent": "true"}
    )
    assert again.status_code == 202


def test_guests_of_a_real_event_find_their_photos(searchable: Album, link: Link, photos_dir: Path) -> None:
    """Two guests and ten photos of each of a labelled album; scores over all of it are evaluate_faces' business."""
    import json

    event = photos_dir / "event"
    labels = json.loads((event / "labels.json").read_text())
    counts = {guest: [name for name, who in labels["photos"].items() if guest in who] for guest in labels["guests"]}
    guests = sorted(counts, key=lambda guest: -len(counts[guest]))[:2]
    names_wanted = sorted({name for guest in guests for name in counts[guest][:10]})
    for name in names_wanted:
        add(searchable, (event / "photos" / name).read_bytes(), name)
    work_off()
    for guest in guests:
        found = search(link, (event / "selfies" / labels["guests"][guest]).read_bytes())
        sure = {photo["name"] for photo in state_of(found)["photos"] if photo["tier"] == "sure"}
        truth = {name for name in names_wanted if guest in labels["photos"][name]}
        assert len(sure & truth) >= 0.6 * len(truth)
        assert len(sure - truth) <= 1
