"""A guest's phone in a real browser, against a site that runs for real: camera, result, later photos, other devices."""

import io
import re
import sqlite3
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests import pictures
from tests.axe import serious
from tests.conftest import needs_program
from tests.running import Site
from tests.test_browser import PHONE, SLOW, somebody
from tests.test_end_to_end import Photographer, variants, wait_for

pytestmark = pytest.mark.xdist_group("site")
PHOTOS = 4


def film(path: Path, picture: pictures.Pixels) -> Path:
    """What the fake camera shows: one picture, ten frames of it, in a camera's shape; broad, as near things are."""
    frame, still = io.BytesIO(), Image.new("RGB", (640, 480), pictures.GREY)
    height = 440
    still.paste(
        Image.fromarray(picture).resize((height * 5 * picture.shape[1] // picture.shape[0] // 4, height)), (24, 20)
    )
    still.save(frame, "JPEG", quality=92)
    path.write_bytes(frame.getvalue() * 10)
    return path


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Browser]]:
    """A browser whose camera shows the astronaut's face, and one whose camera shows a cup of coffee."""
    program, folder = needs_program("chromium"), tmp_path_factory.mktemp("films")
    films = [film(folder / "face.mjpeg", pictures.portrait()[0:260, 80:360])]
    films += [film(folder / "cup.mjpeg", pictures.faceless())]
    options = ["--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream", "--disable-background-networking"]
    with sync_playwright() as playwright:
        launch = playwright.chromium.launch
        face, cup = (
            launch(executable_path=program, args=[*options, f"--use-file-for-fake-video-capture={each}"])
            for each in films
        )
        yield face, cup
        face.close()
        cup.close()


@pytest.fixture
def chromium(cameras: tuple[Browser, Browser]) -> Browser:
    return cameras[0]


@dataclass(frozen=True)
class Event:
    photographer: Photographer
    album: str
    address: str


@pytest.fixture(scope="module")
def event(site: Site) -> Event:
    """An album with the astronaut in four photos, and a coffee in one."""
    photographer = Photographer(site, "gallery@example.org")
    album = photographer.make_album()
    photographer.upload(album, variants(PHOTOS) | {"coffee.jpg": pictures.jpeg(pictures.faceless())})
    wait_for(lambda: photographer.finished(album), "the album")
    return Event(photographer, album, f"{site.url}/l/{photographer.link(album)}/")


def take_selfie(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("I agree").check()
    page.get_by_role("button", name="Open the camera").click()
    shoot(page)


def shoot(page: Page) -> None:
    page.get_by_role("button", name="Take the picture").click()
    page.get_by_role("button", name="Use this one").click()


def expect_photos(page: Page, number: int) -> None:
    expect(page.get_by_role("heading", name=f"{number} photos of you")).to_be_visible(timeout=SLOW)


def test_a_guest_finds_their_photos_by_the_live_camera(event: Event, cameras: tuple[Browser, Browser]) -> None:
    with somebody(cameras[0], PHONE) as page:
        page.context.grant_permissions(["camera"])
        page.goto(event.address)
        opener = page.get_by_role("button", name="Open the camera")
        opener.click()
        expect(page.locator("dialog")).to_be_hidden()
        page.get_by_label("I agree").check()
        opener.click()
        page.get_by_role("button", name="Take the picture").click()
        page.get_by_role("button", name="Again").click()
        page.get_by_role("button", name="Take the picture").click()
        # Before it is sent: the page goes away with it.
        use = page.get_by_role("button", name="Use this one")
        expect(use).to_be_visible()
        size = page.evaluate("[document.querySelector('canvas').width, document.querySelector('canvas').height]")
        assert size[1] > size[0], "no more than the phone showed"
        use.click()
        expect_photos(page, PHOTOS)


def test_an_album_may_insist_on_the_live_camera(event: Event, cameras: tuple[Browser, Browser]) -> None:
    event.photographer.change(event.album, live_camera_only=True)
    try:
        with somebody(cameras[0], PHONE) as page:
            page.context.grant_permissions(["camera"])
            page.goto(event.address)
            expect(page.locator("input[type=file]")).to_have_count(0)
            page.get_by_label("I agree").check()
            # Without a picture, the button leads to the camera.
            page.get_by_role("button", name="Find my photos").click()
            shoot(page)
            expect_photos(page, PHOTOS)
    finally:
        event.photographer.change(event.album, live_camera_only=False)


def test_a_refused_camera_is_told_and_the_gallery_stays(event: Event, cameras: tuple[Browser, Browser]) -> None:
    with somebody(cameras[0], PHONE) as page:
        page.goto(event.address)
        page.get_by_label("I agree").check()
        page.get_by_role("button", name="Open the camera").click()
        expect(page.get_by_text("The browser does not allow the camera")).to_be_visible()
        page.locator("input[type=file]").last.set_input_files(
            {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": pictures.selfie_jpeg()}
        )
        page.get_by_role("button", name="Find my photos").click()
        expect_photos(page, PHOTOS)


def test_a_selfie_that_will_not_do_is_followed_by_the_camera(event: Event, cameras: tuple[Browser, Browser]) -> None:
    with somebody(cameras[1], PHONE) as page:
        page.context.grant_permissions(["camera"])
        take_selfie(page, event.address)
        expect(page.get_by_role("heading", name="We see no face")).to_be_visible(timeout=SLOW)
        expect(page.get_by_role("dialog")).to_contain_text("We see no face.")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_label("I agree")).to_be_checked()


def test_a_selfie_is_sent_once_the_connection_is_back(event: Event, cameras: tuple[Browser, Browser]) -> None:
    def tunnel(route: Route) -> None:
        route.abort("internetdisconnected") if route.request.method == "POST" else route.continue_()

    with somebody(cameras[0], PHONE) as page:
        page.context.grant_permissions(["camera"])
        page.route(event.address, tunnel)
        take_selfie(page, event.address)
        expect(page.get_by_text("No connection right now")).to_be_visible()
        page.unroute(event.address)
        expect_photos(page, PHOTOS)


def test_a_picture_that_is_none_is_told_at_the_form(event: Event, cameras: tuple[Browser, Browser]) -> None:
    with somebody(cameras[0], PHONE) as page:
        page.goto(event.address)
        page.get_by_label("I agree").check()
        page.locator("input[type=file]").last.set_input_files(
            {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": pictures.html()}
        )
        page.get_by_role("button", name="Find my photos").click()
        expect(page.get_by_role("alert")).to_have_text(re.compile("not a photo"))
        expect(page.get_by_role("button", name="Open the camera")).to_be_visible()


def search_by_file(page: Page, event: Event, **ticked: str) -> None:
    page.goto(event.address)
    page.get_by_label("I agree").check()
    for words in ticked.values():
        page.get_by_label(words).check()
    page.locator("input[type=file]").last.set_input_files(
        {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": pictures.selfie_jpeg()}
    )
    page.get_by_role("button", name="Find my photos").click()
    expect_photos(page, PHOTOS)


def doubt(site: Site, page: Page, photo: str) -> None:
    """Make the photo a maybe of the search on the page: with one face in the album there are none by themselves."""
    selfie = uuid.UUID(page.url.rstrip("/").rpartition("/")[2]).hex
    with sqlite3.connect(site.data_dir / "pixora.sqlite3", timeout=20) as database:
        named = "SELECT id FROM galleries_photo WHERE name = ?"
        words = f"UPDATE galleries_match SET tier = 'maybe' WHERE selfie_id = ? AND photo_id IN ({named})"
        assert database.execute(words, (selfie, photo)).rowcount == 1
    page.reload()


def test_a_word_on_a_maybe_can_be_taken_back(site: Site, event: Event, chromium: Browser) -> None:
    with somebody(chromium, PHONE) as page:
        search_by_file(page, event)
        doubt(site, page, "002.jpg")
        expect_photos(page, PHOTOS - 1)
        maybes = page.locator("#maybes li")
        page.get_by_role("button", name="Not me").click()
        expect(maybes).to_have_count(0)
        expect(page.locator(".undo")).to_be_in_viewport()
        page.get_by_role("button", name="Undo").click()
        expect(maybes).to_have_count(1)
        page.get_by_role("button", name="That's me").click()
        expect_photos(page, PHOTOS)
        expect(page).to_have_title(re.compile(f"{PHOTOS} photos of you"))


def test_the_viewer_has_an_address_turns_and_hears_the_guest(site: Site, event: Event, chromium: Browser) -> None:
    with somebody(chromium, PHONE) as page:
        search_by_file(page, event)
        doubt(site, page, "003.jpg")
        result, viewer = page.url, page.locator(".pswp")
        page.locator("#sure a").nth(1).click()
        expect(viewer).to_contain_text(f"2 / {PHOTOS}")
        expect(viewer).to_be_focused()
        expect(page).to_have_url(re.compile("/photos/"))
        second = page.url
        page.keyboard.press("ArrowLeft")
        expect(page).not_to_have_url(second)
        page.go_back()
        expect(viewer).to_have_count(0)
        expect(page).to_have_url(result)
        page.locator("#maybes a").click()
        expect(viewer.get_by_role("link", name="Download")).to_be_hidden()
        viewer.get_by_role("button", name="Not me").click()
        viewer.get_by_role("button", name="Undo").click()
        viewer.get_by_role("button", name="That's me").click()
        expect(viewer.get_by_role("button", name="Undo")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="003.jpg")).to_be_visible()
        page.go_back()
        expect_photos(page, PHOTOS)


def test_a_guest_is_shown_their_own_face_alone(event: Event, chromium: Browser) -> None:
    with somebody(chromium, PHONE) as page:
        search_by_file(page, event)
        page.get_by_role("button", name="Show me where I am").click()
        marks = page.locator(".photos .me")
        expect(marks).to_have_count(PHOTOS)
        mark, tile = marks.first.bounding_box(), page.locator("#sure li").first.bounding_box()
        assert mark
        assert tile
        across = (mark["x"] + mark["width"] / 2 - tile["x"]) / tile["width"]
        down = (mark["y"] + mark["height"] / 2 - tile["y"]) / tile["height"]
        # The astronaut's face is at (224, 110) of 512 x 512 pixels.
        assert (across, down) == pytest.approx((0.44, 0.21), abs=0.08)


def test_some_are_chosen_and_taken_as_a_zip(event: Event, chromium: Browser) -> None:
    with somebody(chromium, PHONE) as page:
        search_by_file(page, event)
        page.get_by_role("button", name="Choose some").click()
        for number in (0, 2):
            page.locator("#sure a").nth(number).click()
        expect(page.locator("[data-bar] output")).to_have_text(re.compile(r"^2 chosen · 0\.\d MB$"))
        with page.expect_download() as download:
            page.get_by_role("button", name="Zip").click()
        with zipfile.ZipFile(download.value.path()) as archive:
            assert archive.namelist() == ["000.jpg", "002.jpg"]


def test_a_new_photo_joins_the_open_page_and_no_other_guests(site: Site, chromium: Browser) -> None:
    photographer = Photographer(site, "live@example.org")
    album = photographer.make_album()
    photographer.upload(album, variants(PHOTOS))
    wait_for(lambda: photographer.finished(album), "the album")
    address = f"{site.url}/l/{photographer.link(album)}/"
    event = Event(photographer, album, address)
    with somebody(chromium, PHONE) as page, somebody(chromium, PHONE) as other:
        search_by_file(page, event, posted="Tell me")
        other.goto(address)
        other.goto(page.url)
        expect(other.get_by_role("heading", name="There is nothing here")).to_be_visible()
        photo = page.locator("#sure img").first.get_attribute("src")
        answer = other.request.get(f"{site.url}{photo}")
        assert answer.status == 404
        photographer.upload(album, {"later.jpg": pictures.jpeg(pictures.portrait()[:, ::-1])})
        expect_photos(page, PHOTOS + 1)
        expect(page.get_by_alt_text("Photo later.jpg")).to_be_visible()


def test_a_link_asks_for_its_password_and_ends_in_words(site: Site, event: Event, chromium: Browser) -> None:
    links = f"{event.photographer.api}/albums/{event.album}/links/"
    made = event.photographer.session.post(links, json={"password": "lake"}).json()
    with somebody(chromium, PHONE) as page:
        page.goto(f"{site.url}/l/{made['token']}/")
        page.get_by_label("Password").fill("sea")
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_text("This is not the link's password.")).to_be_visible()
        page.get_by_label("Password").fill("lake")
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("button", name="Open the camera")).to_be_visible()
        with sqlite3.connect(site.data_dir / "pixora.sqlite3", timeout=20) as database:
            ended = "UPDATE galleries_link SET expires_at = '2020-01-01 00:00:00' WHERE id = ?"
            assert database.execute(ended, (uuid.UUID(made["id"]).hex,)).rowcount == 1
        page.reload()
        expect(page.get_by_role("heading", name="This has ended")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_anybody_out(event: Event, chromium: Browser, scheme: Literal["light", "dark"]) -> None:
    found = {}
    with somebody(chromium, PHONE) as page:
        page.context.grant_permissions(["camera"])
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.goto(event.address)
        found["link"] = serious(page)
        page.get_by_label("I agree").check()
        page.get_by_role("button", name="Open the camera").click()
        expect(page.get_by_role("button", name="Take the picture")).to_be_enabled()
        found["camera"] = serious(page)
        shoot(page)
        expect_photos(page, PHOTOS)
        page.get_by_role("button", name="Choose some").click()
        page.locator("#sure a").first.click()
        found["result"] = serious(page)
        page.get_by_role("button", name="Choose some").click()
        page.locator("#sure a").first.click()
        expect(page.locator(".pswp")).to_be_focused()
        found["viewer"] = serious(page)
    assert found == {"link": [], "camera": [], "result": [], "viewer": []}


def test_waiting_outlives_a_lost_connection(event: Event, chromium: Browser) -> None:
    status = re.compile("/status/")
    with somebody(chromium, PHONE) as page:
        page.route(status, lambda route: route.abort("internetdisconnected"))
        page.goto(event.address)
        page.get_by_label("I agree").check()
        page.locator("input[type=file]").last.set_input_files(
            {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": pictures.selfie_jpeg()}
        )
        page.get_by_role("button", name="Find my photos").click()
        expect(page.get_by_text("This page goes on by itself")).to_be_visible(timeout=SLOW)
        page.unroute(status)
        expect_photos(page, PHOTOS)
        expect(page.get_by_text("This page goes on by itself")).to_be_hidden()


def test_another_device_is_led_in_and_a_shared_one_forgets(event: Event, chromium: Browser) -> None:
    with somebody(chromium, PHONE) as tablet, somebody(chromium, PHONE) as phone:
        search_by_file(tablet, event)
        tablet.get_by_role("link", name="Open on another device").click()
        tablet.get_by_role("button", name="Make the address").click()
        code = tablet.get_by_alt_text("QR code")
        assert code.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        assert serious(tablet) == []
        phone.goto(tablet.get_by_label("Your return address").input_value())
        phone.get_by_role("button", name="Show my photos here").click()
        expect_photos(phone, PHOTOS)
        tablet.get_by_role("button", name="Forget me here").click()
        expect(tablet.get_by_text("This device has forgotten you")).to_be_visible()
        tablet.goto(phone.url)
        expect(tablet.get_by_role("heading", name="There is nothing here")).to_be_visible()
        phone.reload()
        expect_photos(phone, PHOTOS)


def test_the_token_leaves_the_address_and_the_page_still_works(event: Event, chromium: Browser) -> None:
    with somebody(chromium, PHONE) as page:
        page.goto(event.address)
        expect(page).to_have_url(re.compile(r"/e/[0-9a-f-]{36}/$"))
        page.reload()
        page.get_by_label("I agree").check()
        page.locator("input[type=file]").last.set_input_files(
            {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": pictures.selfie_jpeg()}
        )
        page.get_by_role("button", name="Find my photos").click()
        expect_photos(page, PHOTOS)
