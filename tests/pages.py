"""Reading pages in tests: what stands on them, and what a browser or a screen reader would stumble over."""

import re
from html.parser import HTMLParser
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from galleries.models import Album, Photo
from tests import pictures
from tests.conftest import Found


class Reader(HTMLParser):
    """Reads a page as a browser under our CSP and somebody with a screen reader would."""

    def __init__(self) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.fields: list[tuple[str, bool]] = []
        self.labelled: set[str] = set()
        self.images_without_alt = 0
        self.landmarks: list[str] = []
        self.addresses: list[str] = []
        self.sources: list[str] = []
        self._in_label = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.inline += [f"{tag} {name}" for name in said if name == "style" or name.startswith(("on", "hx-on"))]
        if tag == "style" or (tag == "script" and "src" not in said):
            self.inline.append(tag)
        self.addresses += [said[name] or "" for name in ("href", "action") if name in said]
        self.sources += [said["src"] or ""] if "src" in said else []
        if tag == "img" and "alt" not in said:
            self.images_without_alt += 1
        if tag in ("main", "h1"):
            self.landmarks.append(tag)
        if tag == "label":
            self._in_label = True
            self.labelled.add(said.get("for") or "")
        if tag in ("input", "select", "textarea") and said.get("type") not in ("hidden", "submit"):
            self.fields.append((said.get("id") or "", self._in_label or "aria-label" in said))

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._in_label = False

    @property
    def unlabelled(self) -> list[str]:
        return [name for name, named in self.fields if not named and name not in self.labelled]


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def text_of(answer: Any) -> str:
    """What stands on the page, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def browser_with(found: Found) -> Client:
    client = Client()
    client.cookies[settings.PIXORA_GUEST_COOKIE] = found.key
    return client


def selfie_file(data: bytes | None = None) -> SimpleUploadedFile:
    return SimpleUploadedFile("me.jpg", data or pictures.selfie_jpeg(), "image/jpeg")


def many_photos(album: Album, count: int) -> None:
    """Rows only: what a page asks the database does not hang on the files."""
    Photo.objects.bulk_create(
        Photo(
            album=album,
            name=f"{number:04}.jpg",
            size=1,
            sha256=f"{number:064x}",
            crc32=0,
            original_key="originals/x",
            content_type="image/jpeg",
            width=300,
            height=200,
            colour="#888888",
            state=Photo.State.READY,
        )
        for number in range(count)
    )
