"""The person that a guest searches for in an album: one, or as many as its owner allows for families."""

import uuid
from typing import TYPE_CHECKING, Self

import numpy as np
from django.db import models

from recognition.types import Vector

from .album import Album
from .sharing import Guest

if TYPE_CHECKING:
    from .selfie import Selfie


class SoughtPersonQuerySet(models.QuerySet["SoughtPerson"]):
    def of(self, guest_id: uuid.UUID, album_id: uuid.UUID) -> Self:
        return self.filter(guest=guest_id, album=album_id)


class SoughtPerson(models.Model):
    """Kept so that the next selfie can be compared with it, and only as long as a search is about it."""

    guest = models.ForeignKey(Guest, on_delete=models.CASCADE, related_name="sought")
    album = models.ForeignKey(Album, on_delete=models.CASCADE, related_name="sought")
    engine = models.CharField(max_length=64)
    # The selfie's, or once photos were found the average of their first search; (dimension,) `<f4`, unit length.
    vector = models.BinaryField(editable=False)

    searches: "models.Manager[Selfie]"
    objects = SoughtPersonQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["guest", "album"], name="sought_of_guest")]

    def __str__(self) -> str:
        return f"person {self.pk}"

    @property
    def face(self) -> Vector:
        return np.frombuffer(bytes(self.vector), dtype="<f4")
