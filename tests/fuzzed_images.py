"""A program of test_fuzz_images.py: mutates pictures and lets the image gate have them, in a process with limits.

`python -m tests.fuzzed_images SEED FIRST LAST` says of each number what became of it, and before that its number, so
that whoever started it knows which one it died of. The same seed and number are the same bytes: `--write N FILE`.
"""

import io
import random
import struct
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from galleries import apart, formats, images
from tests import pictures

LIMITS = formats.Limits(2_000_000, 1_000_000)
EDGE = 128
_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 12_345_678)


@cache
def seeds() -> list[bytes]:
    """Small pictures of every kind that is taken, and some that are not."""
    picture = pictures.quadrants(48, 32)
    image = Image.fromarray(picture)
    noise = Image.fromarray(np.random.default_rng(7).integers(0, 256, (40, 40, 3), np.uint8))
    jpegs = [
        pictures.jpeg(picture),
        pictures.encoded(noise, "JPEG", quality=90, progressive=True),
        pictures.encoded(image.convert("L"), "JPEG"),
        pictures.encoded(image, "JPEG", icc_profile=pictures.foreign_profile()),
        pictures.cmyk_jpeg(picture),
        pictures.oriented_jpeg(picture, 6),
        pictures.encoded(noise, "JPEG", restart_marker_blocks=2),
    ]
    pngs = [
        pictures.png(picture),
        pictures.sixteen_bit_png(picture),
        pictures.palette_alpha_png(),
        pictures.half_transparent_png(),
        pictures.encoded(image.convert("1"), "PNG"),
        pictures.encoded(noise, "PNG", icc_profile=pictures.foreign_profile()),
        pictures.encoded(image, "PNG", exif=Image.Exif()),
    ]
    webps = [
        pictures.webp(picture),
        pictures.encoded(noise, "WEBP", lossless=True),
        pictures.encoded(image.convert("RGBA"), "WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0", quality=50),
    ]
    heics = [pictures.heic(picture), pictures.heic(np.asarray(noise))]
    others = [pictures.gif(), pictures.encoded(image, "TIFF"), pictures.encoded(image, "BMP"), pictures.html()]
    return jpegs * 2 + pngs * 2 + webps * 4 + heics * 6 + others


def mutated(seed: int, number: int) -> bytes:
    chance = random.Random(f"{seed} {number}")
    data = bytearray(chance.choice(seeds()))
    for _ in range(chance.choice((1, 1, 2, 3, 5, 10, 40))):
        if data:
            chance.choice(_MUTATIONS)(chance, data)
    return bytes(data[: LIMITS.file_bytes + 1])


def _place(chance: random.Random, data: bytearray) -> int:
    """More often near the beginning, where the headers are."""
    most = len(data) if chance.random() < 0.5 else min(len(data), 400)
    return chance.randrange(most)


def _flip(chance: random.Random, data: bytearray) -> None:
    data[_place(chance, data)] ^= 1 << chance.randrange(8)


def _byte(chance: random.Random, data: bytearray) -> None:
    data[_place(chance, data)] = chance.randrange(256)


def _number(chance: random.Random, data: bytearray) -> None:
    at, value = _place(chance, data), chance.choice(_INTERESTING)
    packed = struct.pack(chance.choice("<>") + "I", value)
    data[at : at + 4] = packed if value > 0xFFFF or chance.random() < 0.5 else packed[:2]


def _cut_off(chance: random.Random, data: bytearray) -> None:
    del data[_place(chance, data) :]


def _leave_out(chance: random.Random, data: bytearray) -> None:
    at = _place(chance, data)
    del data[at : at + chance.choice((1, 2, 4, 16, 100))]


def _double(chance: random.Random, data: bytearray) -> None:
    at, length = _place(chance, data), chance.choice((1, 4, 12, 64, 500))
    data[at:at] = data[at : at + length] * chance.choice((1, 2, 50))


def _mix(chance: random.Random, data: bytearray) -> None:
    """With another picture's bytes: one kind's header on another's body, or a part of it in the middle."""
    other = chance.choice(seeds())
    at, start = _place(chance, data), chance.randrange(len(other))
    data[at : at + chance.choice((0, 50, len(data)))] = other[start : start + chance.choice((20, 200, len(other)))]


def _zeroes(chance: random.Random, data: bytearray) -> None:
    at, length = _place(chance, data), chance.choice((4, 32, 300))
    data[at : at + length] = bytes(length)


_MUTATIONS: list[Callable[[random.Random, bytearray], None]] = [
    _flip, _flip, _byte, _byte, _number, _number, _number, _cut_off, _leave_out, _double, _mix, _zeroes
]  # fmt: skip


def judged(path: Path) -> str:
    """What became of it; anything but a picture within limits or a refusal is told as wrong."""
    seen = _facts(path)
    try:
        decoded = images._decode(path, EDGE, LIMITS)
    except images.ImageRejected as rejected:
        return rejected.code
    except MemoryError:
        return "memory"
    if seen is None:
        return "WRONG: decoded, though its header was refused"
    height, width, channels = decoded.pixels.shape
    if channels != 3 or decoded.pixels.dtype != np.uint8 or not 0 < max(height, width) <= EDGE or 0 in (height, width):
        return f"WRONG: {decoded.pixels.shape} {decoded.pixels.dtype}"
    if not 0 < decoded.width * decoded.height <= LIMITS.pixels:
        return f"WRONG: {decoded.width} x {decoded.height} pixels"
    images.render(decoded.pixels)
    return "picture"


def _facts(path: Path) -> images.Facts | None:
    images._limits = lambda: LIMITS
    try:
        facts = images.inspect(path)
    except images.ImageRejected:
        return None
    assert facts.width > 0
    assert facts.height > 0
    assert facts.content_type in ("image/jpeg", "image/png", "image/webp", "image/heic")
    return facts


def main(seed: str, first: str, last: str) -> None:
    apart.limit_this_process(seconds=1_000, memory_bytes=1 << 30)
    out = io.TextIOWrapper(sys.stdout.buffer, write_through=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        for number in range(int(first), int(last)):
            out.write(f"{number} ")
            path.write_bytes(mutated(int(seed), number))
            try:
                out.write(f"{judged(path)}\n")
            except Exception as error:  # noqa: BLE001 -- this is what is looked for
                out.write(f"WRONG: {type(error).__name__}: {str(error)[:200]!r}\n")


if __name__ == "__main__":
    if sys.argv[1] == "--write":
        Path(sys.argv[4]).write_bytes(mutated(int(sys.argv[2]), int(sys.argv[3])))
    else:
        main(*sys.argv[1:])
