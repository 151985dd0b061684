"""A grid of thousands of photos in a real browser: it stays small and still, and knows where one was."""

import re
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.axe import serious
from tests.conftest import PASSWORD
from tests.running import Site
from tests.test_browser import DESK, PHONE, chromium, somebody

pytestmark = pytest.mark.xdist_group("site")
__all__ = ["chromium"]
PHOTOS = 3_000
MOST_NODES, MOST_SHIFT = 1_500, 0.02
ODD_NAME = "1000 $& □ <b>.jpg"
SEED = f"""
import io
from PIL import Image
from galleries import storage
from galleries.models import Album, Photo, User
from tests.pages import many_photos
owner = User.objects.create_user("grid@example.org", "{PASSWORD}")
album = Album.objects.create(owner=owner, title="Thousands")
many_photos(album, {PHOTOS})
picture = io.BytesIO()
Image.new("RGB", (48, 32), "#888888").save(picture, "JPEG")
photos = list(album.photos.all())
for number, photo in enumerate(photos):
    photo.width, photo.height = [(300, 200), (200, 300), (300, 225), (400, 160)][number % 7 % 4]
    storage.write(photo.thumb_key, picture.getvalue())
    storage.write(photo.preview_key, picture.getvalue())
photos[1000].name = "{ODD_NAME}"
Photo.objects.bulk_update(photos, ["name", "width", "height"], batch_size=500)
print(album.pk)
"""
WATCH = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
IN_VIEW = """() => [...document.querySelectorAll("[data-grid] > li")].filter((tile) => {
  const { top, bottom } = tile.getBoundingClientRect();
  return top > 0 && bottom < innerHeight - 150;
}).map((tile) => tile.id)"""


@pytest.fixture(scope="module")
def album(site: Site) -> str:
    return site.manage("shell", "--no-imports", "-c", SEED).splitlines()[-1]


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(site: Site, chromium: Browser, album: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    with somebody(chromium, request.param) as page:
        page.add_init_script(WATCH)
        page.goto(f"{site.url}/accounts/login/")
        page.get_by_label("Email").fill("grid@example.org")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Thousands").click()
        wait_for_grid(page)
        yield page


def wait_for_grid(page: Page) -> None:
    expect(page.locator("[data-grid]")).to_have_attribute("aria-busy", "false")


def scroll_to(page: Page, y: float) -> None:
    page.evaluate("(y) => new Promise((done) => { scrollTo(0, y); requestAnimationFrame(() => setTimeout(done)) })", y)


def test_scrolling_through_thousands_keeps_the_page_small_and_still(page: Page) -> None:
    height, step = page.evaluate("[document.documentElement.scrollHeight, innerHeight * 0.9]")
    names, most = set(), 0
    for y in range(0, int(height), int(step)):
        scroll_to(page, y)
        most = max(most, page.evaluate("document.querySelectorAll('*').length"))
        names |= set(page.locator("[data-grid] img").evaluate_all("images => images.map(image => image.alt)"))
    assert len(names) == PHOTOS
    assert ODD_NAME in names
    assert most <= MOST_NODES
    assert page.evaluate("shift") < MOST_SHIFT
    scroll_to(page, height)
    expect(page.get_by_role("img", name=f"{PHOTOS - 1:04}.jpg")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollHeight") == height
    expect(page.get_by_role("img", name=f"{PHOTOS - 1:04}.jpg")).to_have_js_property("naturalWidth", 48)


def test_what_is_chosen_outlives_scrolling_and_is_sent_whole(page: Page) -> None:
    page.get_by_label("Choose 0001.jpg").check()
    # What has the focus stays in the page.
    page.evaluate("document.activeElement.blur()")
    scroll_to(page, 40_000)
    expect(page.get_by_label("Choose 0001.jpg")).to_have_count(0)
    last = page.locator(f"#{page.evaluate(IN_VIEW)[-1]}")
    number = int((last.locator("img").get_attribute("alt") or "").removesuffix(".jpg"))
    last.locator("input").click(modifiers=["Shift"])
    expect(page.locator("[data-bar] output")).to_have_text(f"{number} chosen")
    scroll_to(page, 0)
    expect(page.get_by_label("Choose 0002.jpg")).to_be_checked()
    page.get_by_role("button", name="All", exact=True).click()
    page.get_by_role("button", name="Delete …").click()
    expect(page.get_by_role("heading")).to_have_text(f"Delete {PHOTOS} photos?")


def test_whoever_comes_back_from_a_photo_is_where_they_were(page: Page) -> None:
    scroll_to(page, 50_000)
    tile = page.evaluate(IN_VIEW)[1]
    before = page.locator(f"#{tile}").bounding_box()
    page.locator(f"#{tile} a").click()
    page.wait_for_url("**/photos/**")
    page.go_back()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.locator(f"#{tile}").bounding_box() == before
    page.locator(f"#{tile} a").click()
    page.wait_for_url("**/photos/**")
    # The photo's own page, as for whoever was sent its address.
    page.reload()
    page.keyboard.press("Escape")
    page.wait_for_url("**#p-*")
    wait_for_grid(page)
    expect(page.locator(f"#{tile} a")).to_be_focused()
    assert page.locator(f"#{tile}").bounding_box() == before


def test_the_tab_key_goes_from_photo_to_photo_beyond_what_is_drawn(page: Page) -> None:
    first = page.get_by_role("link", name="0000.jpg")
    first.focus()
    for _ in range(2 * 120):
        page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="0120.jpg")).to_be_focused()
    expect(page.get_by_role("link", name="0120.jpg")).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_a_photographer_out(site: Site, page: Page, album: str, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.get_by_label("Choose 0002.jpg").check()
    found = {"album with a choice": serious(page)}
    here = f"albums/{album}"
    paths = ["", "albums/", "albums/new/", "albums/deleted/", f"{here}/edit/", f"{here}/links/new/", f"{here}/delete/"]
    for path in [*paths, f"{here}/?state=all&order=name", "accounts/email/", "my/", "nowhere/"]:
        page.goto(f"{site.url}/{path}")
        found[path] = serious(page)
    page.goto(f"{site.url}/{here}/links/new/")
    page.get_by_role("button", name="Make the link").click()
    page.wait_for_url(re.compile("/links/[0-9a-f-]{36}/$"))
    found["link"] = serious(page)
    page.get_by_role("link", name="Poster").click()
    page.wait_for_url("**/poster/")
    found["poster"] = serious(page)
    assert {name: broken for name, broken in found.items() if broken} == {}
