"""CenterFace on ONNX Runtime: a cheap look at the whole picture, and a close one where a face is small or doubtful."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import registry, weights
from .conversion import free_input_shape
from .types import Pixels

# Longest edges in pixels. Detection costs by area: the first look costs 0.36 of one at 960 px, the second ones together
# 0.08 in an event album, where both found 871 of the 882 faces of that one look, 16 others, and 466 instead of 470 of
# 483 sure matches. 640 for the first finds 468 for 0.51, 512 finds 465; 576 also fits 3:2 without padding.
FIRST_EDGE = 576
SECOND_EDGE = 960
# A face is believed at the first look from so much heat and so large a side, in its pixels; a doubtful one gets a
# second. A large one needs less heat, and no second look would add to it: it may lie on its side (detection.py).
CLEAR_SCORE = 0.5
CLEAR_SIDE = 32
# A face of 27 px in a photo of 1600 has 0.16 to 0.2 at the first look, one of 22 px 0.09 to 0.19.
DOUBTFUL_SCORE = 0.1
LARGE_SCORE = 0.25
LARGE_SIDE = 64
# The second look sees so many sides of the face around its middle, and no less than the net needs for a context.
SURROUNDINGS = 4.0
SMALLEST_WINDOW = 96
# Where the windows of a crowd would have more than this part of the picture's area, all of it is looked at again.
CROWD = 0.5

SCORE = 0.35
OVERLAP = 0.3
STRIDE = 4
# The net takes multiples of it.
MULTIPLE = 32


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A face: the box as (x, y, width, height), the heat, and five points (5, 2), all in pixels."""

    box: NDArray[np.float32]
    score: float
    points: NDArray[np.float32]

    @property
    def side(self) -> float:
        return float(max(self.box[2], self.box[3]))

    @property
    def centre(self) -> tuple[float, float]:
        return float(self.box[0] + self.box[2] / 2), float(self.box[1] + self.box[3] / 2)

    @property
    def is_clear(self) -> bool:
        return self.side >= CLEAR_SIDE and self.score >= CLEAR_SCORE

    @property
    def is_large(self) -> bool:
        return self.side >= LARGE_SIDE and self.score >= LARGE_SCORE

    def placed(self, factor: float, left: float = 0, top: float = 0) -> "Found":
        """In the pixels of the picture from which its own was cut at (left, top) and shrunk by the factor."""
        corner = np.array([left, top], dtype=np.float32)
        box = np.concatenate([self.box[:2] * factor + corner, self.box[2:] * factor])
        return Found(box, self.score, self.points * factor + corner)


class CenterFaceOnnx:
    """CenterFace behind DeepFace's Detector interface, loaded once and fed pictures of any shape.

    DeepFace's own client rebuilds the net for every picture. Decoding follows the paper, arXiv:1911.03599.
    """

    def __init__(self) -> None:
        self.session = registry.session(
            weights.derive("pixora-centerface-1.onnx", weights.CENTERFACE, free_input_shape)
        )

    def detect_faces(self, img: NDArray[np.uint8]) -> list[Any]:
        """Find faces in a BGR picture (height, width, 3); give DeepFace's FacialAreaRegion in its whole pixels."""
        return [_area(face) for face in self._faces(img[:, :, ::-1], SCORE)]

    def detect_faces_in_two_looks(self, pixels: Pixels) -> list[Any]:
        """The same for an RGB picture of any size, which is never seen at more than 960 px, in half the time."""
        return [_area(face) for face in self._looked_twice(pixels)]

    def _looked_twice(self, pixels: Pixels) -> list[Found]:
        if max(pixels.shape[:2]) <= FIRST_EDGE:
            return self._faces(pixels, SCORE)
        small, factor = shrunk(pixels, FIRST_EDGE)
        seen = self._faces(small, DOUBTFUL_SCORE)
        certain = [face.placed(factor) for face in seen if face.is_clear or face.is_large]
        doubtful = [face.placed(factor) for face in seen if not face.is_clear and face.side < LARGE_SIDE]
        return _without_doubles([*certain, *self._second_look(pixels, doubtful)])

    def _second_look(self, pixels: Pixels, doubtful: list[Found]) -> list[Found]:
        factor = max(1.0, max(pixels.shape[:2]) / SECOND_EDGE)
        halves = [max(SURROUNDINGS * face.side, SMALLEST_WINDOW * factor) / 2 for face in doubtful]
        if sum(4 * half**2 for half in halves) > CROWD * pixels.shape[0] * pixels.shape[1]:
            whole, factor = shrunk(pixels, SECOND_EDGE)
            return [face.placed(factor) for face in self._faces(whole, SCORE)]
        return [
            found
            for face, half in zip(doubtful, halves, strict=True)
            for found in self._close(pixels, face, half, factor)
        ]

    def _close(self, pixels: Pixels, face: Found, half: float, factor: float) -> list[Found]:
        """Give the faces seen where the doubtful one is, in the window of so many pixels around its middle."""
        x, y = face.centre
        left, top = max(0, round(x - half)), max(0, round(y - half))
        window = pixels[top : round(y + half), left : round(x + half)]
        seen = (found.placed(factor, left, top) for found in self._faces(_resized(window, factor), SCORE))
        reach = face.side / 2
        return [each for each in seen if abs(each.centre[0] - x) < reach and abs(each.centre[1] - y) < reach]

    def _faces(self, pixels: Pixels, least: float) -> list[Found]:
        """Give what one run of the net finds in an RGB picture, in its pixels."""
        maps = self.session.run(None, {"input.1": input_of(pixels)})
        heat, scale, offset, landmarks = (values[0] for values in maps)
        rows, columns = np.nonzero(heat[0] > least)
        scores = heat[0, rows, columns]
        height, width = np.exp(scale[:, rows, columns]) * STRIDE
        y = (rows + offset[0, rows, columns] + 0.5) * STRIDE - height / 2
        x = (columns + offset[1, rows, columns] + 0.5) * STRIDE - width / 2
        boxes = np.stack([x, y, width, height], axis=1).astype(np.float32)
        corner, size = boxes[:, None, :2], boxes[:, None, 2:]
        # The net gives each point as y before x, in units of the box.
        points = landmarks[:, rows, columns].T.reshape(-1, 5, 2)[:, :, ::-1] * size + corner
        return _without_doubles(
            [Found(box, float(score), five) for box, score, five in zip(boxes, scores, points, strict=True)]
        )


def _area(face: Found) -> Any:
    from deepface.models.Detector import FacialAreaRegion

    x, y, width, height = (round(number) for number in face.box.tolist())
    right_eye, left_eye, nose, mouth_right, mouth_left = (tuple(map(round, point)) for point in face.points.tolist())
    return FacialAreaRegion(
        x=x,
        y=y,
        w=width,
        h=height,
        left_eye=left_eye,
        right_eye=right_eye,
        confidence=face.score,
        nose=nose,
        mouth_right=mouth_right,
        mouth_left=mouth_left,
    )


def _without_doubles(faces: list[Found]) -> list[Found]:
    import cv2

    if not faces:
        return []
    boxes, scores = [face.box.tolist() for face in faces], [face.score for face in faces]
    return [faces[index] for index in cv2.dnn.NMSBoxes(boxes, scores, 0.0, OVERLAP)]


def input_of(pixels: Pixels) -> NDArray[np.float32]:
    """Give (1, 3, height, width) float32, black to the right and below up to multiples of 32."""
    height, width = pixels.shape[:2]
    rows, columns = (math.ceil(side / MULTIPLE) * MULTIPLE for side in (height, width))
    padded = np.zeros((1, 3, rows, columns), dtype=np.float32)
    padded[0, :, :height, :width] = pixels.transpose(2, 0, 1)
    return padded


def shrunk(pixels: Pixels, edge: int) -> tuple[Pixels, float]:
    """Give the picture at most so large, and by what to multiply its coordinates.

    Halved by averaging as often as that goes, then resized: 1 ms where averaging in one step takes 7.
    """
    import cv2

    factor = max(1.0, max(pixels.shape[:2]) / edge)
    halved, left = pixels, factor
    while left >= 2:
        height, width = halved.shape[0] // 2, halved.shape[1] // 2
        even = halved[: 2 * height, : 2 * width]
        halved = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        left /= 2
    return _resized(halved, left), factor


def _resized(pixels: Pixels, factor: float) -> Pixels:
    import cv2

    if factor == 1:
        return pixels
    size = max(1, round(pixels.shape[1] / factor)), max(1, round(pixels.shape[0] / factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
