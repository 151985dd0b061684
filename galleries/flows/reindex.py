"""An album moves to another engine. Searches go on with the old vectors until all of its photos have new ones.

The album names the engine that answers (`engine`) and the one it moves to (`next_engine`). Photos are embedded anew by
the same workers that take in new ones; upkeep looks every 5 seconds whether an album is through, and switches it then,
in one transaction. Old vectors stay until they are forgotten on request, so that going back takes no time.
"""

import uuid

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef, Subquery
from django.db.models.functions import Coalesce

from galleries.models import Album, EmbeddingBlock, Face, Photo, Selfie
from galleries.models.photo import PhotoQuerySet, stack
from galleries.models.selfie import CERTAIN
from recognition.types import Vector

from . import grouping, photo, selfie
from .doorbell import ring

_HOPELESS = [Photo.State.REJECTED, Photo.State.QUARANTINED]


@transaction.atomic
def begin(album: Album, engine: str) -> None:
    """Move to `engine`; to the one that answers already: stay with it. Begun twice, nothing is done twice."""
    album = Album.objects.locked().get(pk=album.pk)
    if not album.face_search or album.deleted_at:
        return
    if album.next_engine != engine:
        album.photos.filter(state=Photo.State.READY, wanted_engine=album.next_engine).update_in_order(wanted_engine="")
        # What one engine gave up, another may get through.
        album.photos.filter(state=Photo.State.READY).exclude(code="").update_in_order(code="", detail="")
    album.next_engine = "" if album.engine == engine else engine
    album.save(update_fields=["next_engine"])
    if album.next_engine:
        advance(album)


@transaction.atomic
def advance(album: Album) -> None:
    """See to the photos that still lack vectors of the next engine; when none does, let it answer."""
    album = Album.objects.locked().get(pk=album.pk)
    if not album.next_engine:
        return
    lacking = waiting(album)
    if lacking.exists():
        lacking.filter(state=Photo.State.READY, wanted_engine="").update_in_order(wanted_engine=album.next_engine)
        ring(photo.work)
    else:
        _switch(album)


def waiting(album: Album) -> PhotoQuerySet:
    """The photos that have no vectors of the next engine yet. Those given up, which say why, hold up nothing."""
    blocks = EmbeddingBlock.objects.filter(photo=OuterRef("pk"), engine=album.next_engine)
    return album.photos.exclude(state__in=_HOPELESS).filter(~Exists(blocks), code="")


@transaction.atomic
def forget_old(album: Album) -> None:
    """Delete the vectors of engines that neither answer nor will."""
    album = Album.objects.locked().get(pk=album.pk)
    kept = [album.engine, album.next_engine]
    Face.objects.filter(photo__album=album).exclude(engine__in=kept).delete()
    EmbeddingBlock.objects.filter(album=album).exclude(engine__in=kept).delete()


def _switch(album: Album) -> None:
    album.engine, album.next_engine = album.next_engine, ""
    album.save(update_fields=["engine", "next_engine"])
    searches = list(Selfie.objects.filter(album=album, vectors__isnull=False).select_for_update().order_by("pk"))
    blocks = EmbeddingBlock.objects.filter(photo=OuterRef("pk"), engine=album.engine)
    count = Coalesce(Subquery(blocks.values("count")[:1]), 0)
    album.photos.exclude(state__in=_HOPELESS).update_in_order(face_count=count)
    for watching in searches:
        _carry_over(watching, album.engine)
    grouping.want(album.pk, album.engine)
    ring(selfie.work)


def _carry_over(watching: Selfie, engine: str) -> None:
    """The picture is gone: a search goes on with the new vectors of the faces it was sure of; without any, it rests."""
    vector = _average(_sure_faces(watching, engine), engine)
    kept = np.stack([vector, vector]).astype("<f4").tobytes() if vector is not None else None
    Selfie.objects.filter(pk=watching.pk).update(vectors=kept, engine=engine, wanted=kept is not None)


def _sure_faces(watching: Selfie, engine: str) -> set[tuple[uuid.UUID, int]]:
    """(photo, ordinal) of the faces that lie where the search's sure matches are."""
    sure = watching.matches.filter(CERTAIN)
    by_photo = selfie.faces_by_photo(Face.objects.filter(engine=engine, photo__in=sure.values("photo")))
    same = (selfie.same_face(by_photo[match.photo_id], match) for match in sure)
    return {(face.photo_id, face.ordinal) for face in same if face}


def _average(faces: set[tuple[uuid.UUID, int]], engine: str) -> Vector | None:
    """Unit vector (dimension,) in the middle of those of the faces that are not weak."""
    blocks = EmbeddingBlock.objects.filter(engine=engine, photo__in={face[0] for face in faces})
    places, vectors, weak = stack(blocks.values_list("photo_id", "count", "vectors", "weak"))
    rows = [row for row, place in enumerate(places) if place in faces and not weak[row]]
    if not rows:
        return None
    total = vectors[rows].sum(axis=0)
    return total / np.linalg.norm(total)
