"""Regions -> faces: aligned, embedded and judged."""

import numpy as np
from numpy.typing import NDArray

from . import alignment, engines, registry
from .detection import Region
from .embedding import embed, unit
from .types import Box, Engine, Face, Pixels, Vectors

# Below this side in pixels an embedding says more of the pixels than of the person; such a face is weak.
WEAK_SIDE = 40


def faces_of(
    pixels: Pixels, regions: list[Region], engine: Engine, paddings: tuple[float, ...] = (alignment.CHIP_PADDING,)
) -> list[Face]:
    """Embed all regions of an RGB picture together; the faces come in the order of the regions.

    Where the model takes chips of five points, one of each padding is embedded, and the embeddings are averaged.
    """
    if not regions:
        return []
    weak_below = engines.DETECTORS[engine.detector].weak_below
    return [
        Face(
            box=box_of(region, pixels),
            score=region.score,
            weak=region.side < WEAK_SIDE or region.score < weak_below,
            embedding=embedding,
        )
        for region, embedding in zip(regions, _embeddings(pixels, regions, engine, paddings), strict=True)
    ]


def box_of(region: Region, pixels: Pixels) -> Box:
    """Give the part of the region inside the picture, in fractions of it."""
    height, width = pixels.shape[:2]
    left, right = np.clip([region.x, region.x + region.width], 0, width) / width
    top, bottom = np.clip([region.y, region.y + region.height], 0, height) / height
    return Box(float(left), float(top), float(right - left), float(bottom - top))


def _embeddings(pixels: Pixels, regions: list[Region], engine: Engine, paddings: tuple[float, ...]) -> Vectors:
    if engines.MODELS[engine.model].alignment == "five_points":
        chips = np.concatenate([alignment.five_points(pixels, regions, padding) for padding in paddings])
        embeddings = embed(chips[:, :, :, ::-1], engine.model, mirrored=True)
        return unit(embeddings.reshape(len(paddings), len(regions), -1).sum(axis=0))
    bgr: NDArray[np.float32] = alignment.eyes(pixels, regions, registry.model(engine.model).input_shape)
    return embed(bgr, engine.model, mirrored=False)
