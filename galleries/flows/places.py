"""Faces found again by where they lie in their photo, whichever engine saw them."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol, TypeVar

from django.db.models import QuerySet

from galleries.models import Face


class Placed(Protocol):
    """What has a box, in fractions of the picture's width and height."""

    @property
    def x(self) -> float: ...
    @property
    def y(self) -> float: ...
    @property
    def width(self) -> float: ...
    @property
    def height(self) -> float: ...


_Placed = TypeVar("_Placed", bound=Placed)


def faces_by_photo(faces: QuerySet[Face]) -> dict[uuid.UUID, list[Face]]:
    found: dict[uuid.UUID, list[Face]] = defaultdict(list)
    for face in faces:
        found[face.photo_id].append(face)
    return found


def same_face(faces: Iterable[_Placed], place: Placed, least: float = 0.0) -> _Placed | None:
    """The face that lies where another one does, whichever engine found either; more of it than `least` is shared."""
    nearest = max(faces, key=lambda face: _overlap(face, place), default=None)
    return nearest if nearest and _overlap(nearest, place) > least else None


def _overlap(a: Placed, b: Placed) -> float:
    """Intersection over union of two boxes."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (a.width * a.height + b.width * b.height - shared or 1.0)
