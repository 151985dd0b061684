"""Photos to measure with: those of a folder, else made from the faces that come with scikit-image."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from galleries import images
from galleries.management.commands.seed_demo import enlarged, part
from recognition import Pixels

WIDTH, HEIGHT = 1600, 1067
# 12 megapixels in the same proportions.
LARGE_WIDTH = 4242
_FACES = (64, 90, 130, 180, 260)  # sides of the faces in a made photo, pixels


def photos_in(folder: Path, count: int) -> list[Path]:
    """Photos of 1600 px below the folder, evenly spread over their names; there may be none."""
    found = [path for path in sorted(folder.rglob("*.jpg")) if _has_the_size(path)]
    return found[:: max(1, len(found) // count)][:count]


def _has_the_size(path: Path) -> bool:
    try:
        facts = images.inspect(path)
    except images.ImageRejected:
        return False
    return (facts.width, facts.height) == (WIDTH, HEIGHT)


def make_photos(folder: Path, count: int) -> list[Path]:
    paths = []
    for number in range(count):
        paths.append(folder / f"made-{number}.jpg")
        paths[-1].write_bytes(images.encode(_montage(number)))
    return paths


def enlarge(source: Path, target: Path) -> Path:
    """The same photo with 12 megapixels, as a phone would have taken it."""
    pixels = images.decode(source, WIDTH).pixels
    target.write_bytes(images.encode(_whole(enlarged(pixels, LARGE_WIDTH))))
    return target


def selfie(path: Path) -> Path:
    """The astronaut's head, filling the picture."""
    path.write_bytes(images.encode(_whole(enlarged(part(_astronaut(), (0, 260, 100, 340)), 600))))
    return path


def _montage(seed: int) -> Pixels:
    """A dim, uneven background with the astronaut's head and strangers in several sizes on it."""
    random = np.random.default_rng(seed)
    photo = enlarged(random.integers(60, 200, (HEIGHT // 60, WIDTH // 60, 3)).astype(np.float32), WIDTH)
    photo = np.resize(photo, (HEIGHT, WIDTH, 3))
    left = 20
    for face, side in zip(_heads(random), random.permutation(_FACES), strict=False):
        picture = enlarged(face, int(side))
        top = int(random.integers(20, HEIGHT - picture.shape[0] - 20))
        photo[top : top + picture.shape[0], left : left + int(side)] = picture
        left += int(side) + 40
    return _whole(photo)


def _heads(random: np.random.Generator) -> Iterator[np.ndarray]:
    import skimage.data

    yield part(_astronaut(), (0, 220, 110, 330))
    for face in random.permutation(skimage.data.lfw_subset()[:100]):
        yield np.repeat(face[..., None] * 255, 3, axis=2)


def _astronaut() -> Pixels:
    import skimage.data

    return np.asarray(skimage.data.astronaut())


def _whole(picture: np.ndarray) -> Pixels:
    return np.ascontiguousarray(np.clip(picture, 0, 255).round().astype(np.uint8))
