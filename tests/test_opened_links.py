"""A link's token leaves the address once it is open: a cookie finds the link again, and it can still be shared."""

import re
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from galleries.models import Album, Link, Visit
from tests.conftest import ready_photo
from tests.pages import text_of

pytestmark = pytest.mark.django_db


def clean(link: Link) -> str:
    return reverse("event", args=[link.pk])


def test_who_opened_a_link_reaches_it_without_its_token(searchable: Album, link: Link) -> None:
    phone, path = Client(), reverse("guest-link", args=[link.token])
    opened = phone.get(path)
    cookie = opened.cookies[settings.PIXORA_LINK_COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    again = phone.get(clean(link))
    assert again.status_code == 200
    page = re.compile(r'name="csrfmiddlewaretoken" value="\w+"|name="next" value="[^"]+"')
    assert page.sub("", again.content.decode()) == page.sub("", opened.content.decode())
    assert f'<link rel="canonical" href="http://testserver{path}">' in again.content.decode(), "what phones share"


def test_without_the_cookie_it_is_the_same_404_for_a_link_that_is_there_and_one_that_is_not(link: Link) -> None:
    other = Link.make(link.album)
    for client in (Client(), Client()):
        client.get(reverse("guest-link", args=[other.token]))
        answers = [client.get(path) for path in (clean(link), reverse("event", args=[uuid4()]))]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].content == answers[1].content
        assert "Open your link once more" in text_of(answers[0])
        assert client.post(clean(link), {"step": "browse"}).status_code == 404


@pytest.mark.parametrize("value", ["x", "." * 50, "a" * 5000, "%00", "../../l", f"{'a' * 43}.{'b' * 43}"])
def test_a_made_up_cookie_opens_nothing(link: Link, value: str) -> None:
    client = Client()
    client.cookies[settings.PIXORA_LINK_COOKIE] = value
    assert client.get(clean(link)).status_code == 404


def test_the_password_is_asked_there_too_and_a_link_that_ended_has_ended(album: Album) -> None:
    link = Link.make(album, password="lake", can_browse=True)
    phone = Client()
    phone.get(reverse("guest-link", args=[link.token]))
    assert b'name="password"' in phone.get(clean(link)).content
    assert phone.post(clean(link), {"step": "browse"}).status_code == 403
    assert phone.post(clean(link), {"step": "unlock", "password": "lake"}).status_code == 302
    assert Visit.objects.get().unlocked
    Link.objects.update(enabled=False)
    assert phone.get(clean(link)).status_code == 410


def test_a_phone_of_many_events_keeps_the_last_eight(album: Album) -> None:
    phone, links = Client(), [Link.make(album) for _ in range(10)]
    for link in links:
        phone.get(reverse("guest-link", args=[link.token]))
    assert [phone.get(clean(link)).status_code for link in links] == [404] * 2 + [200] * 8
    assert len(phone.cookies[settings.PIXORA_LINK_COOKIE].value) < 400


def test_messengers_still_read_the_preview_at_the_links_own_address(album: Album, link: Link) -> None:
    album.link_preview = True
    album.save()
    ready_photo(album)
    answer = Client().get(reverse("guest-link", args=[link.token]))
    assert answer.status_code == 200, "no redirect, which their programs would follow without the cookie"
    assert 'property="og:title" content="Summer party"' in answer.content.decode()
