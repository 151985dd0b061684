"""Pictures for the tests, made in memory: a real face, pictures without one, and every kind of bad file."""

import io
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageCms

Pixels = NDArray[np.uint8]

RED, GREEN, BLUE, GREY = (220, 30, 30), (30, 190, 40), (30, 50, 210), (128, 128, 128)


@cache
def portrait() -> Pixels:
    """The astronaut, one real face; (512, 512, 3) RGB."""
    return np.asarray(skimage.data.astronaut())


@cache
def faceless() -> Pixels:
    """A cup of coffee, (400, 600, 3) RGB."""
    return np.asarray(skimage.data.coffee())


def quadrants(width: int = 96, height: int = 64) -> Pixels:
    """Red, green / blue, grey: every turn and mirroring of it differs; (height, width, 3) RGB."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = RED
    picture[: height // 2, width // 2 :] = GREEN
    picture[height // 2 :, : width // 2] = BLUE
    picture[height // 2 :, width // 2 :] = GREY
    return picture


def encoded(picture: Pixels | Image.Image, kind: str, **save_options: Any) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, kind, **save_options)
    return buffer.getvalue()


def jpeg(picture: Pixels, **save_options: Any) -> bytes:
    return encoded(picture, "JPEG", **{"quality": 92, **save_options})


def png(picture: Pixels | Image.Image, **save_options: Any) -> bytes:
    return encoded(picture, "PNG", **save_options)


def webp(picture: Pixels) -> bytes:
    return encoded(picture, "WEBP", quality=92)


def heic(picture: Pixels, orientation: int = 1) -> bytes:
    """`orientation` is EXIF's; the encoder writes it as HEIC's own turn of the picture."""
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    pillow_heif.from_pillow(Image.fromarray(picture)).save(buffer, quality=92, exif=exif.tobytes())
    return buffer.getvalue()


def selfie_jpeg(width: int = 600) -> bytes:
    """The astronaut's face as a phone held near would show it: broader, and so no copy of the portrait."""
    face = Image.fromarray(portrait()[0:260, 100:340])
    return jpeg(np.asarray(face.resize((width, width * 26 // 30), Image.Resampling.BICUBIC)))


# Of lfw_subset's hundred faces these are found when enlarged, and are 0.38 and more from each other; the first most.
STRANGERS = (49, 26, 80, 19, 33, 29, 45, 93, 6, 84, 50, 8, 91, 24, 38)


def stranger_jpeg(number: int, *, selfie: bool = False) -> bytes:
    """One of lfw_subset's real faces, enlarged from 25 pixels; as a selfie broader, and grained like a phone's."""
    face = Image.fromarray((skimage.data.lfw_subset()[number] * 255).astype(np.uint8))
    face = face.resize((375 if selfie else 300, 300), Image.Resampling.BICUBIC)
    framed = np.pad(np.asarray(face), 60, mode="edge").astype(float)
    grain = np.random.default_rng(number).normal(0, 14 if selfie else 0, framed.shape)
    return jpeg(np.repeat(np.clip(framed + grain, 0, 255).astype(np.uint8)[..., None], 3, axis=2))


def with_exif(picture: Pixels, *, orientation: int | None = None, taken: str | None = None) -> bytes:
    """A JPEG; `taken` is DateTimeOriginal, "2024:06:01 15:30:00"."""
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    if taken is not None:
        exif.get_ifd(0x8769)[0x9003] = taken
    return jpeg(picture, quality=95, subsampling=0, exif=exif)


def oriented_jpeg(upright: Pixels, orientation: int) -> bytes:
    """The picture as a camera held in that way stores it, by the table of Exif 3.0, section 4.6.5.1.6."""
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    return with_exif(np.ascontiguousarray(stored), orientation=orientation)


def truncated_jpeg() -> bytes:
    whole = jpeg(faceless())
    return whole[: len(whole) // 2]


def html() -> bytes:
    return b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n"


def gif() -> bytes:
    return encoded(quadrants(), "GIF")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bomb(edge: int = 30_000) -> bytes:
    """A PNG of a few kilobytes that says it has edge x edge RGB pixels."""
    header = struct.pack(">IIBBBBB", edge, edge, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def webp_bomb() -> bytes:
    """A lossless WebP of a few bytes whose header says 16,383 x 16,383 pixels, the most that WebP knows."""
    small = bytearray(encoded(quadrants(), "WEBP", lossless=True))
    small[21:25] = struct.pack("<I", 16_382 | 16_382 << 14)
    return bytes(small)


def cmyk_jpeg(picture: Pixels) -> bytes:
    """As Adobe's programs write it: with their marker, and inverted."""
    return encoded(Image.fromarray(picture).convert("CMYK"), "JPEG", quality=95, subsampling=0)


def sixteen_bit_png(picture: Pixels) -> bytes:
    """Grey of 16 bits, dark to bright over the whole range."""
    grey = np.asarray(Image.fromarray(picture).convert("L")).astype(np.uint16)
    return png(Image.fromarray(grey * 257))


def palette_alpha_png() -> bytes:
    """The quadrants in a palette; the grey one is transparent, and black below its transparency."""
    image = Image.fromarray(np.kron(np.array([[0, 1], [2, 3]], np.uint8), np.ones((32, 48), np.uint8)), "P")
    image.putpalette([*RED, *GREEN, *BLUE, 0, 0, 0])
    return png(image, transparency=bytes([255, 255, 255, 0]))


def half_transparent_png() -> bytes:
    """The quadrants at an alpha of one half."""
    image = Image.fromarray(quadrants()).convert("RGBA")
    image.putalpha(128)
    return png(image)


def one_pixel_png() -> bytes:
    return png(np.array([[RED]], np.uint8))


def foreign_profile() -> bytes:
    """An ICC profile in which the numbers for red mean blue, and those for blue red."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))


def small(number: int) -> bytes:
    """A PNG of few bytes, each number another one."""
    picture = quadrants(24, 16).copy()
    picture[0, 0] = (number % 256, number // 256, 7)
    return png(picture)


def fill(folder: Path, count: int) -> Path:
    """With as many small pictures."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"IMG_{number:04}.png").write_bytes(small(number))
    return folder
