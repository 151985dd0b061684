"""The pages of an album's people, as the photographer's browser asks for them."""

from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client

from galleries.flows import people as people_flow
from galleries.models import Album, Collaborator, Grouping, Person, Photo, Sighting, User
from tests.conftest import browser_of
from tests.pages import many_photos, text_of

pytestmark = pytest.mark.django_db(transaction=True)
BOX = {"x": 0.1, "y": 0.1, "width": 0.2, "height": 0.2}


def seen(album: Album, name: str, photos: list[Photo]) -> Person:
    person = Person.objects.create(album=album, name=name)
    Sighting.objects.bulk_create(Sighting(person=person, photo=photo, said="is", **BOX) for photo in photos)
    return person


@pytest.fixture
def photos(searchable: Album) -> list[Photo]:
    many_photos(searchable, 5)
    return list(searchable.photos.order_by("name"))


@pytest.fixture
def ann(searchable: Album, owner: User, photos: list[Photo]) -> Person:
    """In the album's first three photos; Bob is in the last two."""
    people_flow.switch(searchable, True, by=owner)
    Grouping.objects.update(wanted_at=None, grouped_at=Now())
    seen(searchable, "Bob", photos[3:])
    return seen(searchable, "Ann", photos[:3])


def page(desk: Client, album: Album, **query: Any) -> Any:
    return desk.get(f"/albums/{album.pk}/people/", query)


def test_it_is_off_until_the_owner_has_read_what_it_means(desk: Client, searchable: Album) -> None:
    assert "You attested: “The guests gave explicit consent”." in text_of(page(desk, searchable))
    answer = desk.post(f"/albums/{searchable.pk}/people/", {"on": "yes"}, follow=True)
    assert "Looking for people: 0 of 0 photos." in text_of(answer)


def test_switched_off_it_asks_first_and_then_deletes_all(desk: Client, searchable: Album, ann: Person) -> None:
    path = f"/albums/{searchable.pk}/people/"
    assert "All groups and all names" in text_of(desk.post(path, {"on": "no"}))
    assert Person.objects.count() == 2
    desk.post(path, {"on": "no", "confirmed": "yes"})
    assert not Person.objects.exists()
    assert not Grouping.objects.exists()


def test_without_face_search_there_is_nothing_to_switch_on(desk: Client, album: Album) -> None:
    assert "It needs face search" in text_of(page(desk, album))
    assert desk.post(f"/albums/{album.pk}/people/", {"on": "yes"}).status_code == 400


def test_a_viewer_sees_people_and_changes_none(searchable: Album, ann: Person) -> None:
    viewer = User.objects.create_user("vera@example.org", "x")
    Collaborator.objects.create(album=searchable, user=viewer, role="viewer")
    shown = page(browser_of(viewer), searchable).content.decode()
    assert "Ann" in shown
    for word in ("same person", "Save", "Switch off", '<input type="checkbox"'):
        assert word not in shown
    assert "Ann" in text_of(browser_of(viewer).get(f"/albums/{searchable.pk}/"))


def test_the_grid_shows_one_person_s_photos(desk: Client, searchable: Album, ann: Person, photos: list[Photo]) -> None:
    shown = desk.get(f"/albums/{searchable.pk}/", {"person": str(ann.pk)}).content.decode()
    assert "3 photos" in shown
    assert all((f"p-{photo.pk}" in shown) == (photo in photos[:3]) for photo in photos)
    listed = desk.get(f"/albums/{searchable.pk}/photos.json", {"person": str(ann.pk)}).json()
    assert listed["ids"] == "".join(photo.pk.hex for photo in photos[:3])
    last = desk.get(f"/photos/{photos[2].pk}/", {"person": str(ann.pk)}).content.decode()
    assert "Next photo" not in last
    assert f"/albums/{searchable.pk}/?person={ann.pk}" in last
    nobody = desk.get(f"/albums/{searchable.pk}/", {"person": str(searchable.pk)})
    assert nobody.status_code == 404


def test_all_photos_of_a_person_are_one_zip(desk: Client, searchable: Album, ann: Person) -> None:
    desk.post(f"/albums/{searchable.pk}/zip/", {"size": "original", "person": ann.pk})
    assert searchable.archives.get().count == 3


def test_a_person_is_named_and_hidden(desk: Client, searchable: Album, ann: Person) -> None:
    desk.post(f"/people/{ann.pk}/", {"name": "  Anna "})
    ann.refresh_from_db()
    assert ann.name == "Anna"
    answer = desk.post(f"/people/{ann.pk}/", {"name": "a" * 81}, follow=True)
    assert "at most 80" in text_of(answer)
    desk.post(f"/people/{ann.pk}/", {"hidden": "yes", "name": "whatever stands there"})
    assert "Anna" not in text_of(page(desk, searchable))
    assert "Anna" in page(desk, searchable, hidden="yes").content.decode()
    desk.post(f"/people/{ann.pk}/", {"hidden": "no"})
    assert "Anna" in page(desk, searchable).content.decode()


def test_faces_that_are_ticked_become_one_person(desk: Client, searchable: Album, ann: Person) -> None:
    path = f"/albums/{searchable.pk}/people/merge/"
    assert "Tick two faces" in text_of(desk.post(path, {"person": str(ann.pk)}, follow=True))
    assert "Tick two faces" in text_of(desk.post(path, {}, follow=True))
    nameless = seen(searchable, "", list(searchable.photos.all()))
    desk.post(path, {"person": [str(nameless.pk), str(ann.pk)]})
    assert not Person.objects.filter(pk=nameless.pk).exists()
    assert ann.sightings.count() == 5


def test_chosen_photos_are_not_of_this_person(desk: Client, ann: Person, photos: list[Photo]) -> None:
    path = f"/people/{ann.pk}/remove/"
    answer = desk.post(path, {"photo": f"{photos[0].pk} {photos[1].pk}"}, follow=True)
    assert "Not this person in 2 photos." in text_of(answer)
    assert list(ann.sightings.there().values_list("photo", flat=True)) == [photos[2].pk]
    assert desk.post(path, {"photo": str(photos[0].pk)}).status_code == 404


def test_a_page_has_as_many_queries_for_a_hundred_people_as_for_two(
    desk: Client, searchable: Album, ann: Person, photos: list[Photo], django_assert_max_num_queries: Any
) -> None:
    for _ in range(60):
        seen(searchable, "", photos[:2])
    with django_assert_max_num_queries(16):
        assert page(desk, searchable).status_code == 200
    assert page(desk, searchable, page=2).status_code == 200
