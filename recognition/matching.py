"""Exact search by expansion: the faces surely the guest's join the query, which then finds those that it missed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .embedding import unit
from .types import Hit, SearchResult, Thresholds, Vector, Vectors

Distances = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Later rounds change nothing on the albums measured; the bound keeps a search from wandering off.
ROUNDS = 3
# Groups are looked for among so many faces nearest to the selfie. 300 take 2 ms; 100 gave the same result.
CANDIDATES = 300
# Fewer strangers are no crowd, but chance.
SMALLEST_CROWD = 5


@dataclass(frozen=True, slots=True)
class Album:
    """`vectors` (n, d), `weak` (n,) and `photos` (n,), whose equal numbers mean one photo."""

    vectors: Vectors
    weak: Mask
    photos: NDArray[np.integer[Any]]

    @classmethod
    def of(cls, vectors: Vectors, weak: Mask | None, photos: NDArray[np.integer[Any]] | None) -> "Album":
        count = len(vectors)
        return cls(
            vectors,
            np.zeros(count, dtype=bool) if weak is None else weak,
            np.arange(count) if photos is None else photos,
        )


def search(
    query: NDArray[np.floating[Any]],
    album: Album,
    thresholds: Thresholds,
    confirmed: list[int],
    refused: list[int],
) -> SearchResult:
    """Search for the person of `query` (d,) or (k, d); see the facade's `match`. Measured figures: engines.py.

    First the faces near to the query join it, and those of which a group of faces is. Then, for a few rounds, the faces
    near to the average of all that joined. How near depends on the strangers around: see `_limits`.
    """
    query = np.atleast_2d(query)
    centre = unit(query.sum(axis=0))
    if not len(album.vectors):
        return SearchResult([], centre)
    sought = np.zeros(len(album.vectors), dtype=bool)
    sought[confirmed] = True
    to_refused = _to_nearest(album.vectors[refused], album.vectors, thresholds.link)
    members = anchors = sought & ~album.weak
    for step in range(ROUNDS + 1):
        centre = unit(query.sum(axis=0) + album.vectors[members].sum(axis=0))
        distances = distances_to(centre, album.vectors)
        sure, maybe = _limits(distances, thresholds)
        possible = (to_refused > distances) | sought
        may_join = possible & ~album.weak
        joined = may_join & (distances < sure)
        if step == 0:
            joined |= _in_near_group(centre, distances, album.vectors, may_join, sure, thresholds.link)
        joined = _one_a_photo(joined | anchors, np.where(anchors, 0, distances), album.photos)
        if np.array_equal(joined, members):
            break
        members = joined
    return SearchResult(_hits(distances, sought, possible, sure, maybe), centre, sure, maybe)


def distances_to(centre: Vector, vectors: Vectors) -> Distances:
    """Euclidean distances (n,) between unit vectors, by one product: |a - b|^2 = 2 - 2ab."""
    return np.sqrt(np.maximum(2 - 2 * (vectors @ centre), 0), dtype=np.float32)


def crowd_distance(distances: Distances, stranger: float) -> float:
    """Mean distance of the strangers next to the centre; infinite in an album with too few of them to tell.

    How many count grows with the square root of the album: with a fixed number the limits would fall too fast as
    photos are added, with a fixed share of the faces false hits would grow with the album. Measured, see engines.py.
    """
    count = max(SMALLEST_CROWD, round(np.sqrt(len(distances)) / 2))
    strangers = distances[distances > stranger]
    if len(strangers) <= count:
        return float("inf")
    return float(np.partition(strangers, count - 1)[:count].mean())


def _limits(distances: Distances, thresholds: Thresholds) -> tuple[float, float]:
    """Give the distances below which a face is a sure hit and a possible one.

    A model does not know all people equally well: around some, strangers stand much nearer than around others. One
    distance for all is too wide for the former and too narrow for the latter. Speaker recognition knows this as score
    normalisation with an adaptive cohort (Matejka et al., Interspeech 2017); the cohort here are the album's strangers.
    """
    crowd = crowd_distance(distances, thresholds.stranger)
    return min(thresholds.sure, crowd - thresholds.sure_margin), min(thresholds.maybe, crowd - thresholds.maybe_margin)


def _to_nearest(refused: Vectors, vectors: Vectors, link: float) -> Distances:
    """Give each vector's distance (n,) to the nearest one refused; infinite where nothing links the two."""
    if not len(refused):
        return np.full(len(vectors), np.inf, dtype=np.float32)
    nearest = np.sqrt(np.maximum(2 - 2 * (vectors @ refused.T).max(axis=1), 0), dtype=np.float32)
    return np.where(nearest < link, nearest, np.inf).astype(np.float32)


def _in_near_group(
    query: Vector, distances: Distances, vectors: Vectors, may_join: Mask, sure: float, link: float
) -> Mask:
    """Mark faces that, averaged with the faces linked to them, are as near to the query as a sure hit.

    A poor selfie may be too far from each of the guest's faces, but not from what those have in common.
    """
    marked = np.zeros(len(distances), dtype=bool)
    rows = np.flatnonzero(may_join & (distances <= _smallest(distances[may_join], CANDIDATES)))
    near = vectors[rows]
    linked = near @ near.T > 1 - link**2 / 2
    groups = unit(linked.astype(np.float32) @ near)
    marked[rows[(linked.sum(axis=1) > 1) & (distances_to(query, groups) < sure)]] = True
    return marked


def _smallest(values: Distances, count: int) -> float:
    """Give the value that `count` values do not exceed."""
    return float(np.partition(values, count - 1)[count - 1]) if len(values) > count else float("inf")


def _one_a_photo(rows: Mask, distances: Distances, photos: NDArray[np.integer[Any]]) -> Mask:
    """Keep the nearest of the marked faces of each photo: nobody is in a photo twice."""
    nearest = np.flatnonzero(rows)
    nearest = nearest[np.argsort(distances[nearest], kind="stable")]
    _, first = np.unique(photos[nearest], return_index=True)
    kept = np.zeros(len(rows), dtype=bool)
    kept[nearest[first]] = True
    return kept


def _hits(distances: Distances, confirmed: Mask, possible: Mask, sure: float, maybe: float) -> list[Hit]:
    """What the guest confirmed is a sure hit at any distance."""
    rows = np.flatnonzero(confirmed | (possible & (distances < maybe)))
    rows = rows[np.argsort(distances[rows], kind="stable")]
    surely = confirmed | (distances < sure)
    return [Hit(int(row), float(distances[row]), "sure" if surely[row] else "maybe") for row in rows]
