"""A photo, its faces and their vectors. All of it dies with the photo."""

import uuid
from collections.abc import Iterable
from typing import Self

import numpy as np
from django.db import models
from django.db.models import Case, Count, Exists, F, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext_lazy as _
from numpy.typing import NDArray

from galleries.words import in_words
from recognition.types import Vectors

from .album import Album
from .lease import Leased, LeaseQuerySet, is_free
from .literal import Literal

# Never renewed. Above Celery's hard limit of 50 s for one task, so that a worker is dead before its lease is.
LEASE_SECONDS = 60
MAX_ATTEMPTS = 10
MAX_STRIKES = 3
GROUPS = {
    "ready": Q(state="ready"),
    "all": Q(),
    "work": Q(state__in=["uploaded", "processing"]),
    "failed": Q(state__in=["rejected", "quarantined"]),
    "hidden": Q(state="ready", hidden=True),
}


def is_shown(prefix: str = "") -> Q:
    """What people other than the owner may come to see; `prefix` reaches the photo from another model."""
    return Q(**{f"{prefix}state": "ready", f"{prefix}hidden": False})


_UPLOADED, _PROCESSING, _READY, _NOTHING = map(Literal, ("uploaded", "processing", "ready", ""))
_WANTS_WORK = Q(state__in=[_UPLOADED, _PROCESSING]) | Q(state=_READY, wanted_engine__gt=_NOTHING)


class PhotoQuerySet(LeaseQuerySet["Photo"]):
    def due(self) -> Self:
        # No join, or SQLite might begin with all the albums.
        deleted = Album.objects.filter(pk=OuterRef("album"), deleted_at__isnull=False)
        return self.filter(_WANTS_WORK).filter(is_free(), ~Exists(deleted))

    def shown(self) -> Self:
        return self.filter(is_shown())

    def of_group(self, group: str) -> Self:
        """Those that a photographer asks for by one word of GROUPS."""
        return self.filter(GROUPS[group])

    def by_moment(self) -> Self:
        return self.annotate(moment=Coalesce("taken_at", "received_at"))

    def in_order(self) -> Self:
        """As they were taken; those of one moment by name."""
        return self.by_moment().order_by("moment", "name", "pk")

    def claim(self) -> "Photo | None":
        """The next due photo of the album that has waited longest for its turn."""
        # Asked of those alone that the index of waiting photos names: albums at rest cost nothing.
        named = self.model._default_manager.filter(_WANTS_WORK).order_by().values("album").distinct()
        due = Exists(Photo.objects.due().filter(album=OuterRef("pk")))
        waiting = Album.objects.filter(due, pk__in=named)
        album = waiting.order_by(F("served_at").asc(nulls_first=True), "pk")
        candidates = self.due().filter(album=Subquery(album.values("pk")[:1])).order_by("received_at", "pk")
        ready = When(state=Photo.State.READY, then=Value(Photo.State.READY))
        state = Case(ready, default=Value(Photo.State.PROCESSING))
        photo = self.filter(_WANTS_WORK).claim_first(candidates, LEASE_SECONDS, state=state)
        if photo:
            begun = {"in_work": True} if photo.state == Photo.State.PROCESSING else {}
            Album.objects.filter(pk=photo.album_id).update(served_at=Now(), **begun)
        return photo

    def tally(self) -> dict[str, int]:
        """Photos by state, the faces found, and how many are hidden or having their faces looked for.

        One pass over one index; a query for each number took most of the time that the database has for a page.
        """
        numbers = dict.fromkeys([*Photo.State.values, "faces", "hidden", "indexing"], 0)
        groups = self.order_by().values_list("state", "hidden", "wanted_engine")
        for state, hidden, wanted_engine, count, faces in groups.annotate(Count("state"), Sum("face_count")):
            numbers[state] += count
            numbers["faces"] += faces
            if state == Photo.State.READY:
                numbers["hidden"] += count if hidden else 0
                numbers["indexing"] += count if wanted_engine else 0
        return numbers


def preview_key(album_id: uuid.UUID, photo_id: uuid.UUID) -> str:
    return f"renditions/{album_id}/{photo_id}-preview.jpg"


class Photo(Leased):
    class State(models.TextChoices):
        UPLOADED = "uploaded", _("waiting")
        PROCESSING = "processing", _("in work")
        READY = "ready", _("ready")
        REJECTED = "rejected", _("not a usable photo")
        QUARANTINED = "quarantined", _("set aside")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    album = models.ForeignKey(Album, on_delete=models.CASCADE, related_name="photos")
    name = models.CharField(max_length=255)
    folder = models.CharField(max_length=650, blank=True, default="")
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    crc32 = models.PositiveBigIntegerField()
    # "" for a file that was refused at the door: nothing of it is stored.
    original_key = models.CharField(max_length=200, blank=True, default="", editable=False)
    content_type = models.CharField(max_length=40, blank=True, default="")
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    # The camera's clock, which knows no time zone: kept as if it were UTC and shown without one.
    taken_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(auto_now_add=True)
    hidden = models.BooleanField(default=False)
    # The photo whose place it takes once it is ready. No foreign key: deleting the one shall not lock the other.
    replaces = models.UUIDField(null=True, editable=False)

    state = models.CharField(max_length=12, choices=State.choices, default=State.UPLOADED)
    code = models.CharField(max_length=40, blank=True, default="")
    detail = models.CharField(max_length=300, blank=True, default="")
    strikes = models.PositiveSmallIntegerField(default=0, editable=False)
    # The engine whose faces a worker still has to find; "" when nothing is wanted.
    wanted_engine = models.CharField(max_length=64, blank=True, default="", editable=False)
    face_count = models.PositiveIntegerField(default=0)
    colour = models.CharField(max_length=7, blank=True, default="")
    preview_size = models.PositiveBigIntegerField(default=0)
    preview_crc32 = models.PositiveBigIntegerField(default=0)
    thumb_size = models.PositiveBigIntegerField(default=0)
    thumb_crc32 = models.PositiveBigIntegerField(default=0)
    # What a guest downloads: the original without its metadata, as galleries/stripping packs it; null: its preview.
    guest_pieces = models.BinaryField(null=True)
    guest_size = models.PositiveBigIntegerField(default=0)
    guest_crc32 = models.PositiveBigIntegerField(default=0)

    objects = PhotoQuerySet.as_manager()

    class Meta:
        ordering = ["received_at", "id"]
        constraints = [
            models.UniqueConstraint(
                # Of a file that broke off for being too large nobody knows the hash.
                fields=["album", "sha256"],
                condition=~Q(sha256=""),
                name="photo_once_in_an_album",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["uploaded", "processing", "ready", "rejected", "quarantined"]),
                name="photo_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(guest_pieces__isnull=True) | Q(guest_size__gt=0), name="photo_pieces_are_of_some_size"
            ),
            models.CheckConstraint(condition=Q(guest_crc32__lt=1 << 32), name="photo_guest_crc32_is_one"),
        ]
        indexes = [
            models.Index(fields=["album", "received_at", "id"], name="photo_in_order"),
            models.Index("album", Coalesce("taken_at", "received_at"), "name", "id", name="photo_by_moment"),
            models.Index(fields=["album", "name", "id"], name="photo_by_name"),
            models.Index(fields=["album", "state", "hidden", "wanted_engine", "face_count"], name="photo_tally"),
            models.Index(fields=["sha256"], name="photo_by_hash"),
            # The desk's list of all photos.
            models.Index(fields=["-received_at", "-id"], name="photo_newest"),
            # All that a claim asks for, or SQLite would rather read the whole of another index.
            models.Index(
                fields=["album", "received_at", "id", "state", "wanted_engine"],
                condition=_WANTS_WORK,
                name="photo_wanting_work",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def reason(self) -> str:
        """Why it was refused or set aside, in the reader's language; `detail` is English."""
        return in_words(self.detail)

    @property
    def thumb_key(self) -> str:
        return f"renditions/{self.album_id}/{self.pk}-thumb.jpg"

    @property
    def preview_key(self) -> str:
        return preview_key(self.album_id, self.pk)

    def width_within(self, edge: int) -> int:
        """The width of a rendition whose longer edge is at most `edge`."""
        longest = max(self.width, self.height, 1)
        return max(1, round(self.width * min(1, edge / longest)))

    def stored_keys(self) -> list[str]:
        return [self.original_key, self.thumb_key, self.preview_key]


class Face(models.Model):
    """One face of a photo as one engine saw it. The box is in fractions of the picture's width and height."""

    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="faces")
    engine = models.CharField(max_length=64)
    ordinal = models.PositiveSmallIntegerField()
    x = models.FloatField()
    y = models.FloatField()
    width = models.FloatField()
    height = models.FloatField()
    score = models.FloatField()
    weak = models.BooleanField(default=False)

    class Meta:
        ordering = ["photo", "engine", "ordinal"]
        constraints = [models.UniqueConstraint(fields=["photo", "engine", "ordinal"], name="face_once")]

    def __str__(self) -> str:
        return f"face {self.ordinal} of {self.photo_id}"


class EmbeddingBlock(models.Model):
    """The vectors of a photo's faces, one block a photo and engine, in the order of the faces.

    `vectors` holds count x dimension numbers, little-endian float32, each row of unit length; `weak` one byte a face.
    One block a photo keeps loading cheap: 200,000 faces in 0.31 s, against 0.47 s by face (design, section 3).
    """

    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="blocks")
    album = models.ForeignKey(Album, on_delete=models.CASCADE, related_name="blocks")
    engine = models.CharField(max_length=64)
    count = models.PositiveIntegerField()
    vectors = models.BinaryField()
    weak = models.BinaryField()
    # Whether the album's open searches have been told of these faces.
    announced = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["photo", "engine"], name="block_once")]
        indexes = [
            models.Index(fields=["album", "engine", "announced"], name="block_of_album"),
            models.Index(fields=["created_at"], condition=Q(announced=False), name="block_to_announce"),
        ]

    def __str__(self) -> str:
        return f"{self.count} vectors of {self.photo_id}"


def stack(
    blocks: Iterable[tuple[uuid.UUID, int, bytes | memoryview, bytes | memoryview]],
) -> tuple[list[tuple[uuid.UUID, int]], Vectors, NDArray[np.bool_]]:
    """Join blocks of (photo, count, vectors, weak) into one matrix.

    Returns the (photo, ordinal) of each row, the vectors as (n, dimension) `<f4`, and the weak flags as (n,) bool.
    """
    rows: list[tuple[uuid.UUID, int]] = []
    vectors, weak = bytearray(), bytearray()
    for photo, count, block, flags in blocks:
        rows += ((photo, ordinal) for ordinal in range(count))
        vectors += block
        weak += flags
    matrix = np.frombuffer(bytes(vectors), dtype="<f4")
    return rows, matrix.reshape(len(rows), -1) if rows else matrix.reshape(0, 0), np.frombuffer(bytes(weak), dtype=bool)
