"""axe-core on the page that a browser shows: what of it keeps people with a disability out."""

from pathlib import Path

from django.conf import settings
from playwright.sync_api import Page

_AXE = Path(settings.BASE_DIR) / "node_modules" / "axe-core" / "axe.min.js"


def serious(page: Page) -> list[str]:
    """Rules that are broken seriously or critically, each with the elements that break it."""
    page.evaluate(_AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{broken['id']}: {', '.join(str(node['target']) for node in broken['nodes'])}"
        for broken in found["violations"]
        if broken["impact"] in ("serious", "critical")
    ]
