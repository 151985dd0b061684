"""What the face engine takes and gives: plain values, no model objects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
"""Shape (dimension,), unit length."""
Vectors = NDArray[np.float32]
"""Shape (n, dimension), rows of unit length."""
Pixels = NDArray[np.uint8]
"""Shape (height, width, 3), RGB, upright."""

Tier = Literal["sure", "maybe"]


@dataclass(frozen=True, slots=True)
class Box:
    """A face's rectangle as fractions of the picture's width and height, so that it fits every rendition."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a picture.

    `embedding` has shape (dimension,), dtype `<f4` and unit length. `score` is the detector's, 0 to 1.
    `weak` faces (small, blurred or of a low score) are stored and can be found, but never become part of an average.
    """

    box: Box
    score: float
    weak: bool
    embedding: Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Euclidean distances between unit vectors, for one recognition model; below means alike.

    `sure`: this near to the search's centre is the guest. `maybe`: this near is worth a question. Both are the most
    that is ever allowed. Where strangers crowd around the guest, a hit must also be nearer than they are, on average,
    by `sure_margin` or `maybe_margin`.
    `stranger`: faces beyond are taken for other people. `link`: two faces of the album this near are of one person.
    `same_picture`: a selfie this near to a face of the album is a copy of it.
    """

    sure: float
    maybe: float
    sure_margin: float
    maybe_margin: float
    stranger: float
    link: float
    same_picture: float


@dataclass(frozen=True, slots=True)
class Engine:
    """The detector and recognition model in use, and what is known of them.

    `name` identifies vectors: two vectors may be compared only when their engines' names are equal.
    `commercial_use` is None where the licence of the weights does not say.
    `sha256` names each weight file that Pixora checks; a model that DeepFace downloads is not among them.
    """

    name: str
    detector: str
    model: str
    dimension: int
    thresholds: Thresholds
    licence: str
    commercial_use: bool | None
    source: str
    sha256: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Hit:
    """One row of the searched vectors. `distance` is to the centre of the search, 0 to 2."""

    row: int
    distance: float
    tier: Tier


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`hits` by distance, nearest first. `centre` is the unit vector that the last round searched with.

    `sure` and `maybe` are the distances to it below which this search's hits had to be, 0 in an empty album.
    """

    hits: list[Hit]
    centre: Vector
    sure: float = 0.0
    maybe: float = 0.0
