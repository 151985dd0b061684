"""PNG by its third edition (W3C, 2025), sections 5, 11 and 13: chunks of a length, a type, a body and a CRC-32.

Kept is what makes pixels and their colours; also the size of a pixel, which is no secret. Text, times, EXIF and
whatever is not known go, and so does what follows IEND.
"""

import struct
import zlib
from collections.abc import Callable

from . import exif
from .pieces import MOST_PARTS, Draft, Odd, Piece, Source

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LONGEST_PROFILE = 4 << 20
_LONGEST_EXIF = 1 << 20


def _exactly(*lengths: int) -> Callable[[int], bool]:
    return lambda length: length in lengths


def _at_most(longest: int) -> Callable[[int], bool]:
    return lambda length: length <= longest


_KEPT: dict[bytes, Callable[[int], bool]] = {
    b"IHDR": _exactly(13),
    b"PLTE": _at_most(768),
    b"IDAT": _at_most(1 << 31),
    b"IEND": _exactly(0),
    b"tRNS": _at_most(256),
    b"cHRM": _exactly(32),
    b"gAMA": _exactly(4),
    b"iCCP": _at_most(_LONGEST_PROFILE),
    b"sBIT": _at_most(4),
    b"sRGB": _exactly(1),
    b"cICP": _exactly(4),
    b"mDCV": _exactly(24),
    b"cLLI": _exactly(8),
    b"bKGD": _at_most(6),
    b"pHYs": _exactly(9),
    b"acTL": _exactly(8),
    b"fcTL": _exactly(26),
    b"fdAT": _at_most(1 << 31),
}
# Once in a file; of pixels, frames and what is dropped there may be several.
_SEVERAL = {b"IDAT", b"fcTL", b"fdAT"}


def pieces(source: Source) -> list[Piece]:
    """Raises Odd."""
    if source.read(0, 8) != _SIGNATURE:
        raise Odd("it is no PNG")
    draft, seen, at = Draft(source), set[bytes](), 8
    draft.keep(0, 8)
    for _ in range(MOST_PARTS):
        length, kind = struct.unpack(">I4s", source.read(at, 8))
        if (kind == b"IHDR") != (not seen) or (kind in seen and kind in _KEPT and kind not in _SEVERAL):
            raise Odd(f"a chunk {kind!r} is not in its place")
        if kind in (b"fcTL", b"fdAT") and b"acTL" not in seen:
            raise Odd("it has frames that nobody would see")
        if kind in _KEPT:
            _check(source, at, length, kind)
            draft.keep(at, 12 + length)
        elif kind == b"eXIf" and kind not in seen:
            draft.say(_exif(source.read(at + 8, min(length, _LONGEST_EXIF))))
        elif not kind[0] & 32:
            raise Odd(f"a chunk {kind!r} is needed, and not known")
        seen.add(kind)
        at += 12 + length
        if kind == b"IEND":
            return draft.pieces()
    raise Odd("its chunks are too many")


def _check(source: Source, at: int, length: int, kind: bytes) -> None:
    """Pixels too: decoders forgive a length that reaches over what follows."""
    if not _KEPT[kind](length):
        raise Odd(f"a chunk {kind!r} has {length} bytes")
    if source.crc32(at + 4, 4 + length) != int.from_bytes(source.read(at + 8 + length, 4)):
        raise Odd(f"a chunk {kind!r} is damaged")


def _exif(block: bytes) -> bytes:
    said = exif.reduced(block)
    chunk = b"eXIf" + said
    return struct.pack(">I", len(said)) + chunk + struct.pack(">I", zlib.crc32(chunk)) if said else b""
