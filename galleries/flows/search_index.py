"""The vectors of albums in a worker's memory, so that a search need not read them all again.

The rows stay the truth: at every search the ids of the blocks in memory are compared with those in the database; what
is new is read, and what is gone is dropped. A block is never changed: a photo that is indexed again gets one of another
id. A process searches for one guest at a time, so nothing here is locked.
"""

import uuid
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from itertools import accumulate, count, islice
from typing import TypeAlias

import numpy as np
from django.conf import settings
from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Coalesce
from numpy.typing import NDArray

import recognition
from galleries.models import Album, EmbeddingBlock
from recognition.types import Vectors

# Room for later faces, so that an album in the making is not copied for each of its photos.
_HEADROOM = 1.125
# What a photo takes beside its vectors, in bytes: its ids and its places in the tables.
_PHOTO_BYTES = 280
# Photos read at a time, so that their vectors are not in memory twice.
_CHUNK = 1000

Row: TypeAlias = tuple[int, uuid.UUID, int, bytes | memoryview, bytes | memoryview]
Summary: TypeAlias = tuple[int, int]


class SearchIndex:
    """The faces of one album as one engine sees them. Those of a photo are neighbours, in the order of its faces."""

    def __init__(self, engine: recognition.Engine) -> None:
        self.engine = engine.name
        self.blocks: list[int] = []
        self.photos: list[uuid.UUID] = []
        self.summary: Summary = (0, 0)
        self._starts = [0]  # the first row of each photo, and behind the last one the number of rows
        self._number_of: dict[uuid.UUID, int] = {}
        self._vectors: Vectors = np.empty((0, engine.dimension), dtype="<f4")
        self._weak: NDArray[np.bool_] = np.empty(0, dtype=bool)

    def __len__(self) -> int:
        return self._starts[-1]

    @property
    def vectors(self) -> Vectors:
        """Shape (n, dimension), `<f4`, each row of unit length."""
        return self._vectors[: len(self)]

    @property
    def weak(self) -> NDArray[np.bool_]:
        """Shape (n,)."""
        return self._weak[: len(self)]

    @property
    def photo_numbers(self) -> NDArray[np.intp]:
        """Shape (n,): the rows of one photo have one number."""
        return np.repeat(np.arange(len(self.photos)), np.diff(self._starts))

    @property
    def bytes(self) -> int:
        return self._vectors.nbytes + self._weak.nbytes + len(self.photos) * _PHOTO_BYTES

    def place(self, row: int) -> tuple[uuid.UUID, int]:
        """The photo of a row, and which of its faces the row is."""
        number = bisect_right(self._starts, row) - 1
        return self.photos[number], row - self._starts[number]

    def row(self, photo: uuid.UUID, ordinal: int) -> int | None:
        number = self._number_of.get(photo)
        if number is None or ordinal >= self._starts[number + 1] - self._starts[number]:
            return None
        return self._starts[number] + ordinal

    def rows(self, photo: uuid.UUID) -> range:
        """Those of all its faces."""
        number = self._number_of.get(photo)
        return range(0) if number is None else range(self._starts[number], self._starts[number + 1])

    def refresh(self, stored: QuerySet[EmbeddingBlock]) -> None:
        """Become what is stored. Unchanged, this costs one query over an index: 7 ms for 50,000 photos."""
        if _summary_of_stored(stored) == self.summary:
            return
        counts = dict(stored.values_list("pk", "count"))
        self._drop(set(self.blocks) - counts.keys())
        if new := counts.keys() - set(self.blocks):
            self._make_room(sum(counts[block] for block in new))
            # Ids grow, but PostgreSQL may show a lower one later: then some known ones are read for nothing.
            rows = stored.filter(pk__gte=min(new)).values_list("pk", "photo_id", "count", "vectors", "weak")
            fresh = (row for row in rows.iterator(chunk_size=_CHUNK) if row[0] in new)
            while chunk := list(islice(fresh, _CHUNK)):
                self._append(chunk)
        # Of what was read, not of what is stored: it may have changed in between.
        self.summary = len(self.blocks), sum(self.blocks)

    def _append(self, rows: Iterable[Row]) -> None:
        blocks, photos, counts, vectors, weak = zip(*rows, strict=True)
        start, end = len(self), len(self) + sum(counts)
        self._vectors[start:end] = np.frombuffer(b"".join(vectors), dtype="<f4").reshape(-1, self._vectors.shape[1])
        self._weak[start:end] = np.frombuffer(b"".join(weak), dtype=bool)
        self._number_of.update(zip(photos, count(len(self.photos)), strict=False))
        self._starts += [start + upto for upto in accumulate(counts)]
        self.blocks += blocks
        self.photos += photos

    def _make_room(self, faces: int) -> None:
        needed = len(self) + faces
        if needed > len(self._vectors):
            capacity = int(needed * _HEADROOM) if len(self) else needed
            self._vectors, self._weak = _moved(self.vectors, capacity), _moved(self.weak, capacity)

    def _drop(self, gone: set[int]) -> None:
        if not gone:
            return
        kept = np.array([block not in gone for block in self.blocks], dtype=bool)
        counts = np.diff(self._starts)
        rows = np.repeat(kept, counts)
        self._vectors, self._weak = self.vectors[rows], self.weak[rows]
        self._starts = [0, *np.cumsum(counts[kept]).tolist()]
        self.photos = [photo for photo, stays in zip(self.photos, kept, strict=True) if stays]
        self.blocks = [block for block, stays in zip(self.blocks, kept, strict=True) if stays]
        self._number_of = {photo: number for number, photo in enumerate(self.photos)}


_held: OrderedDict[uuid.UUID, SearchIndex] = OrderedDict()


def of(album: Album, engine: recognition.Engine) -> SearchIndex:
    """Give all faces that the engine has found in the album, as the database has them now."""
    _forget_ended()
    index = _held.pop(album.pk, None)
    if index is None or index.engine != engine.name:
        index = SearchIndex(engine)
    index.refresh(EmbeddingBlock.objects.filter(album=album, engine=engine.name))
    _hold(album.pk, index)
    return index


def forget() -> None:
    """Begin as a process that has just started."""
    _held.clear()


def held_bytes() -> int:
    return sum(index.bytes for index in _held.values())


def _forget_ended() -> None:
    """Drop albums that were deleted, or whose face search was switched off or moved to another engine."""
    for album in _held.keys() - {pk for pk, engine in _searchable() if _held[pk].engine == engine}:
        del _held[album]


def _searchable() -> Iterable[tuple[uuid.UUID, str]]:
    return Album.objects.present().filter(pk__in=list(_held), face_search=True).values_list("pk", "engine")


def _hold(album: uuid.UUID, index: SearchIndex) -> None:
    """Keep it for the next search, and drop those that were asked for longest ago beyond PIXORA_INDEX_MEGABYTES."""
    _held[album] = index
    while _held and held_bytes() > settings.PIXORA_INDEX_MEGABYTES * 1_000_000:
        _held.popitem(last=False)


def _moved(values: NDArray, capacity: int) -> NDArray:
    room = np.empty((capacity, *values.shape[1:]), dtype=values.dtype)
    room[: len(values)] = values
    return room


def _summary_of_stored(stored: QuerySet[EmbeddingBlock]) -> Summary:
    """How many blocks there are, and the sum of their ids: one that takes the place of another has a higher id."""
    row = stored.aggregate(blocks=Count("pk"), sum=Coalesce(Sum("pk"), 0))
    return row["blocks"], row["sum"]
