"""Albums that take selfies by the live camera of their page only: friction for pages, forms and programs."""

from typing import Any

import pytest
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from galleries.flows import camera
from galleries.models import Album, Link, Selfie
from tests import pictures
from tests.conftest import ready_photo, work_off
from tests.pages import selfie_file, text_of


@pytest.fixture
def live(link: Link) -> Link:
    Album.objects.update(live_camera_only=True)
    return Link.objects.select_related("album").get(pk=link.pk)


def page_of(link: Link) -> str:
    return reverse("guest-link", args=[link.token])


def take(browser: Client, link: Link, ticket: str | None = None) -> Any:
    said = {"step": "selfie", "selfie": selfie_file(), "consent": "on"}
    return browser.post(page_of(link), said | ({} if ticket is None else {"ticket": ticket}))


def opened(browser: Client, link: Link) -> str:
    """What the page's camera is given as it opens."""
    answer = browser.post(page_of(link), {"step": "camera"})
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_selfie_from_the_camera_step_is_taken(live: Link) -> None:
    ready_photo(live.album)
    browser = Client()
    browser.get(page_of(live))
    assert take(browser, live, opened(browser, live)).status_code == 302
    work_off()
    assert Selfie.objects.get().state == "done"


def test_the_page_offers_the_camera_and_no_files(live: Link) -> None:
    page = Client().get(page_of(live)).content.decode()
    assert 'type="file"' not in page
    assert "data-open-camera" in page
    Album.objects.update(live_camera_only=False)
    assert 'type="file"' in Client().get(page_of(live)).content.decode()


def test_a_form_without_the_camera_step_is_refused_in_words(live: Link) -> None:
    for ticket in (None, "", "made up", signing.dumps([str(live.pk), "x"], salt="galleries.camera")):
        answer = take(Client(), live, ticket)
        assert answer.status_code == 400
        assert "takes selfies by the camera of its page only" in text_of(answer)
    assert not Selfie.objects.exists()


def test_a_ticket_is_of_no_use_in_another_browser_or_for_another_link(live: Link) -> None:
    browser, other = Client(), Client()
    for each in (browser, other):
        each.get(page_of(live))
    ticket = opened(browser, live)
    assert take(other, live, ticket).status_code == 400
    second = Link.make(live.album)
    assert take(browser, second, ticket).status_code == 400
    assert take(browser, live, ticket).status_code == 302


def test_a_ticket_lasts_for_some_minutes(live: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Client()
    browser.get(page_of(live))
    ticket = opened(browser, live)
    monkeypatch.setattr(camera, "TICKET_SECONDS", 0)
    assert take(browser, live, ticket).status_code == 400


def test_the_api_takes_none(live: Link) -> None:
    browser = Client()
    browser.get(page_of(live))
    body = {"selfie": SimpleUploadedFile("me.jpg", pictures.selfie_jpeg()), "consent": "true"}
    body["ticket"] = opened(browser, live)
    answer = APIClient().post(f"/api/v1/links/{live.token}/selfies/", body)
    assert (answer.status_code, answer.json()["code"]) == (403, "live_camera_only")
    assert APIClient().get(f"/api/v1/links/{live.token}/").json()["live_camera_only"] is True


def test_a_locked_link_gives_no_ticket(searchable: Album) -> None:
    locked = Link.make(searchable, password="sesame")
    assert Client().post(page_of(locked), {"step": "camera"}).status_code == 403


def test_the_owner_sets_it_on_the_page_and_is_told_what_it_is_worth(searchable: Album, desk: Client) -> None:
    path = reverse("album-edit", args=[searchable.pk])
    assert "it proves nothing" in text_of(desk.get(path))
    assert desk.post(path, {"title": "A", "live_camera_only": "on", "persons_a_guest": "3"}).status_code == 302
    searchable.refresh_from_db()
    assert (searchable.live_camera_only, searchable.persons_a_guest) == (True, 3)
    assert "Selfies by the live camera only" in text_of(desk.get(reverse("album", args=[searchable.pk])))
    assert desk.post(path, {"title": "A", "persons_a_guest": "4"}).status_code == 200
