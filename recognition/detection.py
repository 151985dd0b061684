"""Pixels -> rectangles of faces, by any of DeepFace's detectors."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import registry, weights
from .conversion import free_input_shape
from .types import Pixels

Point = tuple[float, float]

# Detection costs by area. 960 finds every face of the measured albums that can be recognised at all; 1280 takes
# 1.8 times as long for the same search result.
DETECTION_EDGE = 960
# No detector here finds a face in less, and some fail on it.
SMALLEST_EDGE = 16
# Less cannot be aligned.
SMALLEST_SIDE = 8


@dataclass(frozen=True, slots=True)
class Region:
    """A detected face in pixels of the picture. Eyes are the person's own left and right, where the detector says."""

    x: float
    y: float
    width: float
    height: float
    score: float
    left_eye: Point | None
    right_eye: Point | None

    @property
    def side(self) -> float:
        return max(self.width, self.height)


def detect(pixels: Pixels, detector: str) -> list[Region]:
    """Find all faces of an RGB picture, the largest first, on a copy of at most 960 px."""
    if min(pixels.shape[:2]) < SMALLEST_EDGE:
        return []
    scaled, factor = scaled_down(pixels)
    bgr = np.ascontiguousarray(scaled[:, :, ::-1])
    found = (_region(area, factor) for area in registry.detector(detector).detect_faces(bgr))
    inside = (region for region in found if _is_inside(region, pixels))
    return sorted(inside, key=lambda region: (-region.width * region.height, region.x, region.y))


def scaled_down(pixels: Pixels) -> tuple[Pixels, float]:
    """Give the picture for detection, and by what to multiply its coordinates."""
    import cv2

    height, width = pixels.shape[:2]
    factor = max(height, width) / DETECTION_EDGE
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


class CenterFaceOnnx:
    """CenterFace on ONNX Runtime behind DeepFace's Detector interface, loaded once and fed pictures of any shape.

    DeepFace's own client rebuilds the net for every picture. Decoding follows the paper, arXiv:1911.03599.
    """

    SCORE = 0.35
    OVERLAP = 0.3
    STRIDE = 4

    def __init__(self) -> None:
        self.session = registry.session(
            weights.derive("pixora-centerface-1.onnx", weights.CENTERFACE, free_input_shape)
        )

    def detect_faces(self, img: NDArray[np.uint8]) -> list[Any]:
        """Find faces in a BGR picture (height, width, 3); give DeepFace's FacialAreaRegion in its whole pixels."""
        from deepface.models.Detector import FacialAreaRegion

        regions = []
        for (x, y, width, height), score, points in self._faces(img):
            right_eye, left_eye, nose, mouth_right, mouth_left = (tuple(map(round, point)) for point in points.tolist())
            regions.append(
                FacialAreaRegion(
                    x=round(x),
                    y=round(y),
                    w=round(width),
                    h=round(height),
                    left_eye=left_eye,
                    right_eye=right_eye,
                    confidence=score,
                    nose=nose,
                    mouth_right=mouth_right,
                    mouth_left=mouth_left,
                )
            )
        return regions

    def _faces(self, img: NDArray[np.uint8]) -> list[tuple[list[float], float, NDArray[np.float32]]]:
        """Give (x, y, width, height), score and five points (5, 2) of each face."""
        import cv2

        maps = self.session.run(None, {"input.1": self.input_of(img)})
        heat, scale, offset, landmarks = (values[0] for values in maps)
        rows, columns = np.nonzero(heat[0] > self.SCORE)
        scores = heat[0, rows, columns]
        height, width = np.exp(scale[:, rows, columns]) * self.STRIDE
        y = (rows + offset[0, rows, columns] + 0.5) * self.STRIDE - height / 2
        x = (columns + offset[1, rows, columns] + 0.5) * self.STRIDE - width / 2
        boxes = np.stack([x, y, width, height], axis=1)
        kept = np.asarray(cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), self.SCORE, self.OVERLAP), dtype=np.intp)
        corner, size = boxes[:, None, :2], boxes[:, None, 2:]
        # The net gives each point as y before x, in units of the box.
        points = landmarks[:, rows, columns].T.reshape(-1, 5, 2)[:, :, ::-1] * size + corner
        return [(boxes[face].tolist(), float(scores[face]), points[face]) for face in kept]

    @staticmethod
    def input_of(img: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give (1, 3, height, width) float32 RGB, black to the right and below up to multiples of 32."""
        height, width = img.shape[:2]
        padded = np.zeros((1, 3, math.ceil(height / 32) * 32, math.ceil(width / 32) * 32), dtype=np.float32)
        padded[0, :, :height, :width] = img[:, :, ::-1].transpose(2, 0, 1)
        return padded
