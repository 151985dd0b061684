"""A guest's phone in a real browser, against a site that runs for real: camera, result, later photos, other devices."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests import pictures
from tests.conftest import needs_program
from tests.running import Site
from tests.test_browser import PHONE, SLOW, somebody
from tests.test_end_to_end import Photographer, variants, wait_for

pytestmark = pytest.mark.xdist_group("site")
PHOTOS = 4


def film(path: Path, picture: pictures.Pixels) -> Path:
    """What the fake camera shows: one picture, ten frames of it, in a camera's shape."""
    frame, still = io.BytesIO(), Image.new("RGB", (640, 480), pictures.GREY)
    height = 440
    still.paste(Image.fromarray(picture).resize((height * picture.shape[1] // picture.shape[0], height)), (100, 20))
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
        shoot(page)
        size = page.evaluate("[document.querySelector('canvas').width, document.querySelector('canvas').height]")
        assert size[1] > size[0], "no more than the phone showed"
        expect_photos(page, PHOTOS)


def test_a_refused_camera_is_told_and_the_gallery_stays(event: Event, cameras: tuple[Browser, Browser]) -> None:
    with somebody(cameras[0], PHONE) as page:
        page.goto(event.address)
        page.get_by_label("I agree").check()
        page.get_by_role("button", name="Open the camera").click()
        expect(page.get_by_text("The browser keeps the camera shut")).to_be_visible()
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
