"""Later photos join the results of guests who asked to be kept posted, by the vectors of their last search."""

import uuid

from django.db import transaction

import recognition
from galleries.models import EmbeddingBlock, Selfie
from galleries.models.photo import stack
from recognition.types import Vector

from . import grouping
from .doorbell import ring
from .selfie import work


def announce(album_id: uuid.UUID, engine: str) -> None:
    """Tell the album's watching searches of faces that came since. A crash before the end is made good by upkeep."""
    fresh = EmbeddingBlock.objects.filter(album=album_id, engine=engine, announced=False)
    blocks = list(fresh.values_list("pk", "photo_id", "count", "vectors", "weak"))
    watching = Selfie.objects.watching(album_id, engine)
    _, vectors, _ = stack(block[1:] for block in blocks)
    near = [selfie.pk for selfie in watching.only("pk", "vectors") if _near(selfie, vectors)]
    with transaction.atomic():
        Selfie.objects.filter(pk__in=near).update_in_order(wanted=True)
        fresh.filter(pk__in=[block[0] for block in blocks]).update(announced=True)
        grouping.want(album_id, engine)
        if near:
            ring(work)


def _near(selfie: Selfie, vectors: Vector) -> bool:
    """Whether any of the new faces may be this guest's, by the vectors kept from their last search."""
    if not len(vectors):
        return False
    cosine = float((vectors @ selfie.kept_vectors.T).max())
    # Of unit vectors: distance squared = 2 - 2 cosine.
    return 2 - 2 * cosine <= recognition.engine(selfie.engine).thresholds.maybe ** 2
