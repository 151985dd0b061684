"""Grids of photos: their first page, the list that scripts lay out, and what is done with the chosen."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from galleries.models import Album, Link, Photo, User
from tests.pages import many_photos, text_of

pytestmark = pytest.mark.django_db


def listed(desk: Client, album: Album, **query: str) -> dict[str, Any]:
    answer: dict[str, Any] = desk.get(reverse("album-listing", args=[album.pk]), query).json()
    return answer


def settle(album: Album, **names: str) -> None:
    """Photos "0000.jpg" and so on in the states that are given by number."""
    for number, state in names.items():
        album.photos.filter(name=f"000{number[1:]}.jpg").update(state=state)


def test_without_scripts_all_photos_are_reached_page_by_page_each_once(desk: Client, album: Album) -> None:
    many_photos(album, 60)
    seen: list[str] = []
    query = ""
    while True:
        page = desk.get(reverse("album", args=[album.pk]) + query).content.decode().split("<template")[0]
        seen += re.findall(r'name="photo" value="([^"]+)"', page)
        following = re.search(r'href="(\?after=[^"#]+)#photos"', page)
        if not following:
            break
        query = following[1]
    assert seen == [str(photo.pk) for photo in album.photos.order_by("name")]


def test_the_list_names_every_photo_in_order(desk: Client, album: Album) -> None:
    many_photos(album, 30)
    got = listed(desk, album)
    assert got["names"] == [f"{number:04}.jpg" for number in range(30)]
    assert re.findall(".{32}", got["ids"]) == [photo.pk.hex for photo in album.photos.order_by("name")]
    assert (got["shapes"][0], got["colours"][:6], got["marks"][:1]) == (1500, "888888", "r")
    assert got["title"] == "30 photos"


def test_the_list_is_sent_again_only_when_it_has_changed(desk: Client, album: Album) -> None:
    many_photos(album, 3)
    path = reverse("album-listing", args=[album.pk])
    first = desk.get(path)
    held = {"If-None-Match": first["ETag"]}
    assert desk.get(path, headers=held).status_code == 304
    assert "no-store" not in first["Cache-Control"]
    album.photos.filter(name="0001.jpg").update(hidden=True)
    assert desk.get(path, headers=held).status_code == 200


def test_five_thousand_photos_are_a_list_of_less_than_150_kilobytes(desk: Client, album: Album) -> None:
    many_photos(album, 5000)
    answer = desk.get(reverse("album-listing", args=[album.pk]), headers={"Accept-Encoding": "gzip"})
    assert answer["Content-Encoding"] == "gzip"
    assert len(answer.content) < 150_000


def test_a_grid_shows_the_photos_of_one_state(desk: Client, album: Album) -> None:
    many_photos(album, 6)
    settle(album, n1="uploaded", n2="processing", n3="rejected", n4="quarantined")
    album.photos.filter(name="0005.jpg").update(hidden=True)
    shown = {state: listed(desk, album, state=state) for state in ("ready", "work", "failed", "hidden", "all", "x")}
    assert {state: [name[3] for name in got["names"]] for state, got in shown.items()} == {
        "ready": ["0", "5"],
        "work": ["1", "2"],
        "failed": ["3", "4"],
        "hidden": ["5"],
        "all": ["0", "1", "2", "3", "4", "5"],
        "x": ["0", "5"],
    }
    assert shown["all"]["marks"] == "rwwffh"


def test_the_page_offers_only_states_that_there_are(desk: Client, album: Album) -> None:
    many_photos(album, 3)
    path = reverse("album", args=[album.pk])
    assert "state=" not in desk.get(path).content.decode()
    settle(album, n1="rejected")
    page = desk.get(path, {"state": "failed"}).content.decode()
    assert 'href="?state=all#photos"' in page
    assert "state=hidden" not in page
    assert re.findall(r'alt="|<span>(0001.jpg)</span>', page.split('data-grid="')[1].split("</ul>")[0]) == ["0001.jpg"]


def test_photos_are_sorted_by_name_on_request_page_and_list_alike(desk: Client, album: Album) -> None:
    many_photos(album, 3)
    album.photos.filter(name="0000.jpg").update(taken_at="2040-01-01T00:00:00Z")
    assert listed(desk, album)["names"] == ["0001.jpg", "0002.jpg", "0000.jpg"]
    assert listed(desk, album, order="name")["names"] == ["0000.jpg", "0001.jpg", "0002.jpg"]
    page = desk.get(reverse("album", args=[album.pk]), {"order": "name"}).content.decode()
    assert re.findall(r'alt="(\d+.jpg)"', page) == ["0000.jpg", "0001.jpg", "0002.jpg"]


def test_a_name_is_text_whatever_is_in_it(desk: Client, album: Album) -> None:
    many_photos(album, 1)
    album.photos.update(name='"><script>alert(1)</script>.jpg', colour='"><b>')
    page = desk.get(reverse("album", args=[album.pk])).content.decode()
    assert "<script>alert" not in page
    assert "<b>" not in page


def test_photos_are_hidden_and_shown_by_the_thousand_in_one_field(desk: Client, album: Album) -> None:
    many_photos(album, 1500)
    ids = " ".join(str(pk) for pk in album.photos.values_list("pk", flat=True))
    path = reverse("album-photos-change", args=[album.pk])
    answer = desk.post(path, {"photo": ids, "change": "hide", "order": "name"})
    assert answer["Location"].startswith(f"{reverse('album', args=[album.pk])}?order=name#p-")
    assert album.photos.filter(hidden=True).count() == 1500
    desk.post(path, {"photo": ids, "change": "show"})
    assert not album.photos.filter(hidden=True).exists()


def test_thousands_of_photos_are_deleted_after_a_second_word(desk: Client, album: Album) -> None:
    many_photos(album, 1500)
    ids = " ".join(str(pk) for pk in album.photos.values_list("pk", flat=True))
    path = reverse("album-photos-delete", args=[album.pk])
    asked = desk.post(path, {"photo": ids})
    assert "Delete 1500 photos?" in text_of(asked)
    sent = dict(
        re.findall(r'<input type="hidden" name="(photo|state|order|confirmed)" value="([^"]*)"', asked.content.decode())
    )
    assert "1500 photos deleted" in text_of(desk.post(path, sent, follow=True))
    assert not album.photos.exists()


def test_a_photo_becomes_the_cover_and_a_foreign_one_does_not(desk: Client, album: Album, other_owner: User) -> None:
    foreign = Album.objects.create(owner=other_owner, title="Foreign")
    many_photos(album, 2)
    many_photos(foreign, 1)
    path = reverse("album-photos-change", args=[album.pk])
    wanted = album.photos.get(name="0001.jpg")
    desk.post(path, {"photo": str(wanted.pk), "change": "cover"})
    assert Album.objects.get(pk=album.pk).cover == wanted
    desk.post(path, {"photo": str(foreign.photos.get().pk), "change": "cover"})
    assert Album.objects.get(pk=album.pk).cover == wanted
    desk.post(path, {"photo": str(foreign.photos.get().pk), "change": "hide"})
    assert not foreign.photos.filter(hidden=True).exists()
    Photo.objects.filter(pk=wanted.pk).delete()
    assert Album.objects.get(pk=album.pk).cover is None


def test_a_guest_who_may_browse_gets_a_list_without_hidden_photos(album: Album) -> None:
    many_photos(album, 3)
    album.photos.filter(name="0001.jpg").update(hidden=True)
    link = Link.make(album, can_browse=True)
    guest = Client()
    assert guest.get(reverse("shared-listing", args=[album.pk])).status_code == 404
    guest.post(reverse("guest-link", args=[link.token]), {"step": "browse"})
    assert guest.get(reverse("shared-listing", args=[album.pk])).json()["names"] == ["0000.jpg", "0002.jpg"]
    assert 'name="photo"' not in guest.get(reverse("shared", args=[album.pk])).content.decode()


def test_turning_over_photos_follows_the_grid_one_came_from(desk: Client, album: Album) -> None:
    many_photos(album, 4)
    album.photos.filter(name="0000.jpg").update(taken_at="2040-01-01T00:00:00Z")
    album.photos.filter(name="0002.jpg").update(hidden=True)
    by_name = list(album.photos.order_by("name"))
    page = desk.get(reverse("photo", args=[by_name[0].pk]), {"order": "name"}).content.decode()
    assert f'rel="next" href="/photos/{by_name[1].pk}/?order=name"' in page
    assert f'href="/albums/{album.pk}/?order=name#p-{by_name[0].pk}"' in page
    page = desk.get(reverse("photo", args=[by_name[2].pk]), {"state": "hidden"}).content.decode()
    assert 'rel="next"' not in page
    assert 'rel="prev"' not in page
