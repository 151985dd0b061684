"""All pages over HTTP: sealed, readable aloud, in words when something is wrong, quick with many photos."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from galleries.flows import visit
from galleries.models import Album, Guest, Link, Match, Photo, ReturnLink, Selfie, User, site
from galleries.models.account import first_admin_token
from tests import pictures
from tests.conftest import PASSWORD, Found, browser_of, ready_photo, search
from tests.pages import browser_with, many_photos, read, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def found(searchable: Album, link: Link) -> Found:
    """A guest whose search found the one portrait of an album that also has a picture without faces."""
    ready_photo(searchable)
    ready_photo(searchable, pictures.jpeg(pictures.faceless()), "coffee.jpg")
    return search(link)


def every_page(found: Found, owner: User) -> list[tuple[Client, str]]:
    album, link, selfie = found.selfie.album, found.selfie.link, found.selfie
    photo = Match.objects.get(selfie=selfie).photo
    locked = Link.make(album, password="lake", can_browse=True)
    nobody, desk, guest = Client(), browser_of(owner), browser_with(found)
    own = [reverse(name, args=[album.pk]) for name in ("album", "album-edit", "album-delete", "album-link-new")]
    own += [reverse("album-problems", args=[album.pk]), reverse("link", args=[link.pk])]
    own += [reverse("link-delete", args=[link.pk]), reverse("link-poster", args=[link.pk])]
    own += [reverse("photo", args=[photo.pk]), *map(reverse, OWN_PAGES)]
    guests = [reverse(name, args=[selfie.pk]) for name in ("selfie", "selfie-withdraw", "selfie-devices")]
    guests += [f"{reverse('photo', args=[photo.pk])}?in={selfie.pk}", reverse("my-photos")]
    public = [reverse("guest-link", args=[each.token]) for each in (link, locked)]
    public += [reverse("return", args=[ReturnLink.make(selfie)])]
    public += [*map(reverse, OPEN_PAGES), reverse("first-admin", args=[first_admin_token()])]
    return [
        *((desk, path) for path in own),
        *((guest, path) for path in guests),
        *((nobody, path) for path in public),
    ]


OPEN_PAGES = ("home", "my-photos", "account_login", "account_signup", "account_reset_password")
OWN_PAGES = ("albums", "album-new", "account_email", "account_change_password", "account_logout")


def test_every_page_is_whole_sealed_and_readable_aloud(found: Found, owner: User) -> None:
    for client, path in every_page(found, owner):
        answer = client.get(path)
        assert answer.status_code == 200, path
        page = read(answer.content.decode())
        assert page.inline == [], path
        assert page.unlabelled == [], path
        assert page.images_without_alt == 0, path
        assert page.landmarks == ["main", "h1"], path
        assert "script-src 'self'" in answer["Content-Security-Policy"], path


def test_pages_are_kept_by_no_cache(found: Found) -> None:
    answer = browser_with(found).get(reverse("selfie", args=[found.selfie.pk]))
    assert "no-store" in answer["Cache-Control"]
    assert "Cookie" in answer["Vary"]


@pytest.mark.parametrize("template", ["400.html", "403.html", "403_csrf.html", "404.html", "500.html"])
def test_error_pages_need_nothing_but_themselves(template: str) -> None:
    page = read(render_to_string(template))
    assert page.landmarks == ["main", "h1"]
    assert page.inline == []


def test_a_missing_page_says_so_and_offers_to_sign_in() -> None:
    answer = Client().get("/nothing/of/ours/")
    assert answer.status_code == 404
    assert "There is nothing here" in text_of(answer)
    assert "/accounts/login/?next=/nothing/of/ours/" in answer.content.decode()


def test_a_form_from_elsewhere_is_answered_in_words(link: Link) -> None:
    answer = Client(enforce_csrf_checks=True).post(reverse("guest-link", args=[link.token]), {"step": "browse"})
    assert answer.status_code == 403
    assert "Please send that once more" in text_of(answer)


def test_whoever_is_not_signed_in_is_asked_to_and_brought_back(album: Album) -> None:
    path = reverse("album", args=[album.pk])
    assert Client().get(path)["Location"] == f"/accounts/login/?next={path}"
    assert Client().post(reverse("album-retry", args=[album.pk]))["Location"] == "/accounts/login/?next=/albums/"


def test_somebody_signs_up_by_email_alone_and_lands_at_an_empty_desk() -> None:
    browser = Client()
    answer = browser.post("/accounts/signup/", {"email": "nina@example.org", "password1": PASSWORD}, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("albums")
    assert "Your first album" in text_of(answer)


def test_a_weak_password_is_refused_in_words() -> None:
    answer = Client().post("/accounts/signup/", {"email": "nina@example.org", "password1": "short"})
    assert "too short" in text_of(answer)
    assert not User.objects.exists()


def test_the_first_administrator_is_made_once_by_the_printed_link() -> None:
    path = reverse("first-admin", args=[first_admin_token()])
    weak = Client().post(path, {"email": "ada@example.org", "password": "12345"})
    assert "too short" in text_of(weak)
    assert "12345" not in text_of(weak)
    browser = Client()
    assert browser.post(path, {"email": "ada@example.org", "password": PASSWORD})["Location"] == "/admin/"
    assert browser.get("/admin/").status_code == 200
    assert Client().get(path).status_code == 404


def queries(ask: Callable[[], Any]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as context:
        assert ask().status_code == 200
    return len(context)


def test_pages_ask_the_database_as_often_for_300_photos_as_for_3(owner: User, searchable: Album) -> None:
    many_photos(searchable, 300)
    link = Link.make(searchable, can_browse=True)
    guest, key = Guest.make()
    visit.enter(link, visit.Viewer(guest=guest))
    expires = timezone.now() + timedelta(days=1)
    selfie = Selfie.objects.create(album=searchable, link=link, guest=guest, expires_at=expires, state="done")
    box = {"x": 0, "y": 0, "width": 1, "height": 1, "distance": 0.1}
    photos = list(searchable.photos.order_by("name"))
    browser, desk = browser_with(Found(key, selfie)), browser_of(owner)
    pages = [
        (desk, reverse("albums")),
        (desk, reverse("album", args=[searchable.pk])),
        (desk, reverse("album-listing", args=[searchable.pk])),
        (browser, reverse("shared", args=[searchable.pk])),
        (browser, reverse("shared-listing", args=[searchable.pk])),
        (browser, reverse("selfie", args=[selfie.pk])),
        (browser, reverse("my-photos")),
        (browser, f"{reverse('photo', args=[photos[1].pk])}?in={selfie.pk}"),
    ]
    # Asked for once in some seconds.
    site.current()
    counts = []
    for shown in (photos[:3], photos):
        Photo.objects.exclude(pk__in=[photo.pk for photo in shown]).update(state=Photo.State.UPLOADED)
        Photo.objects.filter(pk__in=[photo.pk for photo in shown]).update(state=Photo.State.READY)
        Match.objects.filter(selfie=selfie).delete()
        Match.objects.bulk_create(Match(selfie=selfie, photo=photo, tier="sure", **box) for photo in shown)
        counts.append([queries(partial(client.get, path)) for client, path in pages])
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 14
