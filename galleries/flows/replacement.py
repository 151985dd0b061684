"""What a new photo takes over from the one whose place it takes."""

import uuid

import numpy as np

import recognition
from galleries.models import Album, EmbeddingBlock, Face, Match, Photo
from galleries.models.photo import stack
from recognition import Vector

from .selfie import faces_by_photo, same_face


def take_over(old: Photo, new: Photo, engine: str) -> None:
    """The caller holds the locks of the album and of both photos."""
    Album.objects.filter(pk=new.album_id, cover=old.pk).update(cover=new.pk)
    if old.hidden:
        Photo.objects.filter(pk=new.pk).update(hidden=True)
    if engine:
        _hand_over_matches(old, new, engine)


def _hand_over_matches(old: Photo, new: Photo, engine: str) -> None:
    """Guests keep a photo that is replaced where the new one shows the same face in the same place.

    The place alone is not enough: photos of one name may come from two cameras, and show two people.
    """
    faces = faces_by_photo(Face.objects.filter(photo__in=[old.pk, new.pk], engine=engine))
    vectors = {photo: _vectors(photo, engine) for photo in (old.pk, new.pk)}
    near = recognition.engine(engine).thresholds.sure
    for match in Match.objects.filter(photo=old):
        before, after = same_face(faces[old.pk], match), same_face(faces[new.pk], match)
        if before and after:
            apart = vectors[old.pk][before.ordinal] - vectors[new.pk][after.ordinal]
            if np.linalg.norm(apart) <= near:
                box = {"x": after.x, "y": after.y, "width": after.width, "height": after.height}
                Match.objects.filter(pk=match.pk).update(photo=new, **box)


def _vectors(photo: uuid.UUID, engine: str) -> Vector:
    """By the ordinals of the photo's faces."""
    block = EmbeddingBlock.objects.filter(photo=photo, engine=engine)
    return stack(block.values_list("photo", "count", "vectors", "weak"))[1]
