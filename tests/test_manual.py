"""The manual is held to the code: its links lead somewhere, its buttons are the pages' own words, its figures are the
settings', every page of the site is spoken of, and its examples are run (tests/test_manual_live.py).
"""

import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin

import polib
import pytest
from django.conf import settings
from django.core.management import get_commands
from django.test import Client
from django.urls import reverse
from django.utils import translation
from PIL import Image
from pytest_django import Settings

from galleries import manual
from galleries.api.pages import CursorPages
from galleries.api.serializers import PhotoCheckSerializer
from galleries.flows import delivery
from galleries.flows.gauges import gauges
from galleries.manual import PARTS, Chapter
from galleries.metrics import MEASURES
from galleries.models import Album, Link
from tests.conftest import browser_of
from tests.messages import LANGUAGES, catalogue_path, messages
from tests.pages import read, text_of
from tests.routes import routes

# Figures may be the administrator's, in the database.
pytestmark = pytest.mark.django_db
ROOT = Path(settings.BASE_DIR)
CHAPTERS = [chapter for part in PARTS for chapter in part.chapters]
NAMES = [f"{chapter.part}/{chapter.name}" for chapter in CHAPTERS]
HELP = ROOT / "templates" / "help"
PICTURES = ROOT / "static" / "screenshots"

# Where the manual speaks of a page: chapter#section.
SPOKEN_OF = {
    "first-admin": "administrators/people#first",
    "tokens": "photographers/team#tokens",
    "token-new": "photographers/team#tokens",
    "token": "photographers/team#tokens",
    "token-revoke": "photographers/team#tokens",
    "albums": "photographers/albums#first",
    "album-new": "photographers/albums#first",
    "albums-deleted": "photographers/albums#delete",
    "album-restore": "photographers/albums#delete",
    "album-delete-for-good": "photographers/albums#delete",
    "album": "photographers/albums#upload",
    "album-edit": "photographers/sharing#brand",
    "album-delete": "photographers/albums#delete",
    "album-face-search": "photographers/law#off",
    "album-progress": "photographers/albums#upload",
    "album-problems": "photographers/albums#problems",
    "album-upload": "photographers/albums#upload",
    "album-searches": "photographers/guests#strange",
    "album-retry": "photographers/albums#problems",
    "album-photos-change": "photographers/albums#choose",
    "album-photos-delete": "photographers/albums#choose",
    "album-zip": "photographers/albums#zip",
    "album-collaborators": "photographers/team#collaborators",
    "album-collaborator": "photographers/team#collaborators",
    "album-leave": "photographers/team#collaborators",
    "album-link-new": "photographers/sharing#share",
    "link": "photographers/sharing#options",
    "link-poster": "photographers/sharing#qr",
    "link-delete": "photographers/sharing#end",
    "photo": "guests/photos#maybe",
    "guest-link": "guests/photos#find",
    "event": "guests/photos#link",
    "shared": "guests/photos#nothing",
    "my-photos": "guests/photos#devices",
    "selfie": "guests/photos#nothing",
    "selfie-feedback": "guests/photos#maybe",
    "selfie-zip": "guests/photos#download",
    "selfie-mail": "guests/photos#later",
    "mail": "guests/photos#later",
    "selfie-devices": "guests/photos#devices",
    "return": "guests/photos#devices",
    "selfie-withdraw": "guests/privacy#withdraw",
    "healthz": "administrators/desk#overview",
    "readyz": "administrators/desk#overview",
    "metrics": "administrators/desk#overview",
    "account_email": "photographers/team#account",
    "account_change_password": "photographers/team#account",
    "account_reset_password": "administrators/people#lost-phone",
    "mfa_index": "photographers/team#account",
    "mail-settings": "photographers/team#account",
    "account-close": "photographers/team#account",
    "album-people": "photographers/albums#people",
    "album-people-merge": "photographers/albums#people",
    "person": "photographers/albums#people",
    "person-remove": "photographers/albums#people",
    "webhooks": "api/webhooks#receive",
    "webhook-new": "api/webhooks#receive",
    "webhook": "api/webhooks#receive",
    "webhook-change": "api/webhooks#receive",
    "webhook-secret": "api/webhooks#receive",
    "webhook-delete": "api/webhooks#receive",
    "delivery": "api/webhooks#receive",
    "mails": "administrators/desk#mail",
    "mail-shown": "administrators/desk#mail",
    "invited": "administrators/people#accounts",
    "mfa_activate_totp": "administrators/people#second-step",
    "mfa_deactivate_totp": "administrators/people#lost-phone",
    "mfa_view_recovery_codes": "administrators/people#second-step",
    "mfa_generate_recovery_codes": "administrators/people#second-step",
    "mfa_download_recovery_codes": "administrators/people#second-step",
}
_STEP = "a step of a page that is spoken of, and says itself what to do"
_BYTES = "bytes of a page that is spoken of"
_FRONT = "says itself what it is for"
# Why the manual does not speak of a page.
NEEDS_NO_WORDS = {
    "home": _FRONT,
    "help": "the manual",
    "help-part": "the manual",
    "help-chapter": "the manual",
    "set_language": "two buttons at the end of each page, which say their language's name",
    "manifest": "read by browsers, not by people",
    "site-accent": _BYTES,
    "album-accent": _BYTES,
    "album-logo": _BYTES,
    "album-listing": _BYTES,
    "guest-accent": _BYTES,
    "guest-logo": _BYTES,
    "guest-cover": _BYTES,
    "shared-listing": _BYTES,
    "selfie-status": _BYTES,
    "account_login": _FRONT,
    "account_logout": _FRONT,
    "account_signup": _FRONT,
    "account_inactive": _STEP,
    "account_reauthenticate": _STEP,
    "account_email_verification_sent": _STEP,
    "account_set_password": _STEP,
    "account_confirm_email": _STEP,
    "account_confirm_login_code": _STEP,
    "account_reset_password_done": _STEP,
    "account_reset_password_from_key": _STEP,
    "account_reset_password_from_key_done": _STEP,
    "mfa_authenticate": _STEP,
    "mfa_reauthenticate": _STEP,
}
# Numbers that are nobody's setting: sizes of paper, answers of HTTP, curl's version, the tick that counts from one.
_TYPED = {"4", "5", "7.82", "0", "1", "201", "304", "400", "401", "403", "404", "410", "412", "429", "503", "507"}


def html_of(chapter: Chapter, language: str = "en") -> str:
    with translation.override(language):
        return manual.rendered(chapter, "https://photos.example.org")


def address_of(chapter: Chapter) -> str:
    return reverse("help-chapter", args=[chapter.part, chapter.name])


def ids_of(html: str) -> list[str]:
    return re.findall(r'\bid="([^"]+)"', html)


def anchors() -> set[str]:
    return {f"{chapter.part}/{chapter.name}#{name}" for chapter in CHAPTERS for name in ids_of(html_of(chapter))}


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
@pytest.mark.parametrize("chapter", CHAPTERS, ids=NAMES)
def test_a_chapter_is_sections_with_an_id_and_a_title_of_their_own(chapter: Chapter, language: str) -> None:
    html = html_of(chapter, language)
    found = manual.sections(html)
    assert found
    assert all(section.title and section.text != section.title for section in found)
    ids = ids_of(html)
    assert sorted(set(ids)) == sorted(ids)
    assert {section.id for section in found} == {each.id for each in manual.sections(html_of(chapter))}
    assert len({section.title for section in found}) == len(found)


def test_what_is_bold_is_written_on_a_page_just_so() -> None:
    """In every language, so that nobody looks for a button that has another name."""
    ours = {message.msgid for message in messages() if not message.place.startswith("templates/help/")}
    for language in ("en", *LANGUAGES):
        known = {said.casefold() for said in _said_in(language, ours)}
        for chapter in CHAPTERS:
            bold = re.findall(r"<b>(.+?)</b>", html_of(chapter, language))
            assert [words for words in bold if words.replace("&#x27;", "'").casefold() not in known] == [], chapter


def _said_in(language: str, msgids: set[str]) -> set[str]:
    if language == "en":
        return msgids
    return {entry.msgstr for entry in polib.pofile(str(catalogue_path(language))) if entry.msgid in msgids}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=NAMES)
def test_every_link_of_the_manual_leads_somewhere(chapter: Chapter) -> None:
    for language in ("en", *LANGUAGES):
        for href in re.findall(r"href=[\"']([^\"']+)[\"']", html_of(chapter, language)):
            path, fragment = urldefrag(urljoin(address_of(chapter), href))
            answer = Client().get(path)
            assert answer.status_code == 200, href
            assert not fragment or fragment in ids_of(answer.content.decode()), href


def test_every_link_into_the_manual_leads_to_a_section() -> None:
    linked = re.compile(r'{% url "help-chapter" "(\w+)" "(\w+)" %}(#[\w-]+)?')
    found = [match for path in HELP.parent.rglob("*.html") for match in linked.findall(path.read_text())]
    assert len(found) > 10
    assert {"{}/{}{}".format(*each) for each in found} <= anchors() | set(NAMES)


def test_every_page_of_the_site_is_spoken_of_or_needs_no_words() -> None:
    """If this fails for a new page: write of it in templates/help, and say here where; or say why not."""
    pages = {name for name, _ in routes() if not name.startswith("api:")}
    assert pages - set(SPOKEN_OF) == set(NEEDS_NO_WORDS)
    assert set(SPOKEN_OF) <= pages
    assert set(SPOKEN_OF.values()) <= anchors()


def test_commands_and_settings_that_are_named_are_there() -> None:
    said = "\n".join(html_of(chapter) for chapter in CHAPTERS) + (ROOT / "OPERATING.md").read_text()
    assert set(re.findall(r"manage\.py (\w+)", said)) <= set(get_commands())
    readme = (ROOT / "README.md").read_text()
    assert {name for name in re.findall(r"\bPIXORA_\w+[A-Z]", said) if f"`{name}`" not in readme} == set()


def test_measures_that_operators_are_told_to_watch_are_measured() -> None:
    named = set(re.findall(r"\bpixora_[a-z_]+", (ROOT / "OPERATING.md").read_text()))
    counters = {f"pixora_{name}{'' if measure.timed else '_total'}" for name, measure in MEASURES.items()}
    assert named - counters - {f"pixora_{gauge[0]}" for gauge in gauges()} == {"pixora_up"}


def test_operators_find_what_they_are_pointed_to() -> None:
    said = (ROOT / "OPERATING.md").read_text()
    titles = {title.lower().replace(" ", "-") for title in re.findall(r"^##+ (.+)$", said, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", said)) <= titles
    for path in re.findall(r"`((?:tests|galleries)/[\w/]+\.py|nginx\.conf|docker-compose\.yml)`", said):
        assert (ROOT / path).exists(), path
    assert "(OPERATING.md)" in (ROOT / "README.md").read_text()


def test_the_snippet_for_signatures_knows_what_was_signed_and_when() -> None:
    snippet: dict[str, Any] = {}
    exec((HELP / "api" / "signature.py").read_text(), snippet)
    check, now = snippet["is_from_pixora"], int(time.time())

    header = delivery.signature(now, b"{}", ["new", "old"])
    assert check(header, b"{}", "new")
    assert check(header, b"{}", "old")
    assert not check(header, b"{ }", "new")
    assert not check(header, b"{}", "wrong")
    assert not check(delivery.signature(now - 900, b"{}", ["new"]), b"{}", "new")


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 300


def test_figures_come_from_where_they_are_decided(settings: Settings) -> None:
    said = "\n".join(path.read_text() for path in HELP.rglob("*.*"))
    assert {name for name in manual.facts() if not re.search(rf"\b{name}\b", said)} == set()
    settings.PIXORA_SELFIE_DAYS = 77
    privacy = next(chapter for chapter in CHAPTERS if chapter.name == "privacy")
    assert "77 days" in html_of(privacy)
    assert "77 Tage" in html_of(privacy, "de")


def test_no_figure_is_typed() -> None:
    typed = _TYPED | {f"{CursorPages.max_page_size:,}"}
    files: Any = PhotoCheckSerializer().fields["files"]
    assert files.max_length == CursorPages.max_page_size
    for message in messages():
        if message.place.startswith("templates/help/"):
            assert set(re.findall(r"(?<![\w/-])\d[\d.,]*(?<![.,])(?!\w)", message.msgid)) <= typed, message.msgid


# Looking things up


@pytest.mark.parametrize(
    ("language", "query", "first"),
    [
        ("en", "qr CODE", "photographers/sharing/#qr"),
        ("en", "withdraw", "guests/privacy/#withdraw"),
        ("de", "gelöscht werden", "photographers/guests/#erase"),
    ],
)
def test_a_task_is_found_by_its_words(language: str, query: str, first: str) -> None:
    answer = Client().get(reverse("help"), {"q": query}, headers={"Accept-Language": language})
    found = re.findall(r'href="/help/([^"]+#[^"]+)"', answer.content.decode())
    assert found[0] == first


def test_what_is_not_there_is_not_found_and_harms_nothing() -> None:
    answer = Client().get(reverse("help"), {"q": "<script>alert(1)</script>"})
    assert "0 places about" in text_of(answer)
    assert "<script>alert" not in answer.content.decode()
    for address in ("/help/nobody/", "/help/guests/nothing/", "/help/nobody/photos/"):
        assert Client().get(address).status_code == 404


def test_an_excerpt_is_whole_words_around_the_place() -> None:
    for hit in manual.find("zip"):
        text = hit.section.text
        assert hit.excerpt.removesuffix(" …") in text
        assert set(hit.excerpt.removesuffix(" …").split()) <= set(text.split())
        assert len(hit.excerpt) < 200


# The pages


def test_every_page_of_the_manual_is_whole_without_a_script() -> None:
    parts = [reverse("help-part", args=[part.name]) for part in PARTS]
    for address in [reverse("help"), *parts, *map(address_of, CHAPTERS)]:
        answer = Client().get(address)
        page = read(answer.content.decode())
        assert answer.status_code == 200
        assert (page.inline, page.unlabelled, page.images_without_alt) == ([], [], 0), address
        assert page.landmarks == ["main", "h1"]
        assert "<script" not in answer.content.decode()


def test_the_manual_is_a_step_away_on_every_page(album: Album, link: Link) -> None:
    owner: Any = browser_of(album.owner)
    pages = [(Client(), "/"), (Client(), "/nothing/here/"), (Client(), reverse("guest-link", args=[link.token]))]
    pages += [(owner, reverse("albums")), (owner, reverse("album", args=[album.pk])), (owner, reverse("account_email"))]
    for browser, path in pages:
        assert f'href="{reverse("help")}"' in browser.get(path).content.decode(), path


def test_the_desk_has_our_icon_and_leads_to_its_part(admin_user: Any) -> None:
    page = browser_of(admin_user).get(reverse("admin:index")).content.decode()
    assert 'href="/static/img/favicon.ico"' in page
    assert f'href="{reverse("help-part", args=["administrators"])}"' in page


def test_every_picture_is_there_in_light_and_dark_and_all_of_them_are_small() -> None:
    shown = re.compile(r'help/picture.html" with name="(\w+)" width=(\d+) height=(\d+)')
    wanted = {match for path in HELP.rglob("*.html") for match in shown.findall(path.read_text())}
    files = {
        f"help-{name}-{scheme}.webp": (int(width), int(height))
        for name, width, height in wanted
        for scheme in ("light", "dark")
    }
    assert {path.name: _size(path) for path in PICTURES.glob("help-*")} == files
    assert sum(path.stat().st_size for path in PICTURES.iterdir()) < 1_000_000


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size
