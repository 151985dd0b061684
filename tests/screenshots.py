"""Pictures of every main page at 390 and 1280 px, light and dark, with 0, 3 and 3,000 photos: `make screenshots`.

A real site is started and seeded (tests/seeded.py); a real Chromium looks at it. The folder gets an index.html that
shows all of them side by side. With --readme, the three pictures that README shows are written anew; with --manual
those of the manual, each in light and dark (tests/test_manual.py holds that they are there).
"""

import argparse
import html
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.seeded import Seeded

ROOT = Path(__file__).resolve().parent.parent
WIDTHS = {390: 844, 1280: 860}
SCHEMES = ("light", "dark")
_ZONE = "Europe/Berlin"
# Nobody listens there, and nothing is sent.
_MAIL = {"PIXORA_PUBLIC_URL": "http://127.0.0.1", "EMAIL_URL": "smtp://127.0.0.1:9"}
# Taller pages are cut off here: what matters of them stands above.
_TALLEST = 2000
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--force-color-profile=srgb"]
# Pages that answer to something which went wrong; no seeded row leads there.
_SORRY = {"400": 400, "403": 403, "403_csrf": 403, "404": 404, "429": 429, "500": 500}
# The page of who may not sign up, by what the site's settings say.
_NO_SIGN_UP = {"sign-up-closed": "closed", "sign-up-invited": "invited"}
# README's pictures: name -> (page, width, scheme, height).
_README = {
    "album": ("album-many", 1280, "light", 1080),
    "guest-result": ("result-many", 390, "light", 844),
    "guest-landing": ("landing-many", 390, "dark", 844),
}
# The manual's: name -> (page, width, height, what of the page; "" is all that is in sight).
_MANUAL = {
    "landing": ("landing-few", 390, 700, ""),
    "result": ("result-many", 390, 700, ""),
    "album": ("album-many", 1000, 760, ""),
    "poster": ("link-poster", 520, 740, ".poster"),
}


@dataclass(frozen=True)
class Shot:
    """A page, who looks at it, and where it is; `press` selects a button to press once there."""

    name: str
    who: str
    path: str
    press: str = ""


def main() -> None:
    from tests.running import environment

    options = _options()
    with tempfile.TemporaryDirectory(prefix="pixora-shots-", dir="/tmp" if Path("/tmp").is_dir() else None) as folder:
        # The site's own, its secret key among them: who is signed in here is signed in there.
        variables = {"PIXORA_TIME_ZONE": _ZONE} | (_MAIL if options.mail else {})
        os.environ |= environment(Path(folder), **variables)
        django.setup()
        with _started(Path(folder), variables) as address:
            _take(address, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make screenshots ARGS=…", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "var" / "screenshots", help="where they go")
    parser.add_argument("--readme", action="store_true", help="only the pictures of README, into static/screenshots")
    parser.add_argument("--manual", action="store_true", help="only the manual's, into static/screenshots")
    parser.add_argument("--only", default="", help="only pages whose name has this in it")
    parser.add_argument("--language", default="en", help="the language of the browser")
    parser.add_argument("--mail", action="store_true", help="as on a site that sends e-mail to guests")
    parser.add_argument("--photos", type=int, default=3000, help="photos of the large album")
    return parser.parse_args()


@contextmanager
def _started(folder: Path, variables: dict[str, str]) -> Iterator[str]:
    from tests.running import running_site

    with running_site(folder, **variables) as site:
        yield site.url


def _take(address: str, options: argparse.Namespace) -> None:
    from playwright.sync_api import sync_playwright

    from tests.seeded import seed

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        sys.exit("There is no Chromium on this machine (Debian: chromium).")
    # Playwright runs an event loop in this thread, in which Django would refuse its database.
    seeded = seed(options.photos)
    shots = [shot for shot in pages(seeded) if options.only in shot.name]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_OPTIONS)
        if options.readme:
            _for_readme(browser, address, seeded, shots, options.language)
        elif options.manual:
            _for_manual(browser, address, seeded, shots, options.language)
        else:
            _for_looking(browser, address, seeded, shots, options)
        browser.close()


def pages(seeded: "Seeded") -> list[Shot]:
    """Every main page. Addresses come from the routes, so that a page which moves is found, and one that goes fails."""
    from django.urls import reverse

    found = [
        *(Shot(name, "nobody", reverse(route)) for name, route in _OPEN.items()),
        Shot("albums-empty", "newcomer", reverse("albums")),
        Shot("albums", "owner", reverse("albums")),
        Shot("album-new", "owner", reverse("album-new")),
        Shot("album-new-errors", "owner", reverse("album-new"), "main button.primary"),
        Shot("account", "owner", reverse("account_email")),
        Shot("account-second-step", "owner", reverse("mfa_index")),
        Shot("api-tokens", "owner", reverse("tokens")),
    ]
    for size, album in seeded.albums.items():
        link = seeded.links[size]
        found += [
            Shot(f"album-{size}", "owner", reverse("album", args=[album.pk])),
            Shot(f"landing-{size}", "nobody", reverse("guest-link", args=[link.token])),
            Shot(f"shared-{size}", "guest", reverse("shared", args=[album.pk])),
        ]
    sorry = [Shot(f"sorry-{name}", "nobody", f"/{name}") for name in _SORRY]
    sorry += [Shot(name, "nobody", f"/{name}") for name in _NO_SIGN_UP]
    return found + _desk(seeded) + _guests(seeded) + _manual() + _office(seeded) + _administration(seeded) + sorry


_OPEN = {"front": "home", "sign-in": "account_login", "sign-up": "account_signup", "reset": "account_reset_password"}
_OPEN |= {"my-photos-empty": "my-photos", "help": "help"}


def _manual() -> list[Shot]:
    from django.urls import reverse

    from galleries.manual import PARTS

    chapters = [(chapter.part, chapter.name) for part in PARTS for chapter in part.chapters]
    return [Shot("help-" + "-".join(names), "nobody", reverse("help-chapter", args=names)) for names in chapters]


def _desk(seeded: "Seeded") -> list[Shot]:
    from django.urls import reverse

    album, link = seeded.albums["many"].pk, seeded.links["many"].pk
    routes = [("album-edit", album), ("album-delete", album), ("album-problems", album), ("album-link-new", album)]
    routes += [("link", link), ("link-poster", link), ("link-delete", link), ("photo", seeded.photo.pk)]
    return [Shot(route, "owner", reverse(route, args=[pk])) for route, pk in routes] + [
        Shot("album-edit-branded", "owner", reverse("album-edit", args=[seeded.albums["few"].pk])),
        Shot("link-poster-branded", "owner", reverse("link-poster", args=[seeded.links["few"].pk])),
        Shot("link-saved", "owner", reverse("link", args=[link]), "[aria-labelledby=options] button.primary"),
        Shot("album-searches", "owner", reverse("album-searches", args=[seeded.albums["few"].pk])),
        Shot("album-collaborators", "owner", reverse("album-collaborators", args=[album])),
        Shot("link-off", "owner", reverse("link", args=[seeded.links["ended"].pk])),
    ]


def _office(seeded: "Seeded") -> list[Shot]:
    """What a photographer has who is an administrator as well."""
    from django.urls import reverse

    office = seeded.office
    on, off, delivery = office.webhooks["on"].pk, office.webhooks["off"].pk, "delivery"
    pages = [Shot(f"{delivery}-{state}", "staff", reverse(delivery, args=[each.pk])) for state, each in _told(office)]
    return [
        *pages,
        Shot("account-staff", "staff", reverse("account_email")),
        Shot("account-close", "owner", reverse("account-close")),
        Shot("mail-settings", "owner", reverse("mail-settings")),
        Shot("mails", "staff", reverse("mails")),
        Shot("mail-shown", "staff", reverse("mail-shown", args=[office.mail.pk])),
        Shot("people-album", "staff", reverse("album", args=[office.people.pk])),
        Shot("people-list", "staff", reverse("album-people", args=[office.people.pk])),
        Shot("people-hidden", "staff", f"{reverse('album-people', args=[office.people.pk])}?hidden=yes"),
        Shot("people-off", "owner", reverse("album-people", args=[seeded.albums["many"].pk])),
        Shot("suspended-album", "staff", reverse("album", args=[office.suspended.pk])),
        Shot("webhooks", "staff", reverse("webhooks")),
        Shot("webhooks-empty", "owner", reverse("webhooks")),
        Shot("webhook-new", "staff", reverse("webhook-new")),
        Shot("webhook-on", "staff", reverse("webhook", args=[on])),
        Shot("webhook-off", "staff", reverse("webhook", args=[off])),
        Shot("webhook-secret-new", "staff", reverse("webhook-secret", args=[on])),
        Shot("webhook-secret-made", "staff", reverse("webhook-secret", args=[off]), "main button.primary"),
        Shot("webhook-delete", "staff", reverse("webhook-delete", args=[on])),
    ]


def _told(office: Any) -> list[tuple[str, Any]]:
    return sorted(office.deliveries.items())


def _administration(seeded: "Seeded") -> list[Shot]:
    from django.urls import reverse

    takedown = reverse("admin:galleries_takedown_add")
    pages = {
        "dashboard": reverse("admin:index"),
        "log": reverse("admin:galleries_deed_changelist"),
        "site": reverse("admin:galleries_sitesettings_changelist"),
        "takedown": f"{takedown}?what={seeded.office.photo.pk}",
        "albums": reverse("admin:galleries_album_changelist"),
        "invitation": reverse("admin:galleries_invitation_add"),
    }
    shots = [Shot(f"admin-{name}", "staff", path) for name, path in pages.items()]
    return [*shots, Shot("admin-takedown-found", "staff", pages["takedown"], "main input.default")]


def _guests(seeded: "Seeded") -> list[Shot]:
    from django.urls import reverse

    results = [
        Shot(f"result-{name}", "guest", reverse("selfie", args=[row.pk])) for name, row in seeded.searches.items()
    ]
    many = seeded.searches["many"]
    first = many.matches.order_by("distance")[0].photo_id
    return [
        *results,
        Shot("landing-locked", "nobody", reverse("guest-link", args=[seeded.links["locked"].token])),
        Shot("landing-ended", "nobody", reverse("guest-link", args=[seeded.links["ended"].token])),
        Shot("photo-guest", "guest", f"{reverse('photo', args=[first])}?in={many.pk}"),
        Shot("withdraw", "guest", reverse("selfie-withdraw", args=[many.pk])),
        Shot("devices", "guest", reverse("selfie-devices", args=[many.pk])),
        Shot("my-photos", "guest", reverse("my-photos")),
    ]


@contextmanager
def _somebody(
    browser: "Browser", address: str, cookies: dict[str, str], width: int, scheme: str, language: str, scale: float = 1
) -> "Iterator[Page]":
    context = browser.new_context(
        base_url=address,
        viewport={"width": width, "height": WIDTHS[width]},
        color_scheme="dark" if scheme == "dark" else "light",
        has_touch=width == 390,
        locale=language,
        device_scale_factor=scale,
        reduced_motion="reduce",
    )
    context.add_cookies([{"name": name, "value": value, "url": address} for name, value in cookies.items()])
    yield context.new_page()
    context.close()


def _for_looking(
    browser: "Browser", address: str, seeded: "Seeded", shots: list[Shot], options: argparse.Namespace
) -> None:
    options.folder.mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        for scheme in SCHEMES:
            for who, cookies in seeded.cookies.items():
                with _somebody(browser, address, cookies, width, scheme, options.language) as page:
                    for shot in (each for each in shots if each.who == who):
                        _shoot(page, shot, options.folder / _file(shot.name, width, scheme), width)
    _write_index(options.folder, shots)
    print(f"{len(shots)} pages: {options.folder / 'index.html'}")  # noqa: T201 (a program of the command line)


def _file(name: str, width: int, scheme: str) -> str:
    return f"{name}-{width}-{scheme}.jpg"


def _shoot(page: "Page", shot: Shot, path: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": WIDTHS[width]})
    _open(page, shot)
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if wide > 0:
        print(f"{shot.name} sticks out by {wide} px at {width} px", file=sys.stderr)  # noqa: T201
    tall = min(_TALLEST, page.evaluate("document.documentElement.scrollHeight"))
    page.set_viewport_size({"width": width, "height": max(WIDTHS[width], tall)})
    _settle(page)
    page.screenshot(path=path, type="jpeg", quality=80)


def _open(page: "Page", shot: Shot) -> None:
    if shot.name.startswith("sorry-") or shot.name in _NO_SIGN_UP:
        _fulfil(page, shot)
    answer = page.goto(shot.path)
    if answer is not None and answer.status >= 400 and not shot.name.startswith(("sorry-", "landing-ended")):
        print(f"{shot.name} answered {answer.status}", file=sys.stderr)  # noqa: T201
    if shot.press:
        page.locator(shot.press).first.click()
    _settle(page)


def _settle(page: "Page") -> None:
    """Pages that ask again and again are never quiet; pictures in sight are loaded soon."""
    page.wait_for_function(
        "() => [...document.images].every(i => i.complete || i.getBoundingClientRect().top > innerHeight)",
        timeout=15_000,
    )
    page.wait_for_timeout(150)


def _fulfil(page: "Page", shot: Shot) -> None:
    """An error page as the site would send it, at an address of the site's, so that its style sheet is found."""
    from django.template.loader import render_to_string

    from galleries.models import SiteSettings

    name = shot.path.strip("/")
    closed = {"site": SiteSettings(sign_up=_NO_SIGN_UP[name])} if name in _NO_SIGN_UP else None
    body = render_to_string("account/signup_closed.html" if closed else f"{name}.html", closed)
    page.route(f"**{shot.path}", lambda route: route.fulfill(status=200, body=body, content_type="text/html"))


def _for_readme(browser: "Browser", address: str, seeded: "Seeded", shots: list[Shot], language: str) -> None:
    for name, (wanted, width, scheme, height) in _README.items():
        shot = next(each for each in shots if each.name == wanted)
        with _somebody(browser, address, seeded.cookies[shot.who], width, scheme, language) as page:
            page.set_viewport_size({"width": width, "height": height})
            _open(page, shot)
            path = ROOT / "static" / "screenshots" / f"{name}.jpg"
            page.screenshot(path=path, type="jpeg", quality=82)
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")  # noqa: T201


def _for_manual(browser: "Browser", address: str, seeded: "Seeded", shots: list[Shot], language: str) -> None:
    for name, (wanted, width, height, part) in _MANUAL.items():
        shot = next(each for each in shots if each.name == wanted)
        for scheme in SCHEMES:
            with _somebody(browser, address, seeded.cookies[shot.who], 390, scheme, language) as page:
                page.set_viewport_size({"width": width, "height": height})
                _open(page, shot)
                if part:
                    page.locator(part).scroll_into_view_if_needed()
                    page.evaluate("part => document.querySelector(part).scrollIntoView()", part)
                path = ROOT / "static" / "screenshots" / f"help-{name}-{scheme}.webp"
                with Image.open(io.BytesIO(page.screenshot())) as picture:
                    picture.convert("RGB").save(path, quality=72, method=6)
                print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")  # noqa: T201


def _write_index(folder: Path, shots: list[Shot]) -> None:
    """Every picture that is there now, also those of an earlier run with --only."""
    names = sorted({path.name.rsplit("-", 2)[0] for path in folder.glob("*-*-*.jpg")})
    rows = "\n".join(f"<section><h2>{html.escape(name)}</h2><p>{_row(name)}</p></section>" for name in names)
    style = "body{font:16px sans-serif;margin:24px;background:#888}p{display:flex;gap:16px;align-items:start;margin:0}"
    style += "h2{margin:24px 0 8px}img{max-height:900px;box-shadow:0 2px 12px #0006}"
    head = f"<!doctype html><meta charset=utf-8><title>Pixora, page by page</title><style>{style}</style>"
    (folder / "index.html").write_text(f"{head}<h1>Pixora, page by page</h1>\n{rows}\n")


def _row(name: str) -> str:
    files: list[Any] = [_file(name, width, scheme) for width in WIDTHS for scheme in SCHEMES]
    return "".join(f'<a href="{file}"><img loading="lazy" src="{file}" alt="{file}"></a>' for file in files)


if __name__ == "__main__":
    main()
