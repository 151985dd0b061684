"""Faces found again by where they lie in their photo, whichever engine saw them."""

import uuid
from collections import defaultdict

from django.db.models import QuerySet

from galleries.models import Face, Match


def faces_by_photo(faces: QuerySet[Face]) -> dict[uuid.UUID, list[Face]]:
    found: dict[uuid.UUID, list[Face]] = defaultdict(list)
    for face in faces:
        found[face.photo_id].append(face)
    return found


def same_face(faces: list[Face], match: Match) -> Face | None:
    """The face that lies where the match's does, whichever engine found either."""
    nearest = max(faces, key=lambda face: _overlap(face, match), default=None)
    return nearest if nearest and _overlap(nearest, match) else None


def _overlap(a: Face | Match, b: Face | Match) -> float:
    """Intersection over union of two boxes."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (a.width * a.height + b.width * b.height - shared or 1.0)
