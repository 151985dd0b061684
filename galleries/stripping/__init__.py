"""What a guest gets of an original: the same picture to the bit, without the notes that are in the file.

A stored file's structure is read, never its pixels, and only what is surely understood is kept: so EXIF with its GPS
and thumbnail, XMP, IPTC, comments, maker's notes, further pictures and whatever is appended stay behind. The way the
camera was held and the colour profile are kept. Pure: no Django. What cannot be told from pixels without decoding them,
such as a mark drawn into the picture or bytes behind the last pixel of a compressed stream, is kept with them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zlib_ng.zlib_ng import crc32 as quick_crc32

from galleries import formats

from . import heif, jpeg, png, webp
from .pieces import Odd, Piece, Source, Stretch, length_of, pack, unpack

__all__ = ["Odd", "Piece", "Stretch", "Stripped", "length_of", "strip", "unpack"]

_READERS: Final[dict[formats.Format, Callable[[Source], list[Piece]]]] = {
    formats.JPEG: jpeg.pieces,
    formats.PNG: png.pieces,
    formats.WEBP: webp.pieces,
    formats.HEIC: heif.pieces,
}


@dataclass(frozen=True, slots=True)
class Stripped:
    """A file without its metadata: its pieces as `unpack` reads them, its length in bytes and its CRC-32."""

    packed: bytes
    size: int
    crc32: int


def strip(path: Path) -> Stripped:
    """Memory stays flat. Raises Odd for a file that is not surely understood, and OSError of the file system."""
    with path.open("rb") as file:
        source = Source(file)
        try:
            reader = _READERS[formats.format_of(source.window(0, formats.HEAD_BYTES))]
        except formats.ImageRejected as error:
            raise Odd(error.code) from error
        pieces = reader(source)
        crc32 = 0
        for piece in pieces:
            for chunk in (piece,) if isinstance(piece, bytes) else source.chunks(*piece):
                crc32 = quick_crc32(chunk, crc32)
    return Stripped(pack(pieces), sum(map(length_of, pieces)), crc32)
