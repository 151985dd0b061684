"""A grid of photos: its first page as markup, and all of it as one compact list for static/js/grid.js."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.gzip import gzip_page

from galleries import access
from galleries.access import Viewer
from galleries.models import Album, Person, Photo
from galleries.models.photo import GROUPS

from .page import kept_while_unchanged
from .paging import ORDERS, Photos, in_order

# What stands in the markup of a tile for the things that differ from photo to photo.
_ANY = str(UUID(int=0))
_NAME = "\N{WHITE SQUARE}"
_WIDTH, _HEIGHT, _COLOUR = 'width="1"', 'height="1"', 'data-colour=""'
# One letter a photo in the list: what its tile says of it.
_MARKS = {"ready": "r", "uploaded": "w", "processing": "w", "rejected": "f", "quarantined": "f"}
_COLUMNS = ("pk", "width", "height", "colour", "name", "state", "hidden")


@dataclass(frozen=True)
class Choice:
    """Which photos a grid shows, and in which order, as its address says; what it does not know is as usual."""

    state: str = "ready"
    order: str = "time"
    # Only photos of this person of the album; "" for all.
    person: str = ""

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Choice":
        state, order = said.get("state", ""), said.get("order", "")
        state, order = state if state in GROUPS else cls.state, order if order in ORDERS else cls.order
        return cls(state, order, _uuid_or_nothing(said.get("person", "")))

    def photos(self, viewer: Viewer, album: Album) -> Photos:
        """The album's photos of this choice. Raises Http404 where the person is nobody of this album."""
        photos = album.photos.of_group(self.state)
        person = self.person_in(viewer, album)
        return photos.filter(person.photos) if person else photos

    def person_in(self, viewer: Viewer, album: Album) -> Person | None:
        return access.people_in(viewer, album, [UUID(self.person)])[0] if self.person else None

    @property
    def query(self) -> str:
        usual = Choice()
        return urlencode({name: word for name, word in asdict(self).items() if word != getattr(usual, name)})

    @property
    def address_end(self) -> str:
        return f"?{self.query}" if self.query else ""

    def but(self, **other: str) -> str:
        """The end of the address of the same grid with another state or order."""
        return replace(self, **other).address_end or "?"


def _uuid_or_nothing(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return ""


class Tiles:
    """Draws photos' tiles: the markup once for each mark, and into it what differs from photo to photo.

    A template that looked up and reversed everything for each photo took half of the page's time. `end` ends the
    address of each photo, `alt` says its name; `downloadable` lets the viewer offer the original.
    """

    def __init__(
        self, *, end: str = "", alt: str = "%(name)s", choosable: bool = False, downloadable: bool = False
    ) -> None:
        named = {"name": _NAME}
        words = {"alt": alt % named, "choose": _("Choose %(name)s") % named, "name": _NAME, "id": _ANY, "end": end}
        self._context: dict[str, Any] = {**words, "choosable": choosable, "downloadable": downloadable}
        self._drawn: dict[str, str] = {}

    @property
    def blank(self) -> str:
        """What scripts copy."""
        return mark_safe(self._markup("r"))  # noqa: S308 (drawn by a template)

    def of(self, photos: Iterable[Photo]) -> str:
        return mark_safe("\n".join(map(self._tile, photos)))  # noqa: S308 (the same, with names escaped)

    def _tile(self, photo: Photo) -> str:
        markup = self._markup(mark_of(photo.state, hidden=photo.hidden)).replace(_ANY, str(photo.pk))
        markup = markup.replace(_WIDTH, f'width="{photo.width}"').replace(_HEIGHT, f'height="{photo.height}"')
        # The name last: whatever is in it, nothing is put into it.
        return markup.replace(_COLOUR, f'data-colour="{escape(photo.colour)}"').replace(_NAME, escape(photo.name))

    def _markup(self, mark: str) -> str:
        if mark not in self._drawn:
            self._drawn[mark] = render_to_string("parts/tile.html", self._context | {"mark": mark}).strip()
        return self._drawn[mark]


def photos_title(count: int) -> str:
    return ngettext("%(n)s photo", "%(n)s photos", count) % {"n": count}


def mark_of(state: str, *, hidden: bool) -> str:
    """r: ready, h: ready but hidden, w: waiting or in work, f: failed."""
    return "h" if hidden and state == Photo.State.READY else _MARKS[state]


@gzip_page
def listing(request: HttpRequest, photos: Photos, order: str, title: Callable[[int], str]) -> HttpResponseBase:
    """All of the photos by column, and what stands above them."""
    columns = _by_column(in_order(photos, order).values_list(*_COLUMNS))
    columns["title"] = title(len(columns["names"]))
    body = json.dumps(columns, ensure_ascii=False, separators=(",", ":")).encode()
    return kept_while_unchanged(request, body, "application/json")


def _by_column(rows: Iterable[tuple[Any, ...]]) -> dict[str, Any]:
    ids, shapes, colours, names, marks = [], [], [], [], []
    for pk, width, height, colour, name, state, hidden in rows:
        ids.append(pk.hex)
        shapes.append(round(1000 * width / height) if width and height else 1500)
        colours.append(colour[1:] or "------")
        names.append(name)
        marks.append(mark_of(state, hidden=hidden))
    return {"ids": "".join(ids), "shapes": shapes, "colours": "".join(colours), "names": names, "marks": "".join(marks)}
