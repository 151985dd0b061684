"""Photos in the order in which they were taken: a page of them, and the neighbours of one.

Pages are found by the last photo of the one before, so that photos that arrive meanwhile shift nothing.
"""

import uuid
from typing import Any

from django.db.models import Q
from django.http import Http404

from galleries.models import Photo

# A PhotoQuerySet, which access.visible_to, being the same for every kind, does not name.
Photos = Any
PHOTOS_A_PAGE = 100
_ORDER = ("moment", "name", "pk")


def a_page(photos: Photos, after: str = "") -> tuple[list[Photo], Photo | None]:
    """A page of photos, and the one to ask for the next page after; None on the last page."""
    ordered = photos.by_moment().order_by(*_ORDER)
    if after:
        ordered = ordered.filter(_beyond(_by_id(photos, after), "gt"))
    found = list(ordered[: PHOTOS_A_PAGE + 1])
    page = found[:PHOTOS_A_PAGE]
    return page, page[-1] if len(found) > PHOTOS_A_PAGE else None


def neighbours(photos: Photos, photo: Photo) -> tuple[Photo | None, Photo | None]:
    """The photos before and after."""
    timed = photos.by_moment()
    before = timed.filter(_beyond(photo, "lt")).order_by(*(f"-{column}" for column in _ORDER)).first()
    return before, timed.filter(_beyond(photo, "gt")).order_by(*_ORDER).first()


def _by_id(photos: Photos, photo_id: str) -> Photo:
    try:
        found: Photo = photos.get(pk=uuid.UUID(photo_id))
    except (ValueError, Photo.DoesNotExist) as error:
        raise Http404 from error
    return found


def _beyond(photo: Photo, side: str) -> Q:
    """Rows after (gt) or before (lt) the photo in _ORDER: SQL's row comparison, spelled out."""
    moment = photo.taken_at or photo.received_at
    return (
        Q(**{f"moment__{side}": moment})
        | Q(**{"moment": moment, f"name__{side}": photo.name})
        | Q(**{"moment": moment, "name": photo.name, f"pk__{side}": photo.pk})
    )
