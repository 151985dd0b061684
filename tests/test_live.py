"""The live desk: what is going on in an album, and how many guests have found how much. Numbers, and nobody's face."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from galleries.flows import visit
from galleries.flows.live import Live, live
from galleries.models import Album, Guest, Link, Match, Photo, Selfie, User
from tests.conftest import browser_of
from tests.pages import many_photos, text_of

pytestmark = pytest.mark.django_db


def searched(
    link: Link, photos: list[Photo], *, guest: Guest | None = None, state: str = "done", **match: str
) -> Guest:
    """A guest whose search came out with these photos."""
    guest = guest or Guest.make()[0]
    visit.enter(link, visit.Viewer(guest=guest))
    expires = timezone.now() + timedelta(days=1)
    selfie = Selfie.objects.create(album=link.album, link=link, guest=guest, expires_at=expires, state=state)
    box = {"x": 0, "y": 0, "width": 1, "height": 1, "distance": 0.1}
    Match.objects.bulk_create(Match(selfie=selfie, photo=photo, **{"tier": "sure"} | match, **box) for photo in photos)
    return guest


def test_coverage_counts_guests_by_the_photos_that_are_surely_theirs(searchable: Album, link: Link) -> None:
    many_photos(searchable, 5)
    photos = list(searchable.photos.order_by("name"))
    searched(link, [])
    searched(link, photos[:1], tier="maybe")
    searched(link, photos[:1], tier="maybe", verdict="me")
    searched(link, photos[:2], verdict="not_me")
    searched(link, photos[:2])
    twice = searched(link, photos[:2])
    searched(link, photos[1:4], guest=twice)
    Photo.objects.filter(pk=photos[4].pk).update(hidden=True)
    searched(link, [photos[0], photos[4]])
    assert live(searchable).coverage == (3, 2, 1, 1)


def test_a_guest_whose_access_has_ended_is_not_counted(searchable: Album, link: Link) -> None:
    searched(link, [])
    closed = Link.make(searchable)
    searched(closed, [])
    visit.change_link(closed, enabled=False)
    assert live(searchable).coverage == (1, 0, 0, 0)


def test_searches_of_today_and_those_that_wait_are_counted(searchable: Album, link: Link) -> None:
    many_photos(searchable, 2)
    searchable.photos.filter(name="0000.jpg").update(received_at=timezone.now() - timedelta(hours=1))
    searched(link, [])
    searched(link, [], state="queued")
    searched(link, [], state="working")
    Selfie.objects.filter(state="done").update(created_at=timezone.now() - timedelta(days=2))
    assert live(searchable) == Live(arrived=1, searched_today=2, searching=2, coverage=(1, 0, 0, 0))


def test_a_day_begins_at_midnight_where_the_site_is(
    searchable: Album, link: Link, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched(link, [])
    settings.TIME_ZONE = "Europe/Berlin"
    Selfie.objects.update(created_at=datetime(2026, 6, 20, 21, 30, tzinfo=UTC))
    # Both within one day of UTC's, and on either side of Berlin's midnight, which is at 22:00.
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 6, 20, 22, 30, tzinfo=UTC))
    assert live(searchable).searched_today == 0
    Selfie.objects.update(created_at=datetime(2026, 6, 20, 22, 10, tzinfo=UTC))
    assert live(searchable).searched_today == 1


def test_the_page_looks_often_while_guests_search_and_seldom_when_all_is_quiet(
    owner: User, searchable: Album, link: Link
) -> None:
    desk, path = browser_of(owner), reverse("album-progress", args=[searchable.pk])
    searched(link, [])
    assert "every 30s" in desk.get(path).content.decode()
    searched(link, [], state="queued")
    page = desk.get(path)
    assert "every 2s" in page.content.decode()
    assert "searches today 2 searching now 1" in text_of(page)


def test_the_desk_names_no_guest_and_shows_no_face(owner: User, searchable: Album, link: Link) -> None:
    many_photos(searchable, 1)
    guest = searched(link, list(searchable.photos.all()))
    page = browser_of(owner).get(reverse("album-progress", args=[searchable.pk])).content.decode()
    assert "<img" not in page
    assert str(guest.pk) not in page
    assert str(Selfie.objects.get().pk) not in page


def test_an_album_without_face_search_says_nothing_of_guests(owner: User, album: Album) -> None:
    desk, path = browser_of(owner), reverse("album-progress", args=[album.pk])
    assert "Right now" not in text_of(desk.get(path))
    many_photos(album, 1)
    assert "photos, last 10 min 1" in text_of(desk.get(path))
    assert "Guests" not in text_of(desk.get(path))
