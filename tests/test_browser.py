"""The whole journey in a real browser, against a site that runs for real: upload, link, selfie, result, zip.

Saves pictures of the pages it passes to var/screenshots/journey/; `make screenshots` takes those of all pages.
"""

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from django.conf import settings
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import pictures
from tests.conftest import PASSWORD, needs_program
from tests.running import Site

# One site for all who want one: two at once would share two cores.
pytestmark = pytest.mark.xdist_group("site")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 860}
SHOTS = Path(settings.BASE_DIR) / "var" / "screenshots" / "journey"
WITH_FACE, WITHOUT_FACE = 8, 5
SLOW = 120_000  # milliseconds; the engine loads its models first


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = needs_program("chromium")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


@contextmanager
def somebody(chromium: Browser, viewport: dict[str, int]) -> Iterator[Page]:
    """A browser that knows nothing yet. Whatever our Content-Security-Policy stops in it fails the test."""
    context = chromium.new_context(viewport=viewport, has_touch=viewport == PHONE)  # type: ignore[arg-type]
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    context.close()
    assert complaints == []


def show(page: Page, name: str) -> None:
    """Keep a picture of the page at both sizes; nothing may stick out sideways at either."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size
    for viewport in (PHONE, DESK):
        page.set_viewport_size(viewport)  # type: ignore[arg-type]
        page.wait_for_load_state("networkidle")
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=SHOTS / f"{name}-{viewport['width']}.png")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
    page.set_viewport_size(before)  # type: ignore[arg-type]


def event_folder(folder: Path) -> Path:
    """A photographer's folder: the astronaut at many sizes and lights, pictures without faces, and a text file."""
    astronaut = Image.fromarray(pictures.portrait())
    crops = [(0, 0, 512, 512), (40, 0, 460, 300), (60, 0, 400, 512), (90, 0, 360, 250)]
    (folder / "ceremony").mkdir(parents=True)
    for number in range(WITH_FACE):
        crop = astronaut.crop(crops[number % 4])
        lit = Image.fromarray(np.clip(np.asarray(crop) * (0.8 + 0.06 * number), 0, 255).astype(np.uint8))
        place = folder / "ceremony" if number % 2 else folder
        lit.resize((crop.width * 2, crop.height * 2)).save(place / f"portrait-{number}.jpg", quality=90)
    others = [skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket(), skimage.data.hubble_deep_field()]
    for number, picture in enumerate([*others, skimage.data.stereo_motorcycle()[0]]):
        Image.fromarray(picture).convert("RGB").save(folder / f"scene-{number}.jpg", quality=90)
    (folder / "notes.jpg").write_text("Remember the batteries.")
    return folder


def numbers(page: Page, section: str) -> dict[str, int]:
    rows = page.locator(f"{section} dl.numbers > div").all()
    return {row.locator("dt").inner_text(): int(row.locator("dd").inner_text()) for row in rows}


def photographer(page: Page, site: Site, folder: Path) -> str:
    """Signs up, makes an album, uploads the folder, waits, makes a link. Returns the link's address."""
    sign_up(page, site)
    make_album(page)
    upload(page, folder)
    return make_link(page)


def sign_up(page: Page, site: Site) -> None:
    page.goto(site.url)
    show(page, "front")
    page.get_by_role("link", name="Make an album").click()
    page.get_by_label("Email").fill("olga@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    show(page, "sign-up")
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_text("Your first album")).to_be_visible()
    show(page, "albums-empty")


def make_album(page: Page) -> None:
    page.get_by_role("link", name="New album").click()
    page.get_by_label("Title").fill("Launch day at the Cape")
    page.get_by_label("Date of the event").fill("2026-07-16")
    page.get_by_label("Let guests find their photos by a selfie").check()
    page.get_by_label("Legal basis").select_option("explicit_consent")
    page.get_by_label("I attest").check()
    show(page, "album-new")
    page.get_by_role("button", name="Make the album").click()
    expect(page.get_by_role("heading", name="Launch day at the Cape")).to_be_visible()
    show(page, "album-empty")


def upload(page: Page, folder: Path) -> None:
    page.locator("input[data-folder]").set_input_files(folder)
    expect(page.get_by_text("All done.")).to_be_visible(timeout=SLOW)
    sent = numbers(page, "#sending")
    files = WITH_FACE + WITHOUT_FACE + 1
    assert sent == {
        "chosen": files,
        "to send": 0,
        "being sent": 0,
        "sent": files - 1,
        "here already": 0,
        "left out": 1,
        "failed": 0,
    }
    expect(page.locator("#progress")).to_contain_text("has been dealt with", timeout=SLOW)
    done = numbers(page, "#progress >")
    assert done == {"received": files, "ready": files - 1, "no photo": 1, "faces": WITH_FACE}
    expect(page.locator("#photos .photos img")).to_have_count(files - 1)
    page.get_by_text("1 file could not be used").click()
    expect(page.locator("#problems")).to_contain_text("notes.jpg")
    expect(page.locator("#problems")).to_contain_text("not a photo")


def make_link(page: Page) -> str:
    page.get_by_role("link", name="New link").click()
    page.get_by_role("button", name="Make the link").click()
    code = page.get_by_alt_text("QR code of the link")
    expect(code).to_be_visible()
    assert code.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    show(page, "link")
    address = page.get_by_label("Address of the link").input_value()
    page.get_by_role("link", name="Launch day at the Cape").click()
    show(page, "album")
    return address


def guest(page: Page, address: str, selfie: Path, folder: Path) -> str:
    """Consents, gives the selfie, waits, sees their photos alone, takes the zip. Returns the gallery's address."""
    page.goto(address)
    expect(page.get_by_role("heading", name="Launch day at the Cape")).to_be_visible()
    # Which link they came by, and what forms need: who they are nothing knows yet.
    assert {cookie["name"] for cookie in page.context.cookies()} <= {"links", "csrftoken"}
    page.locator("input[type=file]").last.set_input_files(selfie)
    page.get_by_label("I agree").check()
    show(page, "landing")
    page.get_by_role("button", name="Find my photos").click()
    expect(page.get_by_role("heading", name=re.compile("photos of you"))).to_be_visible(timeout=SLOW)
    gallery = page.url
    see_own_photos_alone(page)
    open_one_large(page)
    take_the_zip(page, folder)
    return gallery


def see_own_photos_alone(page: Page) -> None:
    shown = [image.get_attribute("alt") or "" for image in page.locator(".photos img").all()]
    assert len(shown) == WITH_FACE
    assert all("portrait-" in name for name in shown)
    expect(page.locator("#searched")).to_contain_text(f"{WITH_FACE + WITHOUT_FACE} of {WITH_FACE + WITHOUT_FACE}")
    show(page, "result")


def open_one_large(page: Page) -> None:
    gallery = page.url
    page.locator(".photos a").first.click()
    viewer = page.locator(".pswp")
    expect(viewer).to_contain_text(f"1 / {WITH_FACE}")
    show(page, "photo")
    # PhotoSwipe listens once it has opened, and then it has the next photo beside this one.
    expect(viewer.locator(".pswp__item").nth(2)).to_have_css("display", "block")
    page.keyboard.press("ArrowRight")
    expect(viewer).to_contain_text(f"2 / {WITH_FACE}")
    with page.expect_download() as download:
        viewer.get_by_role("link", name="Download").click()
    with Image.open(download.value.path()) as picture:
        assert picture.format == "JPEG"
    page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    expect(page).to_have_url(gallery)


def take_the_zip(page: Page, folder: Path) -> None:
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all").click()
    show(page, "zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len(archive.namelist()) == WITH_FACE
        assert archive.testzip() is None
        name = next(name for name in archive.namelist() if name.endswith("portrait-0.jpg"))
        assert archive.read(name) == (folder / "portrait-0.jpg").read_bytes()


def test_from_an_empty_desk_to_a_zip_on_a_phone(site: Site, chromium: Browser, tmp_path: Path) -> None:
    folder = event_folder(tmp_path / "event")
    selfie = tmp_path / "me.jpg"
    selfie.write_bytes(pictures.selfie_jpeg())
    with somebody(chromium, DESK) as page:
        address = photographer(page, site, folder)
    with somebody(chromium, PHONE) as page:
        gallery = guest(page, address, selfie, folder)
    with somebody(chromium, PHONE) as page:
        answer = page.goto(gallery)
        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
        show(page, "nothing-here")
