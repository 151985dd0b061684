"""The page of the API's description in a real browser, under the Content-Security-Policy of all pages."""

import pytest
from playwright.sync_api import Browser, expect

from tests.running import Site
from tests.test_browser import DESK, chromium, somebody

pytestmark = pytest.mark.xdist_group("site")
__all__ = ["chromium"]


def test_the_description_is_read_and_opened_in_a_browser(site: Site, chromium: Browser) -> None:
    with somebody(chromium, DESK) as page:
        page.goto(f"{site.url}/api/v1/docs/")
        expect(page.get_by_role("heading", name="Pixora")).to_be_visible()
        guide = page.locator(".info")
        for word in ("Authenticate.", "upload.", "Share.", "Search, as a guest.", "Zip."):
            expect(guide.get_by_text(word).first).to_be_visible()
        expect(guide.locator("pre code").first).to_contain_text("curl -H")
        assert page.locator(".opblock").count() > 55
        page.locator("#operations-albums-albums_create .opblock-summary-control").click()
        opened = page.locator("#operations-albums-albums_create")
        expect(opened.get_by_text("Idempotency-Key").first).to_be_visible()
        expect(opened.get_by_text("Nina and Tom at the lake").first).to_be_visible()
