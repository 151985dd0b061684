"""A link on the photographer's desk: its last day, what became of it in numbers, and its poster."""

import re
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Route, sync_playwright

from galleries.models import Album, Link
from pixora_site import env
from tests import pictures
from tests.conftest import Found, needs_program, ready_photo, search
from tests.pages import browser_with, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def found(searchable: Album, link: Link) -> Found:
    ready_photo(searchable)
    return search(link)


def numbers(link: Link) -> tuple[int, int, int]:
    link.refresh_from_db()
    return link.opened_count, link.zip_count, link.original_count


def test_looks_are_counted_but_not_the_owners_nor_those_of_guests_let_in(found: Found, desk: Client) -> None:
    link = found.selfie.link
    path = reverse("guest-link", args=[link.token])
    for client in (Client(), Client(), desk, browser_with(found)):
        assert client.get(path).status_code == 200
    Client().head(path)
    assert numbers(link) == (2, 0, 0)


def test_a_guests_zips_and_originals_are_counted_at_their_link(found: Found, desk: Client) -> None:
    link, photo = found.selfie.link, found.selfie.album.photos.get()
    another = Link.make(link.album)
    original = reverse("api:photo-original", args=[photo.pk])
    guest = browser_with(found)
    answer = guest.get(original)
    b"".join(answer)
    guest.get(original, headers={"If-None-Match": answer["ETag"]})
    guest.head(original)
    guest.post(reverse("selfie-zip", args=[found.selfie.pk]), {"size": "original"})
    desk.get(original)
    desk.post(reverse("album-zip", args=[link.album_id]), {"size": "original"})
    assert numbers(link) == (0, 1, 1)
    assert numbers(another) == (0, 0, 0)
    page = text_of(desk.get(reverse("link", args=[link.pk])))
    assert "zips taken 1" in page
    assert "photos taken singly 1" in page


def test_whoever_may_browse_is_counted_at_the_link_that_lets_them(searchable: Album) -> None:
    ready_photo(searchable, pictures.jpeg(pictures.faceless()))
    link = Link.make(searchable, can_browse=True)
    guest = Client()
    guest.post(reverse("guest-link", args=[link.token]), {"step": "browse"})
    guest.get(reverse("api:photo-original", args=[searchable.photos.get().pk]))
    assert numbers(link) == (0, 0, 1)


def test_a_links_last_day_ends_at_midnight_of_the_sites_own_clock(
    desk: Client, album: Album, settings: pytest.FixtureRequest
) -> None:
    settings.TIME_ZONE = "Pacific/Auckland"  # type: ignore[attr-defined]
    day = timezone.localdate() + timedelta(days=2)
    made = desk.post(reverse("album-link-new", args=[album.pk]), {"last_day": day.isoformat()})
    link = Link.objects.get()
    assert link.expires_at is not None
    ends = link.expires_at.astimezone(ZoneInfo("Pacific/Auckland"))
    assert (ends.date(), ends.hour, ends.minute) == (day, 23, 59)
    page = desk.get(made["Location"]).content.decode()
    assert f'value="{day.isoformat()}"' in page
    assert "until 11:59 p.m. (Pacific/Auckland)" in page


def test_a_time_zone_that_does_not_exist_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXORA_TIME_ZONE", "Europe/Berlin")
    assert env.time_zone("PIXORA_TIME_ZONE", "UTC") == "Europe/Berlin"
    monkeypatch.setenv("PIXORA_TIME_ZONE", "Europe/Atlantis")
    with pytest.raises(ImproperlyConfigured, match="PIXORA_TIME_ZONE is 'Europe/Atlantis'"):
        env.time_zone("PIXORA_TIME_ZONE", "UTC")


def test_the_poster_tells_three_steps_and_leaves_room_for_the_password(desk: Client, searchable: Album) -> None:
    free, locked = Link.make(searchable), Link.make(searchable, password="lake")
    page = desk.get(reverse("link-poster", args=[free.pk]))
    assert page.content.decode().count("<li>") - page.content.decode().count('<li><a href="/') == 3
    assert "Take a selfie." in text_of(page)
    assert f"/l/{free.token}/" in text_of(page)
    assert "Password" not in text_of(page)
    assert "Password" in text_of(desk.get(reverse("link-poster", args=[locked.pk])))


def test_the_poster_prints_on_exactly_one_sheet_of_a5(desk: Client, searchable: Album, tmp_path: Path) -> None:
    searchable.title = "The long anniversary celebration of Wilhelmina and Maximilian by the lake"
    searchable.event_date = date(2026, 6, 20)
    searchable.save()
    link = Link.make(searchable, password="lake")
    code = reverse("api:link-qr", args=[link.pk])
    bodies = {"/": desk.get(reverse("link-poster", args=[link.pk])).content, code: desk.get(code).content}
    styles = Path(settings.BASE_DIR) / "static" / "css"
    bodies |= {f"/static/css/{path.name}": path.read_bytes() for path in styles.glob("*.css")}
    types = {".css": "text/css", ".svg": "image/svg+xml", "": "text/html"}

    def answer(route: Route) -> None:
        path = "/" + route.request.url.split("/", 3)[3]
        body, kind = bodies.get(path, b""), types.get(Path(path).suffix, "text/javascript")
        route.fulfill(body=body, content_type=kind)

    program = needs_program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.route("**/*", answer)
        page.goto("http://poster.test/")
        page.pdf(path=tmp_path / "poster.pdf", prefer_css_page_size=True)
        page.emulate_media(media="print")
        width = page.locator(".poster-code").evaluate("image => image.getBoundingClientRect().width / 96 * 25.4")
        overflow = page.locator(".sheet").evaluate("sheet => sheet.scrollHeight - sheet.clientHeight")
        browser.close()
    assert overflow <= 1, "nothing is cut off"
    pdf = (tmp_path / "poster.pdf").read_bytes()
    sheets = [[float(edge) for edge in box.split()] for box in re.findall(rb"/MediaBox ?\[([^\]]*)\]", pdf)]
    assert len(sheets) == len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf)) == 1
    assert sheets[0][2:] == pytest.approx([148 / 25.4 * 72, 210 / 25.4 * 72], abs=1)
    assert width > 45, "millimetres; a phone reads it from arm's length"


@pytest.mark.parametrize(("host", "is_told"), [("127.0.0.1:8000", True), ("[::1]:8000", True), ("testserver", False)])
def test_a_link_that_no_phone_could_open_says_so(desk: Client, link: Link, host: str, is_told: bool) -> None:
    page = desk.get(reverse("link", args=[link.pk]), headers={"Host": host})
    assert ("This address opens on this computer only" in text_of(page)) == is_told
