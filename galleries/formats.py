"""What is taken: which formats, told by a file's first bytes so that no decoder but the right one ever sees it; and how
large it may be.
"""

import mmap
import os
import re
from dataclasses import dataclass
from typing import BinaryIO

TAKEN = "Pixora takes JPEG, PNG, WebP and HEIC."
HEAD_BYTES = 64


class ImageRejected(Exception):
    """The file is no picture that Pixora takes.

    `code` is one of empty_file, not_a_photo, unsupported_format, file_too_large, too_many_pixels, damaged;
    `detail` says it in words for a photographer.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may hold at most."""

    file_bytes: int
    pixels: int


@dataclass(frozen=True, slots=True)
class Format:
    """`extension` begins with its dot."""

    name: str
    content_type: str
    extension: str


JPEG = Format("JPEG", "image/jpeg", ".jpg")
PNG = Format("PNG", "image/png", ".png")
WEBP = Format("WebP", "image/webp", ".webp")
HEIC = Format("HEIC", "image/heic", ".heic")

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_RAW = "a camera's RAW file"
_OTHER_PICTURES = {
    b"GIF8": "a GIF",
    b"BM": "a BMP",
    b"II*\0": "a TIFF or a camera's RAW file",
    b"MM\0*": "a TIFF or a camera's RAW file",
    b"IIRO": _RAW,
    b"IIRS": _RAW,
    b"IIU\0": _RAW,
    b"FUJIFILMCCD-RAW": _RAW,
    b"8BPS": "a Photoshop file",
    b"\0\0\0\x0cjP  ": "a JPEG 2000",
    b"\0\0\0\x0cJXL ": "a JPEG XL",
    b"\xff\x0a": "a JPEG XL",
    b"\0\0\1\0": "an icon",
}


def format_of(head: bytes) -> Format:
    """The format of a file that begins with `head` (HEAD_BYTES of it). Raises ImageRejected."""
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        return _format_of_brand(head)
    for signature, words in _OTHER_PICTURES.items():
        if head.startswith(signature):
            raise ImageRejected("unsupported_format", f"This is {words}. {TAKEN}")
    raise ImageRejected("not_a_photo", f"This file is not a photo. {TAKEN}")


def _format_of_brand(head: bytes) -> Format:
    """`head` begins as an ISO base media file: HEIC, AVIF, Canon's RAW, or a video."""
    brand, compatible = head[8:12], head[16 : int.from_bytes(head[:4])]
    if brand in (b"avif", b"avis") or b"avif" in compatible:
        raise ImageRejected("unsupported_format", f"This is an AVIF. {TAKEN}")
    if brand in _HEIC_BRANDS:
        return HEIC
    if brand == b"crx ":
        raise ImageRejected("unsupported_format", f"This is {_RAW}. {TAKEN}")
    raise ImageRejected("not_a_photo", f"This file is a video, not a photo. {TAKEN}")


def file_too_large(limit: int) -> ImageRejected:
    """The refusal of a file beyond `limit` bytes, for whoever stops reading there."""
    return ImageRejected("file_too_large", f"The file is larger than {limit / 1_000_000:.0f} MB.")


def check_file_size(size: int, limits: Limits) -> None:
    """Raises ImageRejected."""
    if size == 0:
        raise ImageRejected("empty_file", "The file is empty.")
    if size > limits.file_bytes:
        raise file_too_large(limits.file_bytes)


def check_frames(kind: Format, frames: int) -> None:
    """Raises ImageRejected. A HEIC of several pictures is a camera's; its primary one is taken."""
    if frames > 1 and kind in (PNG, WEBP):
        raise ImageRejected("unsupported_format", f"This is an animation. {TAKEN}")


# Ten are usual, and no program makes more than some sixty; and its segments are some forty, and its metadata.
_MOST_SCANS, _MOST_SEGMENTS = 100, 3_000
# None of these stands alone or among the bits of a scan.
_SEGMENT = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_SCAN, _END = 0xDA, 0xD9


def check_scans(jpeg: BinaryIO) -> None:
    """A progressive JPEG is drawn scan by scan, each over all of the picture: one of 1 MB with 3,000 scans of nothing
    took 25 s. Raises ImageRejected.
    """
    with mmap.mmap(jpeg.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = 2
        scans = 0
        for _ in range(_MOST_SEGMENTS):
            found = _SEGMENT.search(data, at)
            if found is None or data[found.end() - 1] == _END:
                return
            scans += data[found.end() - 1] == _SCAN
            if scans > _MOST_SCANS:
                break
            at = found.end() + int.from_bytes(data[found.end() : found.end() + 2])
    raise ImageRejected("damaged", "The file is damaged or was not copied completely.")


class Patient:
    """A file that lets itself be read for a while, as far as Pillow asks: it reads a JPEG's markers and a PNG's chunks
    one by one, and 60 MB of nothing else took 20 s and 2 GB.

    Photos have hundreds; a PNG that its program wrote in pieces of a kilobyte has 180,000 reads.
    """

    def __init__(self, file: BinaryIO, reads: int = 300_000) -> None:
        self._file, self._left = file, reads
        self._bytes = os.fstat(file.fileno()).st_size
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """Raises ValueError."""
        if not self._left:
            raise ValueError("more parts than a picture has")
        self._left -= 1
        # A chunk may say that it has 4 GB, and room for all of them would be made before the first is read.
        return self._file.read(min(size, self._bytes))


def check_pixels(size: tuple[int, int], limits: Limits) -> None:
    """Raises ImageRejected."""
    width, height = size
    if width * height > limits.pixels:
        most = limits.pixels / 1_000_000
        detail = f"The picture has {width} x {height} pixels; at most {most:.0f} megapixels are taken."
        raise ImageRejected("too_many_pixels", detail)
