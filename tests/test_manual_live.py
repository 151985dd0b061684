"""The manual's examples, run as they stand by a shell and curl; and its pages in a browser."""

import json
import os
import re
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser
from playwright.sync_api import Error as PlaywrightError

from galleries.manual import PARTS
from tests import pictures
from tests.axe import serious
from tests.conftest import needs_program
from tests.running import Site, wait_for
from tests.test_browser import DESK, PHONE, chromium, somebody
from tests.test_end_to_end import variants

__all__ = ["chromium"]
pytestmark = pytest.mark.xdist_group("site")
# What an example says of its answer: `# 201; keep its "id" as ALBUM`, `# 200; ask again until its "state" is "done"`.
_STATUS = re.compile(r"^# (\d{3})", re.MULTILINE)
_KEPT = re.compile(r'its "(\w+)" as (\w+)')
_UNTIL = re.compile(r'until its "(\w+)" is (.+?)(?:;|$)', re.MULTILINE)


class Reader:
    """Somebody who copies one example after the other into their shell."""

    def __init__(self, site: Site, folder: Path) -> None:
        self._folder = folder
        self._known = {"SITE": site.url, "TOKEN": site.token("ruth@example.org"), "CURL_HOME": str(folder)}
        # Beside the answer: its status, and nothing of how far it is.
        (folder / ".curlrc").write_text('silent\nshow-error\nwrite-out = "\\n%{http_code}"\n')
        for name, data in dict(zip(("a.jpg", "b.jpg"), variants(2).values(), strict=True)).items():
            (folder / name).write_bytes(data)
        (folder / "me.jpg").write_bytes(pictures.selfie_jpeg())

    def follow(self, example: str) -> None:
        if until := _UNTIL.search(example):
            wanted = json.loads(until[2])
            answer = wait_for(lambda: (now := self._run(example)) and now.get(until[1]) == wanted and now, example)
        else:
            answer = self._run(example)
        for key, name in _KEPT.findall(example):
            self._known[name] = str(answer[key])
        if 'the "id" of a photo as PHOTO' in example:
            self._known["PHOTO"] = answer["photos"][0]["id"]

    def _run(self, example: str) -> Any:
        done = subprocess.run(
            ["bash", "-eu", "-c", example],
            cwd=self._folder, env=dict(os.environ) | self._known, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        body, _, status = done.stdout.rpartition("\n")
        said = _STATUS.search(example)
        assert said, example
        assert status == said[1], f"{example}\n{done.stdout}\n{done.stderr}"
        return json.loads(body) if body.strip() else {}


def test_the_examples_work_as_they_stand(site: Site, tmp_path: Path) -> None:
    needs_program("curl")
    reader, followed = Reader(site, tmp_path), []
    for chapter in next(part for part in PARTS if part.name == "api").chapters:
        page = requests.get(f"{site.url}/help/{chapter.part}/{chapter.name}/").text
        for name, code in re.findall(r'data-example="(\w+)"><code>(.+?)</code>', page, re.DOTALL):
            if name == "site":
                assert f"SITE={site.url}\n" in unescape(code)
                continue
            reader.follow(unescape(code))
            followed.append(name)
    assert len(followed) >= 15
    assert (tmp_path / "photos.zip").read_bytes()[:2] == b"PK"


def test_who_runs_it_in_containers_is_told_how_to_begin(site: Site) -> None:
    """By the container that prepares everything; no other one is there to say it."""
    said = site.manage("serve", "--prepare")
    (address,) = re.findall(r"within a day: (http\S+/setup/\S+)", said)
    assert requests.get(address.replace("http://127.0.0.1:8000", site.url)).status_code == 200


ADDRESSES = ["/help/", "/help/?q=zip", "/help/api/"]
ADDRESSES += [f"/help/{chapter.part}/{chapter.name}/" for part in PARTS for chapter in part.chapters]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_manual_is_readable_by_anybody(site: Site, chromium: Browser, scheme: Any) -> None:
    """At 390 px in the dark, at 1280 in the light: nothing sticks out, and axe finds nothing serious."""
    viewport = PHONE if scheme == "dark" else DESK
    with somebody(chromium, viewport) as page:
        page.emulate_media(color_scheme=scheme)
        for address in ADDRESSES:
            page.goto(site.url + address)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address
            assert serious(page) == [], address


def test_longer_words_fit_too(site: Site, chromium: Browser) -> None:
    with somebody(chromium, PHONE) as page:
        page.set_extra_http_headers({"Accept-Language": "de"})
        for address in ADDRESSES:
            page.goto(site.url + address)
            assert page.locator("html").get_attribute("lang") == "de"
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address


def test_a_chapter_may_be_printed(site: Site, chromium: Browser) -> None:
    """On paper there is the text, and neither contents nor buttons."""
    with somebody(chromium, DESK) as page:
        page.goto(f"{site.url}/help/photographers/sharing/")
        page.emulate_media(media="print")
        assert page.get_by_role("heading", name="Print the QR code").is_visible()
        assert not page.locator(".book > nav").is_visible()
        try:
            assert page.pdf()[:4] == b"%PDF"
        except PlaywrightError:
            pytest.skip("this browser does not print")
