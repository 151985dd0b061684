"""A selfie -> the one face that it is of, or the reason why it will not do."""

import numpy as np

from . import alignment
from .detection import Region, detect
from .errors import SelfieRejected
from .faces import box_of, faces_of
from .types import Box, Engine, Face, Pixels

# A face that fills the frame has no surroundings for the detector to know it by: so much black on every side, as
# fractions of the picture.
MARGIN = 0.25
# A selfie is one face and may take its time: three crops, tight and wide, cost 0.055 s more than one. In the event
# album of engines.py sure hits keep their precision, and their recall goes from 0.973 to 0.973 for sharp selfies,
# from 0.914 to 0.935 for selfies blurred by 3 px, from 0.917 to 0.952 for those of 160 px. Turning or shifting the
# chip as well added nothing; nor did any of it, done to the album's faces, make up for its price.
CHIP_PADDINGS = 0.18, 0.25, 0.32
# Pixels. A face this small is found, but is 0.2 and more from the same face at full size.
SMALLEST_FACE = 48
# Share of the main face's prominence. Bystanders in the selfies measured reach 0.56 (an equally large face at the
# frame), the outer ones of three equal faces in a row 0.67, two friends side by side 1.0.
COMPARABLE = 0.62
# A second face of a lower score is more often a pattern than a person.
CERTAIN_SCORE = 0.5
# Of the chip's variance. Sharp selfies: 0.95 to 12. A 120 px face blurred by 3 px: 0.61, by 2 px: 0.86.
LEAST_SHARPNESS = 0.0065


def face_of_selfie(pixels: Pixels, engine: Engine) -> Face:
    """Give the main face of an RGB selfie.

    Raises SelfieRejected with no_face, several_faces, face_too_small or face_blurred.
    """
    if min(pixels.shape[:2]) < SMALLEST_FACE:
        raise SelfieRejected("face_too_small")
    framed = _framed(pixels)
    region = _main_region(detect(framed, engine.detector, closely=True), pixels)
    if region.side < SMALLEST_FACE:
        raise SelfieRejected("face_too_small")
    if _sharpness(framed, region) < LEAST_SHARPNESS:
        raise SelfieRejected("face_blurred")
    (face,) = faces_of(framed, [region], engine, CHIP_PADDINGS)
    return Face(_unframed(region, pixels), face.score, face.weak, face.embedding)


def _main_region(regions: list[Region], pixels: Pixels) -> Region:
    if not regions:
        raise SelfieRejected("no_face")
    ranked = sorted(regions, key=lambda region: _prominence(region, pixels), reverse=True)
    main, others = ranked[0], [region for region in ranked[1:] if region.score >= CERTAIN_SCORE]
    if others and _prominence(others[0], pixels) >= COMPARABLE * _prominence(main, pixels):
        raise SelfieRejected("several_faces")
    return main


def _prominence(region: Region, pixels: Pixels) -> float:
    """Side of the visible part as a fraction of the picture, less the further it is from the middle.

    A person taking a selfie is in the middle; a bystander who is as large stands at the frame and is cut by it.
    """
    box = _unframed(region, pixels)
    distance = np.hypot(box.x + box.width / 2 - 0.5, box.y + box.height / 2 - 0.5)
    return float(np.sqrt(box.width * box.height) * (1 - distance))


def _framed(pixels: Pixels) -> Pixels:
    rows, columns = _margins(pixels)
    return np.pad(pixels, ((rows, rows), (columns, columns), (0, 0)))


def _unframed(region: Region, pixels: Pixels) -> Box:
    rows, columns = _margins(pixels)
    inner = Region(
        region.x - columns,
        region.y - rows,
        region.width,
        region.height,
        region.score,
        left_eye=None,
        right_eye=None,
    )
    return box_of(inner, pixels)


def _margins(pixels: Pixels) -> tuple[int, int]:
    height, width = pixels.shape[:2]
    return round(MARGIN * height), round(MARGIN * width)


def _sharpness(pixels: Pixels, region: Region) -> float:
    """Variance of the Laplacian as a share of the grey values' own, so that a dim picture is not called blurred.

    Measured in the middle of the aligned chip, where every detector has the face. After Pech-Pacheco et al., 2000.
    """
    import cv2

    (chip,) = alignment.five_points(pixels, [region])
    grey = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)[19:-19, 19:-19].astype(np.float32)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var() / max(grey.var(), 1))
