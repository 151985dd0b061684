"""Photos that give way to a new one, and what it takes over from them."""

import uuid

import numpy as np

import recognition
from galleries.models import Album, EmbeddingBlock, Face, Match, Photo, Sighting
from galleries.models.photo import stack
from recognition import Vector

from .places import faces_by_photo, same_face


def take_over(old: Photo, new: Photo, engine: str) -> None:
    """The caller holds the locks of the album and of both photos."""
    Album.objects.filter(pk=new.album_id, cover=old.pk).update(cover=new.pk)
    if old.hidden:
        Photo.objects.filter(pk=new.pk).update(hidden=True)
    if engine:
        _hand_over_faces(old, new, engine)


def _hand_over_faces(old: Photo, new: Photo, engine: str) -> None:
    """Guests keep a photo that is replaced where the new one shows the same face in the same place, and people stay.

    The place alone is not enough: photos of one name may come from two cameras, and show two people.
    """
    faces = faces_by_photo(Face.objects.filter(photo__in=[old.pk, new.pk], engine=engine))
    vectors = {photo: _vectors(photo, engine) for photo in (old.pk, new.pk)}
    near = recognition.engine(engine).thresholds.sure
    every: list[Match | Sighting] = [*Match.objects.filter(photo=old), *Sighting.objects.filter(photo=old)]
    for kept in every:
        before, after = same_face(faces[old.pk], kept), same_face(faces[new.pk], kept)
        if before and after:
            apart = vectors[old.pk][before.ordinal] - vectors[new.pk][after.ordinal]
            if np.linalg.norm(apart) <= near:
                box = {"x": after.x, "y": after.y, "width": after.width, "height": after.height}
                type(kept)._default_manager.filter(pk=kept.pk).update(photo=new, **box)


def _vectors(photo: uuid.UUID, engine: str) -> Vector:
    """By the ordinals of the photo's faces."""
    block = EmbeddingBlock.objects.filter(photo=photo, engine=engine)
    return stack(block.values_list("photo", "count", "vectors", "weak"))[1]


def locked_giving_way(photo: Photo) -> list[Photo]:
    """The photos that give way to this one, as far as they are still there; all locked, and the album before them."""
    if photo.replaces is None or not Album.objects.locked().filter(pk=photo.album_id).first():
        return []
    giving_way = _replaced_by(photo)
    every = Photo.objects.select_for_update().filter(album=photo.album_id, pk__in=[photo.pk, *giving_way])
    there = {each.pk: each for each in every.order_by("pk")}
    return [there[pk] for pk in giving_way if pk in there]


def _replaced_by(photo: Photo) -> list[uuid.UUID]:
    """The one that it replaces; and where that one was itself to replace another and is not ready, that other too."""
    chain, following = [], photo.replaces
    while following:
        chain.append(following)
        older = Photo.objects.filter(album=photo.album_id, pk=following)
        following = older.values_list("replaces", flat=True).first()
    return chain
