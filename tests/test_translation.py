"""Every word of the site in every language of it, and English words written down long ago in the reader's language."""

import gettext
import re
from html.parser import HTMLParser
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.template.base import Lexer, TokenType
from django.test import Client
from django.urls import reverse
from django.utils import translation

from galleries import formats
from galleries.errors import Refusal
from galleries.formats import ImageRejected, Limits
from galleries.models import Album, Link, Photo, User
from galleries.words import in_words
from tests.conftest import add, browser_of, ready_photo
from tests.messages import LANGUAGES, catalogue_path, messages, template
from tests.pages import text_of

TEMPLATES = Path(settings.BASE_DIR) / "templates"


def catalogue(language: str) -> polib.POFile:
    return polib.pofile(str(catalogue_path(language)))


def placeholders(words: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s|\{\w+\}", words))


def test_the_site_offers_english_and_every_language_there_is_a_catalogue_of() -> None:
    assert [code for code, _ in settings.LANGUAGES] == ["en", *LANGUAGES]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_found_in_code_and_templates_is_translated(language: str) -> None:
    """If this fails: run `make messages`, translate what it names, run it again."""
    known = {(entry.msgid, entry.msgid_plural) for entry in catalogue(language)}
    assert {(entry.msgid, entry.msgid_plural) for entry in template()} == known
    unfinished = [entry.msgid for entry in catalogue(language) if not entry.translated() or entry.fuzzy]
    assert unfinished == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_fill_in_what_the_words_fill_in(language: str) -> None:
    for entry in catalogue(language):
        # For one, "an hour" may stand where the number would.
        one = placeholders(entry.msgstr_plural[0] if entry.msgid_plural else entry.msgstr)
        assert one in (placeholders(entry.msgid), placeholders(entry.msgid_plural or entry.msgid)), entry.msgid
        if entry.msgid_plural:
            assert placeholders(entry.msgstr_plural[1]) == placeholders(entry.msgid_plural), entry.msgid


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_says_what_the_written_one_does(language: str) -> None:
    with catalogue_path(language).with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for entry in catalogue(language):
        if entry.msgid_plural:
            said = [compiled.ngettext(entry.msgid, entry.msgid_plural, n) for n in (1, 2)]
            assert said == [entry.msgstr_plural[0], entry.msgstr_plural[1]]
        else:
            assert compiled.gettext(entry.msgid) == entry.msgstr


def test_words_are_found_wherever_they_may_stand() -> None:
    found = {message.msgid for message in messages()}
    in_python = {"Sign in first.", "The file is empty.", "Legal basis", "Your face is too small. Come closer."}
    in_templates = {"Skip to the content", "%(n)s photo", "Your zip", "until %(day)s"}
    assert in_python | in_templates <= found


def test_no_module_calls_gettext_by_a_name_under_which_its_words_are_not_found() -> None:
    code = "\n".join(path.read_text() for path in (Path(settings.BASE_DIR) / "galleries").rglob("*.py"))
    assert set(re.findall(r"\bimport n?gettext\w* as (\w+)", code)) == {"_"}


_NO_WORDS = ("code", "style")


class _Text(HTMLParser):
    """What somebody reads of a template, or hears: text and the attributes read aloud; no code, no style."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []
        self._in_code = False

    def handle_data(self, data: str) -> None:
        self.read += [] if self._in_code else [data]

    def handle_endtag(self, tag: str) -> None:
        self._in_code = self._in_code and tag not in _NO_WORDS

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_code = self._in_code or tag in _NO_WORDS
        self.read += [value or "" for name, value in attrs if name in ("alt", "aria-label", "title", "placeholder")]


@pytest.mark.parametrize("path", sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html")))
def test_no_word_of_a_template_stands_outside_of_the_translations(path: str) -> None:
    classes = re.compile(r"{% block \w+_class %}.*?{% endblock %}")
    html, inside = "", False
    for token in Lexer(classes.sub("", (TEMPLATES / path).read_text())).tokenize():
        if token.token_type == TokenType.BLOCK and re.match(r"(end)?(blocktranslate|comment)\b", token.contents):
            inside = not token.contents.startswith("end")
        elif token.token_type == TokenType.TEXT and not inside:
            html += token.contents
    reader = _Text()
    reader.feed(html)
    words = re.findall(r"[^\W\d_]{2,}", " ".join(reader.read))
    assert set(words) <= {"Pixora"}


# What was recorded in English


def rejections() -> list[str]:
    """Every reason for which formats.py turns a file away, as it would be written into a row."""
    heads = [*formats._OTHER_PICTURES, b"<html>", b"\0\0\0\x18ftypavif", b"\0\0\0\x18ftypcrx ", b"\0\0\0\x18ftypisom"]
    found = []
    for head in heads:
        with pytest.raises(ImageRejected) as rejected:
            formats.format_of(head.ljust(formats.HEAD_BYTES, b" "))
        found.append(rejected.value.detail)
    for size in (0, 61_000_000):
        with pytest.raises(ImageRejected) as rejected:
            formats.check_file_size(size, Limits(60_000_000, 120_000_000))
        found.append(rejected.value.detail)
    with pytest.raises(ImageRejected) as rejected:
        formats.check_pixels((30_000, 30_000), Limits(60_000_000, 120_000_000))
    return [*found, rejected.value.detail]


def test_every_reason_for_turning_a_file_away_is_told_in_german() -> None:
    with translation.override("de"):
        told = [in_words(reason) for reason in rejections()]
    assert not [words for words in told if re.search(r"\b(This|is|the|The|are|a|camera)\b", words)]
    assert "Das ist ein TIFF oder die RAW-Datei einer Kamera. Pixora nimmt JPEG, PNG, WebP und HEIC." in told
    assert "Die Datei ist größer als 60 MB." in told


def test_in_english_a_reason_stays_as_it_was_written() -> None:
    assert [in_words(reason) for reason in rejections()] == rejections()
    assert in_words("") == ""
    assert in_words("Something nobody has heard of.") == "Something nobody has heard of."


def test_a_refusal_is_english_in_logs_and_german_for_whoever_reads_it() -> None:
    refusal = Refusal("not_authenticated", "Sign in first.")
    with translation.override("de"):
        assert (str(refusal), refusal.detail) == ("Sign in first.", "Melde dich zuerst an.")


# The pages


@pytest.mark.django_db
def test_a_page_comes_in_the_browsers_language_until_another_is_chosen(album: Album) -> None:
    browser = Client(headers={"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"})
    page = reverse("guest-link", args=[Link.make(album).token])
    answer = browser.get(page)
    assert "Die Fotos werden vorbereitet" in text_of(answer)
    assert '<html lang="de">' in answer.content.decode()
    assert "English Deutsch" in text_of(answer), "each by its own name"
    chosen = browser.post(reverse("set_language"), {"language": "en", "next": page})
    assert chosen["Location"] == page
    assert "The photos are being prepared" in text_of(browser.get(page))


@pytest.mark.django_db
def test_a_page_that_answers_a_form_offers_no_way_back_to_itself(album: Album, owner: User) -> None:
    chosen = {"photo": str(ready_photo(album).pk)}
    answer = browser_of(owner).post(reverse("album-photos-delete", args=[album.pk]), chosen)
    assert "Delete 1 photo?" in text_of(answer)
    assert reverse("set_language") not in answer.content.decode()


@pytest.mark.django_db
def test_choosing_a_language_leads_to_no_foreign_site() -> None:
    answer = Client().post(reverse("set_language"), {"language": "de", "next": "https://evil.example/"})
    assert answer["Location"] == "/"


@pytest.mark.django_db
def test_the_owner_reads_in_german_why_a_file_was_no_photo(album: Album, owner: User) -> None:
    add(album, b"GIF89a and so on", "party.gif")
    assert Photo.objects.get().detail.startswith("This is a GIF.")
    desk = browser_of(owner)
    page = desk.get(reverse("album-problems", args=[album.pk]), headers={"Accept-Language": "de"})
    assert "Das ist ein GIF. Pixora nimmt JPEG, PNG, WebP und HEIC." in text_of(page)
