"""Uploads that meet with trouble, in a real browser against a site that runs for real: nothing is lost or doubled."""

import hashlib
import os
import signal
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.conftest import PASSWORD, needs_program
from tests.running import Site
from tests.test_browser import DESK, PHONE, SLOW, numbers, somebody
from tests.test_end_to_end import wait_for

pytestmark = pytest.mark.xdist_group("site")
MANY = 300
# Looks at the page's numbers at every frame, and keeps those that do not add up.
WATCH = """() => {
  const read = (name) => Number(document.querySelector(`#sending [data-number=${name}]`).textContent);
  const parts = ["waiting", "sending", "sent", "here", "refused", "failed"];
  window.looks = 0;
  window.wrong = [];
  const look = () => {
    window.looks += 1;
    const sum = parts.map(read).reduce((a, b) => a + b);
    if (sum !== read("chosen")) window.wrong.push([sum, read("chosen")]);
    requestAnimationFrame(look);
  };
  look();
}"""


@pytest.fixture(scope="module")
def uploading() -> Iterator[Browser]:
    program = needs_program("chromium")
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


@dataclass
class Desk:
    """An album's page, and the account it belongs to."""

    page: Page
    site: Site
    email: str

    def choose(self, folder: Path) -> None:
        self.page.locator("input[data-folder]").set_input_files(folder)

    def sent(self) -> int:
        return int(self.page.locator("[data-number=sent]").inner_text())

    def wait_until_sent(self, least: int) -> None:
        wait_for(lambda: self.sent() >= least, f"{least} files sent")

    def finished(self) -> dict[str, int]:
        expect(self.page.get_by_text("All done.")).to_be_visible(timeout=SLOW)
        expect(self.page.locator("#progress")).to_contain_text("has been dealt with", timeout=SLOW)
        return numbers(self.page, "#sending")

    def stored(self) -> list[str]:
        """The SHA-256 of every original of this album, by its bytes; the rows' are the same."""
        album = self.page.url.rstrip("/").rpartition("/")[2]
        query = "SELECT original_key, sha256 FROM galleries_photo WHERE album_id = ? AND original_key != ''"
        with sqlite3.connect(self.site.data_dir / "pixora.sqlite3", timeout=20) as database:
            rows = database.execute(query, [uuid.UUID(album).hex]).fetchall()
        sums = [hashlib.sha256((self.site.data_dir / "media" / key).read_bytes()).hexdigest() for key, _ in rows]
        assert sums == [sum_of_row for _, sum_of_row in rows]
        return sorted(sums)

    def end_all_sessions(self) -> None:
        with sqlite3.connect(self.site.data_dir / "pixora.sqlite3", timeout=20) as database:
            database.execute("DELETE FROM django_session")


def desk(page: Page, site: Site) -> Desk:
    email = f"{uuid.uuid4().hex[:8]}@example.org"
    page.goto(f"{site.url}/accounts/signup/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    page.get_by_role("link", name="New album").first.click()
    page.get_by_label("Title").fill("Harvest feast")
    page.get_by_role("button", name="Make the album").click()
    # There once the script is.
    expect(page.get_by_text("Choose a folder")).to_be_visible()
    return Desk(page, site, email)


def photos(folder: Path, count: int, light: float = 1.0) -> Path:
    """So many small photos in folders of folders, no two alike."""
    pictures = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket()]
    small = [Image.fromarray(picture).resize((160, 120)) for picture in pictures]
    for number in range(count):
        place = folder / f"part-{number % 3}" / f"camera-{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        lit = np.asarray(small[number % 4]) * light * (0.4 + 0.6 * number / count)
        Image.fromarray(lit.astype(np.uint8)).save(place / f"IMG_{number:04}.jpg", quality=90)
    return folder


def sums(folder: Path) -> list[str]:
    found = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.jpg"))
    assert len(set(found)) == len(found)
    return found


def kill_the_web(site: Site) -> None:
    """The web server and all its children, at once and without a word; the supervisor starts it again."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words, settings = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
                group = os.getpgid(int(entry.name))
            except OSError:
                continue
            is_web = b"gunicorn" in words and f"--bind={site.url.removeprefix('http://')}".encode() in words
            if is_web and f"PIXORA_DATA_DIR={site.data_dir}\0".encode() in settings:
                os.killpg(group, signal.SIGKILL)
                return
    raise AssertionError("no web server runs")


def test_300_files_arrive_once_though_the_server_is_killed(site: Site, uploading: Browser, tmp_path: Path) -> None:
    folder = photos(tmp_path / "event", MANY)
    with somebody(uploading, DESK) as page:
        here = desk(page, site)
        page.evaluate(WATCH)
        here.choose(folder)
        for sent in (40, 160):
            here.wait_until_sent(sent)
            kill_the_web(site)
        assert here.sent() < MANY
        done = here.finished()
        assert (done["chosen"], done["sent"], done["here already"], done["failed"]) == (MANY, MANY, 0, 0)
        assert page.evaluate("[window.wrong, window.looks > 20]") == [[], True]
        assert numbers(page, "#progress >") == {"received": MANY, "ready": MANY}
        assert here.stored() == sums(folder)
        # A closed tab: the folder chosen again, with one photo more.
        photos(folder / "late", 1, light=0.9)
        page.reload()
        here.choose(folder)
        done = here.finished()
        assert (done["chosen"], done["sent"], done["here already"]) == (MANY + 1, 1, MANY)
        assert here.stored() == sums(folder)


def test_an_expired_login_pauses_and_signing_in_goes_on(site: Site, uploading: Browser, tmp_path: Path) -> None:
    folder = photos(tmp_path / "event", 60)
    with somebody(uploading, PHONE) as page:
        here = desk(page, site)
        here.choose(folder)
        here.wait_until_sent(5)
        page.get_by_role("button", name="Pause").click()
        asks_before_leaving(page)
        here.end_all_sessions()
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("You have been signed out.")).to_be_visible(timeout=SLOW)
        with page.context.expect_page() as opened:
            page.locator("#sending").get_by_role("link", name="Sign in").click()
        sign_in = opened.value
        sign_in.get_by_label("Email").fill(here.email)
        sign_in.get_by_label("Password").fill(PASSWORD)
        with sign_in.expect_event("close"):
            sign_in.get_by_role("button", name="Sign in").click()
        done = here.finished()
        assert (done["chosen"], done["sent"], done["failed"]) == (60, 60, 0)
        assert here.stored() == sums(folder)
        # Nothing is unsent any more: leaving is not asked about, which would hang here.
        page.close(run_before_unload=True)


def asks_before_leaving(page: Page) -> None:
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()


def test_without_network_it_waits_and_what_failed_is_retried(site: Site, uploading: Browser, tmp_path: Path) -> None:
    folder = photos(tmp_path / "event", 12)
    lost = next(folder.rglob("*.jpg"))
    data, moment = lost.read_bytes(), lost.stat().st_mtime_ns
    with somebody(uploading, PHONE) as page:
        here = desk(page, site)
        page.context.set_offline(True)
        here.choose(folder)
        expect(page.get_by_text("The upload goes on by itself")).to_be_visible(timeout=SLOW)
        lost.unlink()
        page.context.set_offline(False)
        expect(page.get_by_text("some files did not arrive")).to_be_visible(timeout=SLOW)
        expect(page.locator("[data-reasons]")).to_contain_text("1Could not be read")
        assert numbers(page, "#sending")["failed"] == 1
        lost.write_bytes(data)
        os.utime(lost, ns=(moment, moment))
        page.get_by_role("button", name="Retry all failed").click()
        done = here.finished()
        assert (done["sent"], done["failed"]) == (12, 0)
        assert here.stored() == sums(folder)
        expect(page.locator("[data-reasons] details")).to_have_count(0)


def test_a_dropped_folder_is_walked_and_what_is_no_photo_left_out(
    site: Site, uploading: Browser, tmp_path: Path
) -> None:
    folder = photos(tmp_path / "event", 130)
    for name in ("IMG_1.CR3", "IMG_2.NEF", "film.mp4", ".DS_Store", "part-1/notes.txt"):
        (folder / name).write_bytes(b"no photo")
    with somebody(uploading, DESK) as page:
        here = desk(page, site)
        drop(page, folder)
        done = here.finished()
        assert (done["chosen"], done["sent"], done["left out"]) == (134, 130, 4)
        for words in ("2RAW files: export them as JPEG first", "1Videos: Pixora takes photos only", "1Not a photo"):
            expect(page.locator("[data-reasons]")).to_contain_text(words)
        assert here.stored() == sums(folder)


def drop(page: Page, folder: Path) -> None:
    """As from the desktop: Chromium hands the page the folder's entries."""
    box = page.locator("#upload").bounding_box()
    assert box
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": box["x"] + 20, "y": box["y"] + 20, "data": data})


def test_a_taken_name_is_asked_about_and_replaced(site: Site, uploading: Browser, tmp_path: Path) -> None:
    before, after = photos(tmp_path / "a" / "event", 6), photos(tmp_path / "b" / "event", 6, light=0.8)
    fresh = after / "new.jpg"
    Image.fromarray(skimage.data.chelsea()).save(fresh)
    with somebody(uploading, PHONE) as page:
        here = desk(page, site)
        here.choose(before)
        here.finished()
        here.choose(after)
        expect(page.get_by_text("6 photos have the same names")).to_be_visible(timeout=SLOW)
        here.wait_until_sent(1)
        assert here.stored() == sorted([*sums(before), hashlib.sha256(fresh.read_bytes()).hexdigest()])
        page.get_by_role("button", name="Replace").click()
        done = here.finished()
        assert (done["chosen"], done["sent"]) == (7, 7)
        expect(page.get_by_role("heading", name="7 photos")).to_be_visible(timeout=SLOW)
        assert here.stored() == sums(after)
