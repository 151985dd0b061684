"""The manual: its parts and chapters, the figures its sentences name, and what is found in it.

A chapter is templates/help/<part>/<name>.html: sections, each with an id and one h2. Contents and search are read from
what a chapter says when it is rendered, so they are never out of step with it, in any language.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _

from galleries.flows import notice, upkeep, watch
from galleries.models import album, audit
from galleries.models.site import limit

_EXCERPT = 160


@dataclass(frozen=True)
class Chapter:
    part: str
    name: str
    title: Any

    @property
    def template(self) -> str:
        return f"help/{self.part}/{self.name}.html"


@dataclass(frozen=True)
class Part:
    """`title` and `words` are lazy: they are said in the reader's language."""

    name: str
    title: Any
    words: Any
    chapters: tuple[Chapter, ...]


def _part(name: str, title: Any, words: Any, **chapters: Any) -> Part:
    return Part(name, title, words, tuple(Chapter(name, each, said) for each, said in chapters.items()))


PARTS = (
    _part(
        "guests",
        _("For guests"),
        _("You have a link or a QR code, and want your photos."),
        photos=_("Find your photos"),
        privacy=_("What happens with my picture"),
    ),
    _part(
        "photographers",
        _("For photographers"),
        _("You have photos of an event, and guests who want theirs."),
        albums=_("Albums and photos"),
        sharing=_("Share an album"),
        guests=_("When guests ask"),
        law=_("Face search and the law"),
        team=_("Colleagues and programs"),
    ),
    _part(
        "administrators",
        _("For administrators"),
        _("You look after this site and the people on it."),
        people=_("Accounts and people"),
        desk=_("The desk"),
    ),
    _part(
        "api",
        _("For programs"),
        _("You write a program that makes albums, sends photos or finds guests theirs."),
        start=_("First steps"),
        albums=_("From album to zip"),
        guests=_("What a guest's program does"),
        webhooks=_("Be told what happens"),
    ),
)


def facts(address: str = "") -> dict[str, Any]:
    """Every figure that the manual names, from where it is decided; `address` is the site's own."""
    return {
        "site": address,
        "max_megabytes": settings.PIXORA_MAX_FILE_BYTES // 1_000_000,
        "max_megapixels": settings.PIXORA_MAX_PIXELS // 1_000_000,
        "files_at_once": settings.DATA_UPLOAD_MAX_NUMBER_FILES,
        "selfie_days": limit("selfie_days"),
        "searches_a_day": limit("guest_searches"),
        "guests_an_hour": limit("guests_an_hour"),
        "staff_need_a_second_step": settings.PIXORA_STAFF_NEED_MFA,
        "guests_have_mail": notice.is_offered(),
        "zip_days": upkeep.ARCHIVE_DAYS,
        "other_faces": watch.OTHER_FACES,
        "restore_days": album.RESTORE_DAYS,
        "most_persons": album.MOST_PERSONS_A_GUEST,
        "record_days": audit.KEPT_DAYS,
    }


def rendered(chapter: Chapter, address: str = "") -> str:
    return mark_safe(render_to_string(chapter.template, facts(address)))  # noqa: S308 (our own template)


@dataclass(frozen=True)
class Section:
    """`text` is all that is read in it, the title too, in one line."""

    id: str
    title: str = ""
    text: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sections: list[Section] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "section":
            self.sections.append(Section(dict(attrs).get("id") or ""))
        self._in_title = tag == "h2"

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False

    def handle_data(self, data: str) -> None:
        if self.sections and (words := " ".join(data.split())):
            now = self.sections[-1]
            title = f"{now.title} {words}".strip() if self._in_title else now.title
            self.sections[-1] = replace(now, title=title, text=f"{now.text} {words}".strip())


def sections(text: str) -> list[Section]:
    """Of a chapter that has been rendered."""
    reader = _Reader()
    reader.feed(text)
    return reader.sections


@dataclass(frozen=True)
class Hit:
    chapter: Chapter
    section: Section
    excerpt: str


def find(query: str) -> list[Hit]:
    """Sections that have every word of the query, or what it begins with, those that have them in the title first."""
    words = query.casefold().split()
    found = [(chapter, section) for chapter, section in _everything() if _has(section.text, words)] if words else []
    found.sort(key=lambda each: not _has(each[1].title, words))
    return [Hit(chapter, section, _excerpt(section, words[0])) for chapter, section in found]


def _everything() -> Iterator[tuple[Chapter, Section]]:
    for part in PARTS:
        for chapter in part.chapters:
            yield from ((chapter, section) for section in sections(rendered(chapter)))


def _has(text: str, words: list[str]) -> bool:
    said = text.casefold()
    return all(word in said for word in words)


def _excerpt(section: Section, word: str) -> str:
    """Whole words around the first place of the word, or the beginning where only the title has it."""
    text = section.text.removeprefix(section.title).strip()
    at = max(0, text.casefold().find(word) - _EXCERPT // 3)
    start = text.rfind(" ", 0, at) + 1
    if len(text) - start <= _EXCERPT:
        return text[start:]
    return text[start : text.rfind(" ", start, start + _EXCERPT)] + " …"
