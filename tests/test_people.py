"""The people of an album, for its photographer: found by a worker, named, merged, put right, and gone when unwanted."""

import io
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.db.models.functions import Now
from PIL import Image, ImageEnhance
from rest_framework.test import APIClient

import recognition
from galleries.errors import Refusal
from galleries.flows import album as album_flow
from galleries.flows import grouping as grouping_flow
from galleries.flows import people as people_flow
from galleries.flows import photo as photo_flow
from galleries.flows import reindex, upkeep
from galleries.models import Album, EmbeddingBlock, Face, Grouping, Person, Photo, Sighting, User
from tests import pictures
from tests.conftest import ready_photo, search, work_off

pytestmark = pytest.mark.django_db(transaction=True)
ANN, BOB, CAL = pictures.STRANGERS[:3]


def photo_of(*people: int, light: float = 1.0) -> bytes:
    """These people, side by side, in another light each time."""
    faces = [Image.open(io.BytesIO(pictures.stranger_jpeg(person))) for person in people]
    lit = [np.asarray(ImageEnhance.Brightness(face).enhance(light)) for face in faces]
    return pictures.jpeg(np.hstack(lit))


def lights(count: int) -> Iterator[float]:
    return iter(np.linspace(0.7, 1.2, count).tolist())


def taken(album: Album, **people: int) -> None:
    """So many photos of each, one at a time."""
    for name, count in people.items():
        for at, light in enumerate(lights(count)):
            number = {"ann": ANN, "bob": BOB, "cal": CAL}[name]
            ready_photo(album, photo_of(number, light=light), f"{name}{at}.jpg")


def group(album: Album) -> None:
    """What the worker does once things have settled."""
    Grouping.objects.filter(album=album).update(wanted_at=Now(), lease_until=None)
    grouping_flow.work()


def photos_of(person: Person) -> set[str]:
    return set(person.sightings.there().values_list("photo__name", flat=True))


def as_names(album: Album) -> set[frozenset[str]]:
    return {frozenset(photos_of(person)) for person in people_flow.listed(album)}


def names(prefix: str, count: int) -> frozenset[str]:
    return frozenset(f"{prefix}{at}.jpg" for at in range(count))


def person_in(album: Album, photo: str) -> Person:
    seen = Sighting.objects.there().get(person__album=album, photo__name=photo, photo__album=album)
    return seen.person


_find_faces = recognition.find_faces
_found: dict[tuple[bytes, str], list[recognition.Face]] = {}


def _find_faces_once(pixels: recognition.Pixels, engine_name: str = "") -> list[recognition.Face]:
    """The same pixels have the same faces."""
    key = pixels.tobytes(), engine_name
    if key not in _found:
        _found[key] = _find_faces(pixels, engine_name)
    return _found[key]


@pytest.fixture(autouse=True)
def each_photo_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real engine's faces, kept from test to test: they want the same few photos."""
    monkeypatch.setattr(recognition, "find_faces", _find_faces_once)


@pytest.fixture
def party(searchable: Album, owner: User) -> Album:
    """Ann is in four photos, Bob in two, Cal in one."""
    people_flow.switch(searchable, True, by=owner)
    taken(searchable, ann=4, bob=2, cal=1)
    group(searchable)
    return searchable


# Found


def test_everybody_who_was_photographed_twice_is_a_person(party: Album) -> None:
    assert as_names(party) == {names("ann", 4), names("bob", 2)}
    assert people_flow.progress(party) == people_flow.Progress("ready", 7, 7)


def test_nobody_is_looked_for_unless_the_owner_wants_it(searchable: Album) -> None:
    taken(searchable, ann=2)
    upkeep.sweep()
    grouping_flow.work()
    assert not Person.objects.exists()
    assert people_flow.progress(searchable).state == "off"


def test_people_need_face_search(album: Album, owner: User) -> None:
    with pytest.raises(Refusal) as refused:
        people_flow.switch(album, True, by=owner)
    assert refused.value.code == "face_search_off"
    assert not Grouping.objects.exists()


def test_later_photos_join_and_whoever_is_there_stays_who_they_are(party: Album) -> None:
    ann, bob = person_in(party, "ann0.jpg"), person_in(party, "bob0.jpg")
    assert Grouping.objects.get().wanted_at is None
    ready_photo(party, photo_of(ANN, BOB), "both.jpg")
    ready_photo(party, photo_of(CAL, light=0.8), "cal1.jpg")
    assert Grouping.objects.get().wanted_at is not None
    assert people_flow.progress(party).state == "working"
    group(party)
    assert photos_of(ann) == names("ann", 4) | {"both.jpg"}
    assert photos_of(bob) == names("bob", 2) | {"both.jpg"}
    assert as_names(party) > {names("cal", 2)}


def test_the_sweeper_finds_an_album_that_waits(party: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[Any] = []
    monkeypatch.setattr(upkeep, "ring", rung.append)
    upkeep.ring_for_due()
    assert grouping_flow.work not in rung
    Grouping.objects.update(wanted_at=Now(), lease_until=None)
    upkeep.ring_for_due()
    assert grouping_flow.work in rung


def test_grouped_again_nothing_is_written_anew(party: Album) -> None:
    before = list(Sighting.objects.order_by("pk").values_list("pk", "person", "photo", "said"))
    group(party)
    assert list(Sighting.objects.order_by("pk").values_list("pk", "person", "photo", "said")) == before


def test_a_deleted_photo_takes_its_faces_along(party: Album) -> None:
    photo_flow.delete(party.photos.filter(name__startswith="bob"))
    assert as_names(party) == {names("ann", 4)}
    group(party)
    assert Person.objects.count() == 1


# What somebody said


def test_a_name_stays_when_faces_are_grouped_anew(party: Album) -> None:
    ann = person_in(party, "ann0.jpg")
    people_flow.describe(ann, name="Ann")
    ready_photo(party, photo_of(ANN, light=0.65), "late.jpg")
    group(party)
    assert photos_of(Person.objects.get(name="Ann")) == names("ann", 4) | {"late.jpg"}


def test_a_name_goes_over_to_nobody_when_its_faces_are_gone(party: Album) -> None:
    """Another engine may not see them."""
    ann, bob = person_in(party, "ann0.jpg"), person_in(party, "bob0.jpg")
    people_flow.describe(ann, name="Ann")
    unseen = party.photos.filter(name__startswith="ann")
    Face.objects.filter(photo__in=unseen).delete()
    EmbeddingBlock.objects.filter(photo__in=unseen).update(count=0, vectors=b"", weak=b"")
    group(party)
    assert photos_of(bob) == names("bob", 2)
    assert photos_of(ann) == names("ann", 4)


def test_merged_people_stay_one_though_they_are_not_alike(party: Album) -> None:
    ann, bob = person_in(party, "ann0.jpg"), person_in(party, "bob0.jpg")
    people_flow.describe(bob, name="Both")
    people_flow.merge(ann, [bob])
    for _ in range(2):
        assert as_names(party) == {names("ann", 4) | names("bob", 2)}
        assert Person.objects.get().name == "Both"
        group(party)


def test_of_two_faces_in_one_photo_a_merged_person_keeps_their_own(party: Album) -> None:
    ready_photo(party, photo_of(ANN, BOB), "both.jpg")
    group(party)
    ann, bob = person_in(party, "ann0.jpg"), person_in(party, "bob0.jpg")
    own = ann.sightings.get(photo__name="both.jpg")
    people_flow.merge(ann, [bob])
    assert ann.sightings.get(photo__name="both.jpg").pk == own.pk
    group(party)
    assert ann.sightings.there().filter(photo__name="both.jpg").count() == 1


def test_a_merge_of_whom_was_kept_away_brings_them_back(party: Album) -> None:
    """And what was said of one of them holds for both."""
    ann, bob = person_in(party, "ann0.jpg"), person_in(party, "bob0.jpg")
    photos = {photo.name: photo.pk for photo in party.photos.all()}
    people_flow.remove(ann, [photos["ann2.jpg"], photos["ann3.jpg"]])
    group(party)
    apart = person_in(party, "ann3.jpg")
    people_flow.remove(apart, [photos["ann3.jpg"]])
    people_flow.merge(ann, [apart, bob])
    for _ in range(2):
        assert photos_of(ann) == names("ann", 3) | names("bob", 2)
        group(party)


def test_who_is_said_not_to_be_a_person_stays_away_from_them(party: Album) -> None:
    ann = person_in(party, "ann0.jpg")
    gone = party.photos.get(name="ann3.jpg")
    assert people_flow.remove(ann, [gone.pk]) == 1
    for _ in range(2):
        assert photos_of(ann) == names("ann", 3)
        group(party)
    with pytest.raises(Refusal) as refused:
        people_flow.remove(ann, [gone.pk])
    assert refused.value.code == "not_in_photos"


def test_a_person_who_is_hidden_stays_hidden(party: Album) -> None:
    people_flow.describe(person_in(party, "ann0.jpg"), hidden=True)
    group(party)
    assert as_names(party) == {names("bob", 2)}
    assert people_flow.listed(party, hidden=True).count() == 1


def test_what_was_said_outlives_the_engine(party: Album) -> None:
    """The same models under a later name: other rows, the same boxes."""
    ann = person_in(party, "ann0.jpg")
    people_flow.describe(ann, name="Ann")
    people_flow.remove(ann, [party.photos.get(name="ann3.jpg").pk])
    other = recognition.engine("centerface-onnx+Dlib@1").name
    reindex.begin(party, other)
    while Photo.objects.due().exists():
        photo_flow.work()
    reindex.advance(party)
    party.refresh_from_db()
    assert party.engine == other
    assert Grouping.objects.get().wanted_at is not None
    reindex.forget_old(party)
    group(party)
    assert photos_of(Person.objects.get(name="Ann")) == names("ann", 3)
    assert person_in(party, "bob0.jpg") == person_in(party, "bob1.jpg")


def test_what_was_said_goes_over_to_a_photo_that_takes_another_s_place(party: Album) -> None:
    ann = person_in(party, "ann0.jpg")
    people_flow.remove(ann, [party.photos.get(name="ann3.jpg").pk])
    for name in ("ann2.jpg", "ann3.jpg"):
        old = party.photos.get(name=name)
        photo_flow.receive(party, f"new-{name}", "", [photo_of(ANN, light=1.1) + name.encode()], replaces=old.pk)
    work_off()
    assert photos_of(ann) == names("ann", 2) | {"new-ann2.jpg"}
    group(party)
    assert photos_of(ann) == names("ann", 2) | {"new-ann2.jpg"}


# Two at once


def claimed() -> Grouping:
    Grouping.objects.update(wanted_at=Now(), lease_until=None)
    grouping = Grouping.objects.claim()
    assert grouping is not None
    return grouping


def test_what_is_said_while_a_worker_groups_counts(party: Album) -> None:
    ann, bob = person_in(party, "ann0.jpg"), person_in(party, "bob0.jpg")
    grouping = claimed()
    found = grouping_flow._find(party)
    people_flow.merge(ann, [bob])
    grouping_flow._keep(grouping, found, rest_seconds=0)
    assert as_names(party) == {names("ann", 4) | names("bob", 2)}
    assert Grouping.objects.get().wanted_at is not None


@pytest.mark.parametrize("end", ["people off", "face search off", "album deleted"])
def test_what_ends_while_a_worker_groups_leaves_nothing(party: Album, owner: User, end: str) -> None:
    grouping = claimed()
    found = grouping_flow._find(party)
    if end == "people off":
        people_flow.switch(party, False, by=owner)
    elif end == "face search off":
        album_flow.switch_face_search(party, False)
    else:
        album_flow.delete(party)
    grouping_flow._keep(grouping, found, rest_seconds=0)
    assert not Grouping.objects.exists()
    assert not Person.objects.exists()
    assert not Sighting.objects.exists()


def test_photos_that_come_and_go_while_a_worker_groups_are_seen_to(party: Album) -> None:
    grouping = claimed()
    found = grouping_flow._find(party)
    photo_flow.delete(party.photos.filter(name="ann0.jpg"))
    ready_photo(party, photo_of(BOB, light=0.9), "late.jpg")
    grouping_flow._keep(grouping, found, rest_seconds=0)
    assert Grouping.objects.get().wanted_at is not None
    group(party)
    assert as_names(party) == {names("ann", 4) - {"ann0.jpg"}, names("bob", 2) | {"late.jpg"}}


def test_an_engine_that_changes_while_a_worker_groups_is_seen_to(party: Album) -> None:
    grouping = claimed()
    found = grouping_flow._find(party)
    reindex.begin(party, "centerface-onnx+Dlib@1")
    while Photo.objects.due().exists():
        photo_flow.work()
    reindex.advance(party)
    grouping_flow._keep(grouping, found, rest_seconds=0)
    assert Grouping.objects.get().wanted_at is not None


def test_what_is_said_between_two_steps_of_a_worker_counts(party: Album) -> None:
    ready_photo(party, photo_of(BOB, light=0.9), "late.jpg")
    grouping = claimed()
    found = grouping_flow._find(party)
    assert found
    steps = list(grouping_flow._steps(found))
    with grouping_flow._held(grouping) as album:
        steps[0](album)
    people_flow.describe(person_in(party, "ann0.jpg"), name="Ann")
    grouping_flow._keep(grouping, found, rest_seconds=0)
    assert not Sighting.objects.filter(photo__name="late.jpg").exists()
    group(party)
    assert as_names(party) == {names("ann", 4), names("bob", 2) | {"late.jpg"}}


def test_a_worker_that_fails_tries_again(party: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(recognition, "group", broken)
        group(party)
    grouping = Grouping.objects.get()
    assert (grouping.attempts, grouping.fence) == (1, None)
    assert grouping.wanted_at is not None
    group(party)
    assert Grouping.objects.get().wanted_at is None


def test_an_album_without_faces_has_no_people(searchable: Album, owner: User) -> None:
    people_flow.switch(searchable, True, by=owner)
    group(searchable)
    assert people_flow.progress(searchable).state == "ready"
    assert not Person.objects.exists()


# The API


def people_of(api: APIClient, album: Album, **query: Any) -> list[dict[str, Any]]:
    answer = api.get(f"/api/v1/albums/{album.pk}/people/", query)
    assert answer.status_code == 200, answer.content
    return list(answer.json()["results"])


def test_people_are_listed_by_how_often_they_are_seen(party: Album, owner_api: APIClient) -> None:
    first, second = people_of(owner_api, party)
    assert [first["photo_count"], second["photo_count"]] == [4, 2]
    page = owner_api.get(f"/api/v1/albums/{party.pk}/people/", {"limit": 1}).json()
    assert [each["id"] for each in page["results"]] == [first["id"]]
    following = owner_api.get(page["next"]).json()
    assert [each["id"] for each in following["results"]] == [second["id"]]
    assert following["next"] is None
    assert owner_api.get(following["previous"]).json()["results"] == page["results"]


def test_photos_are_listed_by_person(party: Album, owner_api: APIClient, other_owner: User) -> None:
    first, _ = people_of(owner_api, party)
    listed = owner_api.get(first["photos_url"]).json()["results"]
    assert {photo["name"] for photo in listed} == names("ann", 4)
    path = f"/api/v1/albums/{party.pk}/photos/"
    assert owner_api.get(path, {"person": str(uuid4())}).status_code == 404
    assert owner_api.get(path, {"person": "anybody"}).json()["errors"].keys() == {"person"}
    assert owner_api.get(path, {"person": ""}).status_code == 400
    elsewhere = Person.objects.create(album=Album.objects.create(owner=other_owner, title="Other"))
    assert owner_api.get(path, {"person": str(elsewhere.pk)}).status_code == 404


def test_a_face_is_a_small_square_of_that_person(party: Album, owner_api: APIClient) -> None:
    first, _ = people_of(owner_api, party)
    answer = owner_api.get(first["face_url"])
    face = Image.open(io.BytesIO(answer.content))
    assert (answer["Content-Type"], face.size) == ("image/jpeg", (160, 160))
    seen = recognition.find_faces(np.asarray(face.resize((480, 480))))
    wanted = recognition.find_faces(np.asarray(Image.open(io.BytesIO(photo_of(ANN)))))
    assert recognition.is_same_person(seen[0].embedding, wanted[0].embedding)
    assert owner_api.get(first["face_url"], HTTP_IF_NONE_MATCH=answer["ETag"]).status_code == 304
    Sighting.objects.all().delete()
    assert owner_api.get(first["face_url"]).status_code == 404


def test_people_are_named_hidden_merged_and_put_right(party: Album, owner_api: APIClient) -> None:
    first, second = (each["id"] for each in people_of(owner_api, party))
    named = owner_api.patch(f"/api/v1/people/{first}/", {"name": "Ann"}, format="json")
    assert (named.status_code, named.json()["name"]) == (200, "Ann")
    owner_api.patch(f"/api/v1/people/{second}/", {"hidden": True}, format="json")
    assert [each["id"] for each in people_of(owner_api, party)] == [first]
    assert [each["id"] for each in people_of(owner_api, party, hidden="true")] == [second]
    merged = owner_api.post(f"/api/v1/people/{first}/merge/", {"people": [second]}, format="json")
    assert merged.json()["photo_count"] == 6
    assert owner_api.get(f"/api/v1/people/{second}/").status_code == 404
    wrong = [str(photo.pk) for photo in party.photos.filter(name__startswith="bob")]
    removed = owner_api.post(f"/api/v1/people/{first}/remove/", {"photos": wrong}, format="json")
    assert removed.json() == {"removed": 2}
    again = owner_api.post(f"/api/v1/people/{first}/remove/", {"photos": wrong}, format="json")
    assert (again.status_code, again.json()["code"]) == (404, "not_in_photos")


def test_people_of_two_albums_are_not_merged(party: Album, owner: User, owner_api: APIClient) -> None:
    first = people_of(owner_api, party)[0]["id"]
    other = Person.objects.create(album=Album.objects.create(owner=owner, title="Other"), name="Zoe")
    path = f"/api/v1/people/{first}/merge/"
    assert owner_api.post(path, {"people": [str(other.pk)]}, format="json").status_code == 404
    assert owner_api.post(path, {"people": []}, format="json").status_code == 400
    assert owner_api.post(path, {"people": [first]}, format="json").json()["photo_count"] == 4


def test_the_owner_switches_it_and_off_deletes_every_name(party: Album, owner_api: APIClient) -> None:
    path = f"/api/v1/albums/{party.pk}/people/state/"
    assert owner_api.get(path).json() == {"on": True, "state": "ready", "scanned": 7, "total": 7}
    off = owner_api.put(path, {"on": False}, format="json")
    assert off.json() == {"on": False, "state": "off", "scanned": 0, "total": 0}
    assert not Person.objects.exists()
    assert owner_api.put(path, {"on": True}, format="json").json()["state"] == "working"
    assert owner_api.put(path, {}, format="json").status_code == 400


def test_a_change_of_what_has_changed_meanwhile_is_refused(party: Album, owner_api: APIClient) -> None:
    path = f"/api/v1/people/{person_in(party, 'ann0.jpg').pk}/"
    etag = owner_api.get(path)["ETag"]
    assert owner_api.patch(path, {"name": "Ann"}, format="json", HTTP_IF_MATCH=etag).status_code == 200
    assert owner_api.patch(path, {"name": "Anna"}, format="json", HTTP_IF_MATCH=etag).status_code == 412


def test_nothing_of_it_reaches_a_guest(party: Album, link: Any) -> None:
    """Ann herself, who is in the album, and is let in."""
    people_flow.describe(person_in(party, "ann0.jpg"), name="Zaphodcanary")
    found = search(link, pictures.stranger_jpeg(ANN, selfie=True))
    pages = [f"/api/v1/selfies/{found.selfie.pk}/", f"/api/v1/links/{link.token}/", f"/s/{found.selfie.pk}/", "/my/"]
    for path in [*pages, f"/l/{link.token}/"]:
        answer = found.api.get(path, follow=True)
        body = b"".join(answer) if answer.streaming else answer.content
        assert body
        assert b"Zaphodcanary" not in body
    person = Person.objects.get(name="Zaphodcanary")
    assert found.api.get(f"/api/v1/people/{person.pk}/").status_code == 401
    assert found.api.get(f"/api/v1/people/{person.pk}/face").status_code == 401
