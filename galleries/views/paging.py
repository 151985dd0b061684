"""Photos in an order: a page of them, and the neighbours of one.

Pages are found by the last photo of the one before, so that photos that arrive meanwhile shift nothing.
"""

import uuid
from typing import Any

from django.db.models import Q
from django.http import Http404

from galleries.models import Photo

# A PhotoQuerySet, which access.visible_to, being the same for every kind, does not name.
Photos = Any
# Enough for the first screen. Scripts lay out all photos from one list (grid.py); without them, more are a click away.
PHOTOS_A_PAGE = 24
# The album, which Django would else fetch for each photo that comes by way of its album.
_COLUMNS = ("album", "name", "width", "height", "colour", "state", "hidden")
# The id makes every order total.
ORDERS = {"time": ("moment", "name", "pk"), "name": ("name", "pk")}


def in_order(photos: Photos, order: str = "time") -> Photos:
    return photos.by_moment().order_by(*ORDERS[order])


def a_page(photos: Photos, after: str = "", order: str = "time") -> tuple[list[Photo], Photo | None]:
    """A page of photos, and the one to ask for the next page after; None on the last page."""
    ordered = in_order(photos, order)
    if after:
        ordered = ordered.filter(_beyond(_by_id(photos, after), "gt", order))
    found = list(ordered.only(*_COLUMNS)[: PHOTOS_A_PAGE + 1])
    page = found[:PHOTOS_A_PAGE]
    return page, page[-1] if len(found) > PHOTOS_A_PAGE else None


def neighbours(photos: Photos, photo: Photo, order: str = "time") -> tuple[Photo | None, Photo | None]:
    """The photos before and after."""
    ordered = in_order(photos, order)
    before = ordered.filter(_beyond(photo, "lt", order)).reverse().first()
    return before, ordered.filter(_beyond(photo, "gt", order)).first()


def _by_id(photos: Photos, photo_id: str) -> Photo:
    try:
        found: Photo = photos.by_moment().get(pk=uuid.UUID(photo_id))
    except (ValueError, Photo.DoesNotExist) as error:
        raise Http404 from error
    return found


def _beyond(photo: Photo, side: str, order: str) -> Q:
    """Rows after (gt) or before (lt) the photo: SQL's row comparison, spelled out."""
    place = {"moment": photo.taken_at or photo.received_at, "name": photo.name, "pk": photo.pk}
    beyond, same = Q(), Q()
    for column in ORDERS[order]:
        beyond |= same & Q(**{f"{column}__{side}": place[column]})
        same &= Q(**{column: place[column]})
    # Said twice, so that the database begins at the right place of an index.
    first = ORDERS[order][0]
    return Q(**{f"{first}__{side}e": place[first]}) & beyond
