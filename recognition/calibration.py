"""A labelled album -> the thresholds that an engine should have, by how many false hits a search may expect."""

import numpy as np
from numpy.typing import NDArray

from .embedding import unit
from .matching import crowd_distance, distances_to
from .types import Thresholds, Vectors

# Wrong faces that a search may expect among its sure hits, and among all. At an average of eight photos a guest they
# make precisions of 0.99 and 0.84.
FALSE_SURE, FALSE_MAYBE = 0.05, 1.5
# Share of a guest's own faces that is nearer to the average of the others than strangers are looked for.
OWN = 0.99
# Share of strangers nearer than `sure` ever reaches: in an album of 100 faces they make FALSE_SURE.
STRANGERS = FALSE_SURE / 100
# Share of pairs of different people that may be linked.
LINKED = 5e-6
# A copy's distance, which no album tells, as a share of `stranger`: that of the model measured in engines.py.
COPY = 0.12 / 0.35


def calibrate(selfies: Vectors, vectors: Vectors, people: NDArray[np.integer]) -> Thresholds:
    """Propose thresholds from `selfies` (g, d), the album's `vectors` (n, d), and who each of them is.

    `people` (n,) holds the row of the guest's selfie, a number of their own for other people, and -1 for the unknown.
    Guests are searched for by the average of their selfie and all their faces, so that the result does not depend on
    the thresholds in use. Raises ValueError for an album in which there is nothing to measure.
    """
    guests = [row for row in range(len(selfies)) if np.any(people == row)]
    if not guests or len(set(people.tolist())) < 2:
        raise ValueError("Thresholds need at least one guest with a face in the album, and another person in it.")
    own = np.concatenate([_to_the_others(selfies[row], vectors[people == row]) for row in guests])
    stranger = float(np.quantile(own, OWN))
    nearer, strangers = [], []
    for row in guests:
        centre = unit(selfies[row] + vectors[people == row].sum(axis=0))
        others = distances_to(centre, vectors)[people != row]
        strangers.append(others)
        nearer.append(crowd_distance(distances_to(centre, vectors), stranger) - others)
    sure_margin, maybe_margin = _margins(np.concatenate(nearer), len(guests))
    sure = float(np.quantile(np.concatenate(strangers), STRANGERS))
    return Thresholds(
        sure=sure,
        maybe=sure + sure_margin - maybe_margin,
        sure_margin=sure_margin,
        maybe_margin=maybe_margin,
        stranger=stranger,
        link=_link(vectors, people),
        same_picture=COPY * stranger,
    )


def _to_the_others(selfie: NDArray[np.float32], faces: Vectors) -> NDArray[np.float32]:
    """Give each face's distance (n,) to the average of the selfie and the guest's other faces."""
    return np.linalg.norm(unit(selfie + faces.sum(axis=0) - faces) - faces, axis=1).astype(np.float32)


def _margins(nearer: NDArray[np.float32], searches: int) -> tuple[float, float]:
    """Give how much nearer than the crowd FALSE_SURE and FALSE_MAYBE strangers a search are."""
    falling = -np.sort(-nearer)
    sure, maybe = (falling[min(int(count * searches), len(falling) - 1)] for count in (FALSE_SURE, FALSE_MAYBE))
    return float(sure), float(maybe)


def _link(vectors: Vectors, people: NDArray[np.integer]) -> float:
    vectors, people = vectors[people >= 0], people[people >= 0]
    distances = [
        distances_to(vector, vectors[row + 1 :])[people[row + 1 :] != people[row]] for row, vector in enumerate(vectors)
    ]
    return float(np.quantile(np.concatenate(distances), LINKED))
