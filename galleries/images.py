"""Untrusted bytes -> upright RGB pixels and facts; limits; renditions. Only here is Pillow imported.

Run as a program (`python -m galleries.images`) it is the child of `decode_apart`; nothing of Django is loaded then.
"""

import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Protocol, cast

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, PngImagePlugin
from PIL.ExifTags import IFD, Base
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from galleries import apart, formats
from galleries.apart import DecoderFault
from galleries.formats import ImageRejected, Limits, file_too_large
from galleries.muted import muted
from galleries.names import clean_folder, clean_name

__all__ = [
    "DECODE_EDGE", "LOGO_TYPE", "PREVIEW_EDGE", "RENDITION_TYPE", "THUMB_EDGE", "Decoded", "DecoderFault", "Facts",
    "ImageRejected", "Logo", "Pixels", "Renditions", "clean_folder", "clean_name", "decode", "decode_apart",
    "decode_bounded", "encode", "face", "file_too_large", "inspect", "logo", "render",
]  # fmt: skip

Pixels = NDArray[np.uint8]

DECODE_EDGE = PREVIEW_EDGE = 2048
THUMB_EDGE = 480
# Some four times the pixels of the largest picture that is taken.
DECODER_BYTES = 2 << 30
# WebP took 15 times the CPU for half the bytes; a progressive JPEG takes 14 ms where this takes 5.6, for as many bytes.
RENDITION_TYPE = "image/jpeg"
RENDITION_QUALITY = 82
LOGO_EDGE = 600
FACE_EDGE, _FACE_MARGIN = 160, 1.5
LOGO_TYPE = "image/png"
# Below a transparent logo: white, or for a light one the ink of the pages, with a margin.
_PLATES, _PLATE_MARGIN = ((255, 255, 255), (29, 26, 22)), 0.08

# The limits on pixels are ours, and hold before a decoder starts. Pillow's would be a second one, with warnings.
Image.MAX_IMAGE_PIXELS = None
# 60 KB of a PNG may unpack to 64 MB of text, which nobody reads.
PngImagePlugin.MAX_TEXT_MEMORY = 8 << 20
# A HEIC is validated by decoding the picture itself, never a thumbnail that the file carries.
pillow_heif.options.THUMBNAILS = False
pillow_heif.options.DEPTH_IMAGES = False
pillow_heif.options.AUX_IMAGES = False
# Workers are one to a core already.
pillow_heif.options.DECODE_THREADS = 1


class _Opener(Protocol):
    def __call__(self, fp: BinaryIO) -> ImageFile.ImageFile: ...


_OPENERS: Final[dict[formats.Format, _Opener]] = {
    formats.JPEG: JpegImageFile,
    formats.PNG: PngImageFile,
    formats.WEBP: WebPImageFile,
    formats.HEIC: pillow_heif.HeifImageFile,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the header of a picture says. Width and height are upright; `taken_at` is the camera's clock, naive."""

    format: str
    content_type: str
    extension: str
    width: int
    height: int
    taken_at: datetime | None


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """`pixels` are (H, W, 3) np.uint8, RGB in sRGB, upright, contiguous.

    `width` and `height` are the upright original's.
    """

    pixels: Pixels
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Renditions:
    """`thumb` and `preview` are encoded as RENDITION_TYPE, without metadata. `colour` is the average, "#rrggbb"."""

    thumb: bytes
    preview: bytes
    colour: str


class Logo(NamedTuple):
    png: bytes
    width: int
    height: int


def inspect(path: Path) -> Facts:
    """Facts from the header alone; no pixel is decoded. Memory stays flat for JPEG and PNG, and below about twice the
    file's size for WebP and HEIC, whose readers take the whole file.

    Raises ImageRejected, and OSError when the file system fails.
    """
    with _opened(path, _limits()) as (kind, image):
        exif = _exif(image)
        width, height = _upright_size(image.size, _orientation(exif))
        return Facts(kind.name, kind.content_type, kind.extension, width, height, _taken_at(exif))


def decode(path: Path, longest_edge: int) -> Decoded:
    """Validate a picture by decoding it once; the longest edge of the pixels is at most `longest_edge`.

    A JPEG is scaled by its decoder, and left as it comes when its longest edge is then at least 7/8 of `longest_edge`:
    for a 12-megapixel camera 2016 instead of 2048 pixels at a quarter of the CPU time.

    Raises ImageRejected for what the bytes are, MemoryError and OSError for what the machine is.
    """
    return _decode(path, longest_edge, _limits())


def decode_bounded(path: Path, longest_edge: int, *, memory_bytes: int = DECODER_BYTES) -> Decoded:
    """The same as `decode`, and as quick, for a worker that does nothing else meanwhile; its memory is bounded."""
    with apart.at_most(memory_bytes):
        return decode(path, longest_edge)


def decode_apart(
    path: Path, longest_edge: int, *, seconds: int = 30, memory_bytes: int = DECODER_BYTES, on_plate: bool = False
) -> Decoded:
    """The same as `decode`, in a child process limited in memory (address space), CPU seconds and wall-clock seconds.
    What is transparent is put on white, or with `on_plate` on what sets it off.

    Raises what `decode` raises, and DecoderFault when the child died of the picture.
    """
    limits = _limits()
    facts = [path.absolute(), longest_edge, limits.file_bytes, limits.pixels, seconds, memory_bytes, int(on_plate)]
    answer, body = apart.run("galleries.images", facts, seconds=seconds)
    return Decoded(np.frombuffer(bytearray(body), np.uint8).reshape(answer["shape"]), answer["width"], answer["height"])


def logo(path: Path) -> Logo:
    """A logo, decoded apart and encoded anew, opaque, so that it looks the same on light and dark pages.

    Raises ImageRejected and DecoderFault.
    """
    decoded = decode_apart(path, LOGO_EDGE, seconds=10, on_plate=True)
    picture, buffer = Image.fromarray(decoded.pixels), io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return Logo(buffer.getvalue(), picture.width, picture.height)


def render(pixels: Pixels) -> Renditions:
    """Thumb and preview of upright RGB pixels, (H, W, 3) np.uint8, as JPEG of quality 82."""
    image = Image.fromarray(pixels)
    thumb = _scaled(image, THUMB_EDGE, gap=1.0)
    red, green, blue = np.asarray(thumb.resize((1, 1), Image.Resampling.BOX))[0, 0].tolist()
    return Renditions(_encoded(thumb), _encoded(_scaled(image, PREVIEW_EDGE)), f"#{red:02x}{green:02x}{blue:02x}")


def face(preview: bytes, x: float, y: float, width: float, height: float) -> bytes:
    """A square around a face of a preview of ours, encoded like it. The box is in fractions of the picture."""
    image = JpegImageFile(io.BytesIO(preview))
    wide, high = image.size
    side = min(_FACE_MARGIN * max(width * wide, height * high, 1), wide, high)
    left = min(max((x + width / 2) * wide - side / 2, 0), wide - side)
    top = min(max((y + height / 2) * high - side / 2, 0), high - side)
    image.draft("RGB", _fit(image.size, round(max(image.size) * min(1, FACE_EDGE / side))))
    scale = image.width / wide
    square = scale * left, scale * top, scale * (left + side), scale * (top + side)
    return _encoded(image.resize((FACE_EDGE, FACE_EDGE), Image.Resampling.HAMMING, box=square))


def encode(pixels: Pixels) -> bytes:
    """RGB pixels, (H, W, 3) np.uint8, as renditions are encoded, at their own size."""
    return _encoded(Image.fromarray(pixels))


def _limits() -> Limits:
    from django.conf import settings  # the child of decode_apart runs without Django

    return Limits(settings.PIXORA_MAX_FILE_BYTES, settings.PIXORA_MAX_PIXELS)


@contextmanager
def _opened(path: Path, limits: Limits) -> Iterator[tuple[formats.Format, ImageFile.ImageFile]]:
    """The picture with its header read and its size within the limits, no pixel decoded."""
    with path.open("rb") as file, muted:
        formats.check_file_size(os.fstat(file.fileno()).st_size, limits)
        kind = formats.format_of(file.read(formats.HEAD_BYTES))
        file.seek(0)
        # The readers of WebP and HEIC take the whole file, and hide the file system's errors behind their own.
        by_parts = kind in (formats.JPEG, formats.PNG)
        source = cast(BinaryIO, formats.Patient(file)) if by_parts else io.BytesIO(file.read())
        with _bad_bytes_are_damage():
            image = _OPENERS[kind](source)
        formats.check_pixels(image.size, limits)
        formats.check_frames(kind, getattr(image, "n_frames", 1))
        if kind == formats.JPEG and image.info.get("progressive"):
            formats.check_scans(file)
        yield kind, image


@contextmanager
def _bad_bytes_are_damage() -> Iterator[None]:
    """A decoder raises whatever bad bytes lead it to; the file system's errors carry an errno, the decoders' do not."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if (isinstance(error, OSError) and error.errno is not None) or _is_interruption(error):
            raise
        if "out of memory" in str(error):
            raise MemoryError(str(error)) from error
        raise ImageRejected("damaged", "The file is damaged or was not copied completely.") from error


def _is_interruption(error: Exception) -> bool:
    """What a worker that is to end meets wherever it is at that moment, and no fault of the picture."""
    from billiard.exceptions import SoftTimeLimitExceeded  # a tenth of a second, which most children need not spend

    return isinstance(error, SoftTimeLimitExceeded)


_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _exif(image: ImageFile.ImageFile) -> Image.Exif:
    """As the header carries it. `image.getexif()` would decode a PNG to look behind its pixels. Broken EXIF is none."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif") or b"")
        exif.get_ifd(IFD.Exif)
    except Exception:  # noqa: BLE001 -- a parser of hostile bytes; the picture is good without its EXIF
        return Image.Exif()
    return exif


def _orientation(exif: Image.Exif) -> int:
    """1 to 8. A HEIC says 1: its reader has turned the pixels already."""
    value = exif.get(Base.Orientation)
    return value if isinstance(value, int) and value in _TRANSPOSITIONS else 1


def _upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return size if orientation < 5 else (size[1], size[0])


def _taken_at(exif: Image.Exif) -> datetime | None:
    with suppress(ValueError):
        text = str(exif.get_ifd(IFD.Exif).get(Base.DateTimeOriginal, "")).strip("\0 ")
        taken = datetime.strptime(text, "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 -- the camera's clock has no offset
        # At the ends of the calendar a time zone would carry it out.
        return taken if datetime.min.year < taken.year < datetime.max.year else None  # noqa: DTZ901
    return None


def _decode(path: Path, longest_edge: int, limits: Limits, *, on_plate: bool = False) -> Decoded:
    with _opened(path, limits) as (_, image):
        orientation = _orientation(_exif(image))
        width, height = _upright_size(image.size, orientation)
        image.draft(None, _fit(image.size, longest_edge * 7 // 8))
        with _bad_bytes_are_damage():
            image.load()
        # A HEIC has the size that its stream says, which its header need not.
        formats.check_pixels(image.size, limits)
        picture = _scaled(_scalable(image), longest_edge)
        picture = _in_srgb(_on_plate(picture) if on_plate else picture, image.info.get("icc_profile"))
    if orientation in _TRANSPOSITIONS:
        picture = picture.transpose(_TRANSPOSITIONS[orientation])
    return Decoded(np.array(picture), width, height)


def _scalable(image: Image.Image) -> Image.Image:
    """In a mode whose pixels may be averaged: L, RGB, RGBA or CMYK."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    mode = image.mode if image.mode in ("L", "RGB", "CMYK") else "RGB"
    if image.has_transparency_data:
        mode = "RGBA"
    return image if image.mode == mode else image.convert(mode)


def _scaled(image: Image.Image, longest_edge: int, gap: float = 2.0) -> Image.Image:
    """Never larger than it was. Hamming: as sharp as bicubic when shrinking, at the price of bilinear.

    Pixels are averaged in whole squares first, down to `gap` times the size: 1 takes 3.6 ms where 2 takes 10, and is
    0.5 grey values from the full filter, which a thumb does not show.
    """
    size = _fit(image.size, longest_edge)
    return image if size == image.size else image.resize(size, Image.Resampling.HAMMING, reducing_gap=gap)


def _fit(size: tuple[int, int], longest_edge: int) -> tuple[int, int]:
    scale = min(1.0, longest_edge / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _on_plate(image: Image.Image) -> Image.Image:
    """Of a transparent picture: on white, or on ink where its own colours are light."""
    if image.mode != "RGBA":
        return image
    pixels = np.asarray(image).astype(np.float32)
    seen = pixels[..., 3].sum()
    brightness = (pixels[..., :3].mean(axis=2) * pixels[..., 3]).sum() / seen if seen else 0.0
    margin = round(max(image.size) * _PLATE_MARGIN)
    plate = Image.new("RGB", (image.width + 2 * margin, image.height + 2 * margin), _PLATES[int(brightness > 160)])
    plate.paste(image, (margin, margin), mask=image)
    return plate


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB in sRGB, what was transparent on white."""
    if image.mode == "RGBA":
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        image = white
    transform = _transform(profile, image.mode) if profile else None
    return transform.apply(image) if transform else image.convert("RGB")


_SRGB = ImageCms.createProfile("sRGB")


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """To sRGB; None when the profile is sRGB already (most are), broken, or not one for `mode`."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if (source.profile.profile_description or "").startswith(("sRGB IEC61966-2", "sRGB built-in")):
            return None
        return ImageCms.buildTransform(source, _SRGB, mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=RENDITION_QUALITY, optimize=True)
    return buffer.getvalue()


def _answer(path: Path, longest_edge: int, limits: Limits, *, on_plate: bool) -> tuple[dict[str, object], bytes]:
    try:
        decoded = _decode(path, longest_edge, limits, on_plate=on_plate)
    except ImageRejected as error:
        return {"rejected": {"code": error.code, "detail": error.detail}}, b""
    except MemoryError:
        return {"fault": "memory"}, b""
    except OSError as error:
        return {"error": [error.errno, error.strerror, error.filename]}, b""
    size = {"shape": decoded.pixels.shape, "width": decoded.width, "height": decoded.height}
    return size, decoded.pixels.tobytes()


def _main(
    path: str, longest_edge: str, file_bytes: str, pixels: str, seconds: str, memory_bytes: str, on_plate: str
) -> None:
    apart.limit_this_process(int(seconds), int(memory_bytes))
    most = Limits(int(file_bytes), int(pixels))
    header, body = _answer(Path(path), int(longest_edge), most, on_plate=on_plate == "1")
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + body)


if __name__ == "__main__":
    _main(*sys.argv[1:])
