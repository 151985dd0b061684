"""Pixels -> rectangles of faces, by any of DeepFace's detectors."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import engines, registry
from .types import Pixels

Point = tuple[float, float]

# Detection costs by area. 960 finds every face of the measured albums that can be recognised at all; 1280 takes
# 1.8 times as long for the same search result.
DETECTION_EDGE = 960
# No detector here finds a face in less, and some fail on it.
SMALLEST_EDGE = 16
# Less cannot be aligned, let alone recognised; the second look of CenterFace makes some up.
SMALLEST_SIDE = 12
# Half of the square in which a face is looked at again, in sides of the face, and the square's edge for detection.
SURROUNDINGS = 1.1
SQUARE_EDGE = 128
# Degrees: up to 45 the five-point predictor aligns a face. Scores: turned faces have 0.3 to 0.6 less than upright ones.
LEANING = 40.0
DOUBTFUL_SCORE = 0.6


@dataclass(frozen=True, slots=True)
class Region:
    """A detected face in pixels of the picture. Eyes are the person's own left and right, where the detector says.

    So many quarter turns anticlockwise as `turn` says make the face upright.
    """

    x: float
    y: float
    width: float
    height: float
    score: float
    left_eye: Point | None
    right_eye: Point | None
    turn: int = 0

    @property
    def side(self) -> float:
        return max(self.width, self.height)

    @property
    def centre(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def roll(self) -> float:
        """Degrees by which the line from the right eye to the left one is off the level; 0 where no eyes are known."""
        if self.left_eye is None or self.right_eye is None:
            return 0.0
        across, down = self.left_eye[0] - self.right_eye[0], self.left_eye[1] - self.right_eye[1]
        return abs(math.degrees(math.atan2(down, across)))


def detect(pixels: Pixels, detector: str, *, closely: bool = False) -> list[Region]:
    """Find all faces of an RGB picture, the largest first; `closely` looks at all of it at 960 px."""
    if min(pixels.shape[:2]) < SMALLEST_EDGE:
        return []
    in_two_looks = engines.detector_named(detector).in_two_looks and not closely
    regions = _in_two_looks(pixels, detector) if in_two_looks else _detected(pixels, detector, DETECTION_EDGE)
    found = (_turned(region, pixels, detector) for region in regions)
    return sorted(found, key=lambda region: (-region.width * region.height, region.x, region.y))


def square_around(pixels: Pixels, region: Region) -> Pixels:
    """Cut out the face's surroundings, (2n, 2n, 3), n being 1.1 times its side; black beyond the picture."""
    half = round(SURROUNDINGS * region.side)
    left, top = (round(middle) - half for middle in region.centre)
    square = np.zeros((2 * half, 2 * half, 3), dtype=np.uint8)
    inside = pixels[max(0, top) : max(0, top + 2 * half), max(0, left) : max(0, left + 2 * half)]
    row, column = max(0, -top), max(0, -left)
    square[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return square


def _in_two_looks(pixels: Pixels, detector: str) -> list[Region]:
    areas = registry.detector(detector).detect_faces_in_two_looks(pixels)
    return _regions(areas, 1.0, pixels)


def _detected(pixels: Pixels, detector: str, edge: int) -> list[Region]:
    scaled, factor = _scaled_down(pixels, edge)
    return _regions(registry.detector(detector).detect_faces(_bgr(scaled)), factor, pixels)


def _bgr(pixels: Pixels) -> Pixels:
    import cv2

    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), dtype=np.uint8)


def _regions(areas: list[Any], factor: float, pixels: Pixels) -> list[Region]:
    found = (_region(area, factor) for area in areas)
    return [region for region in found if _is_inside(region, pixels)]


def _turned(region: Region, pixels: Pixels, detector: str) -> Region:
    """Look again at a face that lies on its side, or may: the one of its other three turns that scores best has it.

    The five-point predictor knows upright faces only. 20 faces were turned by 60 to 180 degrees, 120 pictures: of the
    102 faces that were found in them, 14 could be recognised, and 95 with this. In an event album 8 % of the faces are
    looked at again, strangers in the background, for 0.008 s each; none of its 732 labelled faces is turned by it.
    """
    if region.left_eye is None or (region.roll < LEANING and region.score >= DOUBTFUL_SCORE):
        return region
    square, best = square_around(pixels, region), region
    least = region.score if region.roll < LEANING else 0.0
    for turn in (1, 2, 3):
        picture = np.ascontiguousarray(np.rot90(square, turn))
        for found in _detected(picture, detector, SQUARE_EDGE):
            if found.roll < LEANING and found.score > least and _is_central(found, picture):
                best, least = _turned_back(found, turn, region.centre, len(square) / 2), found.score
    return best


def _is_central(region: Region, square: Pixels) -> bool:
    return max(abs(middle / len(square) - 0.5) for middle in region.centre) < 0.2


def _turned_back(found: Region, turn: int, middle: Point, half: float) -> Region:
    """Give a region of the turned square around `middle` in pixels of the picture."""

    def place(point: Point) -> Point:
        x, y = point[0] - half, point[1] - half
        for _ in range(turn):
            x, y = -y, x
        return middle[0] + x, middle[1] + y

    x, y = place(found.centre)
    width, height = (found.width, found.height) if turn == 2 else (found.height, found.width)
    left_eye, right_eye = (point and place(point) for point in (found.left_eye, found.right_eye))
    return Region(x - width / 2, y - height / 2, width, height, found.score, left_eye, right_eye, turn)


def _scaled_down(pixels: Pixels, edge: int) -> tuple[Pixels, float]:
    """Give the picture for detection, and by what to multiply its coordinates."""
    import cv2

    height, width = pixels.shape[:2]
    factor = max(height, width) / edge
    if factor <= 1:
        return pixels, 1.0
    size = max(1, round(width / factor)), max(1, round(height / factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), factor


def _region(area: Any, factor: float) -> Region:
    """Convert DeepFace's FacialAreaRegion. A detector that gives no score is believed."""
    score = 1.0 if area.confidence is None else float(np.clip(area.confidence, 0, 1))
    return Region(
        x=float(area.x) * factor,
        y=float(area.y) * factor,
        width=float(area.w) * factor,
        height=float(area.h) * factor,
        score=score,
        left_eye=_point(area.left_eye, factor),
        right_eye=_point(area.right_eye, factor),
    )


def _point(point: Any, factor: float) -> Point | None:
    return None if point is None else (float(point[0]) * factor, float(point[1]) * factor)


def _is_inside(region: Region, pixels: Pixels) -> bool:
    """Tell whether the face's middle is in the picture: a detector may frame what it makes up beyond the edge."""
    height, width = pixels.shape[:2]
    x, y = region.x + region.width / 2, region.y + region.height / 2
    return 0 < x < width and 0 < y < height and min(region.width, region.height) >= SMALLEST_SIDE
