"""The face engine: pixels in, faces and matches out. It knows no user, album or photo.

Nothing heavy is imported before `load`, `find_faces` or `embed_selfie` is called, so the web process may import this
and call `engine` and `match`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import RecognitionError, RejectionCode, SelfieRejected, UnknownEngine, WeightsMissing
from .types import Box, Engine, Face, Hit, Pixels, SearchResult, Thresholds, Tier, Vector, Vectors

__all__ = [
    "Box",
    "Engine",
    "Face",
    "Hit",
    "Pixels",
    "RecognitionError",
    "RejectionCode",
    "SearchResult",
    "SelfieRejected",
    "Thresholds",
    "Tier",
    "UnknownEngine",
    "Vector",
    "Vectors",
    "WeightsMissing",
    "calibrate",
    "embed_selfie",
    "engine",
    "find_faces",
    "group",
    "is_same_person",
    "is_same_picture",
    "load",
    "match",
]


def engine(name: str = "") -> Engine:
    """Give the engine of that name, else the one that the settings choose, and what is known of it.

    The functions here take `engine_name` the same way. Raises UnknownEngine.
    """
    from . import engines

    return engines.named(name) if name else engines.configured()


def load(engine_name: str = "") -> None:
    """Load both models in this process, once: about 0.5 s with the default engine. The first search needs no more.

    Raises UnknownEngine and WeightsMissing.
    """
    from . import alignment, registry

    chosen = engine(engine_name)
    registry.detector(chosen.detector)
    registry.model(chosen.model)
    alignment.predictor_of_five_points()


def find_faces(pixels: Pixels, engine_name: str = "") -> list[Face]:
    """Find and embed all faces of an upright RGB uint8 picture (height, width, 3), the largest first.

    The same pixels give the same faces in the same order.
    """
    from .detection import detect
    from .faces import faces_of

    chosen = engine(engine_name)
    pixels = _checked(pixels)
    return faces_of(pixels, detect(pixels, chosen.detector), chosen)


def embed_selfie(pixels: Pixels, engine_name: str = "") -> Face:
    """Embed the one face that an upright RGB uint8 selfie (height, width, 3) is of; a bystander does not matter.

    Raises SelfieRejected, whose `code` is no_face, several_faces, face_too_small or face_blurred.
    """
    from .selfies import face_of_selfie

    return face_of_selfie(_checked(pixels), engine(engine_name))


def is_same_person(first: Vector, second: Vector, engine_name: str = "") -> bool:
    """Whether two vectors (d,) of this engine are near enough to be of one person."""
    from .matching import distances_to

    return bool(distances_to(first, second[np.newaxis])[0] < engine(engine_name).thresholds.stranger)


def is_same_picture(selfie: Vector, vectors: Vectors, engine_name: str = "") -> bool:
    """Whether a selfie's vector (d,) is that of a copy of one of the pictures that `vectors` (n, d) are from.

    A crop, a screenshot or another encoding of it; two pictures of one person differ more.
    """
    from .matching import distances_to

    return bool((distances_to(selfie, vectors) < engine(engine_name).thresholds.same_picture).any())


def match(
    query: NDArray[np.floating[Any]],
    vectors: Vectors,
    *,
    weak: NDArray[np.bool_] | None = None,
    photos: NDArray[np.integer[Any]] | None = None,
    confirmed: Sequence[int] = (),
    refused: Sequence[int] = (),
    engine_name: str = "",
) -> SearchResult:
    """Search `vectors` (n, d), of this engine and unit length, for the person of `query` (d,) or (k, d).

    Rows that `weak` (n,) marks are found but never averaged. Rows of one number in `photos` (n,) share a photo, so that
    at most one of them is the person. `confirmed` rows, which the guest called "me", are sure hits and join the average
    from the start. `refused` rows, "not me", are no hits and never join, nor do faces that are more like them.
    The search is exact: every vector is compared in every round.
    """
    from .matching import Album, search

    album, thresholds = Album.of(vectors, weak, photos), engine(engine_name).thresholds
    return search(query, album, thresholds, list(confirmed), list(refused))


def group(
    vectors: Vectors,
    *,
    weak: NDArray[np.bool_],
    photos: NDArray[np.integer[Any]],
    known: NDArray[np.integer[Any]],
    refused: Sequence[tuple[int, int]] = (),
    engine_name: str = "",
) -> NDArray[np.intp]:
    """Group the faces `vectors` (n, d) of an album, of this engine and unit length, into people.

    Returns each row's person (n,): `known` people (n,), numbered from 0 and -1 for all other rows, keep their numbers
    and are never joined with each other, further people come after them, and -1 is nobody whom another face is like.
    Rows of one number in `photos` (n,) share a photo, and are different people. `refused` names rows and known people
    that they are not. Rows that `weak` (n,) marks join people, but hold nobody together.
    Exact: all vectors are compared. The order of the rows makes no difference.
    """
    from .grouping import group

    return group(vectors, weak, photos, known, refused, engine(engine_name).thresholds)


def calibrate(selfies: Vectors, vectors: Vectors, people: NDArray[np.integer[Any]]) -> Thresholds:
    """Propose thresholds for this engine from `selfies` (g, d), an album's `vectors` (n, d), and who they are.

    `people` (n,) holds the row of the guest's selfie, a number of their own for other people, and -1 for the unknown.
    Raises ValueError where there is nothing to measure.
    """
    from . import calibration

    return calibration.calibrate(selfies, vectors, people)


def _checked(pixels: Pixels) -> Pixels:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"Pixels must be RGB uint8 (height, width, 3), not {pixels.dtype} {pixels.shape}.")
    return np.ascontiguousarray(pixels)
