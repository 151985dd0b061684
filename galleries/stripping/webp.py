"""WebP by RFC 9649: chunks of a type, a length and a body of even length, in one RIFF.

Kept are pictures, their transparency, their frames and the colour profile; the header says what is there.
"""

import struct
from collections.abc import Iterator

from . import exif
from .pieces import MOST_PARTS, Draft, Odd, Piece, Source

_PICTURE = (b"VP8 ", b"VP8L")
_IN_FRAME = (b"ALPH", *_PICTURE)
_KEPT = (b"ICCP", b"ANIM", b"ANMF", *_IN_FRAME)
# Bits of VP8X (section 2.7.1.2).
_HAS_EXIF, _HAS_XMP, _RESERVED = 0x08, 0x04, 0xC1
_LONGEST_EXIF = 1 << 20
_FRAME_HEADER = 16


def pieces(source: Source) -> list[Piece]:
    """Raises Odd."""
    riff, size, webp = struct.unpack("<4sI4s", source.read(0, 12))
    if (riff, webp) != (b"RIFF", b"WEBP") or size < 4:
        raise Odd("it is no WebP")
    draft, turned = Draft(source), b""
    chunks = list(_chunks(source, 12, 8 + size))
    _check_counts([kind for kind, _, _ in chunks])
    for kind, at, length in chunks:
        if kind == b"EXIF" and not turned:
            turned = exif.reduced(source.read(at, min(length, _LONGEST_EXIF)))
        elif kind in _KEPT:
            _check(source, kind, at, length)
            draft.keep(at - 8, 8 + length + length % 2)
    header = _header(source, chunks, has_exif=bool(turned))
    # EXIF is heeded only where the header can say that it is there.
    if turned and header:
        draft.say(struct.pack("<4sI", b"EXIF", len(turned)) + turned)
    return draft.pieces(struct.pack("<4sI4s", b"RIFF", 4 + len(header) + draft.size, b"WEBP") + header)


def _check_counts(kinds: list[bytes]) -> None:
    """One picture, or frames; no decoder would show another, and so nobody would see what is in it."""
    pictures = sum(map(kinds.count, _PICTURE))
    if pictures != (0 if b"ANMF" in kinds else 1) or any(kinds.count(kind) > 1 for kind in (b"ICCP", b"ALPH", b"ANIM")):
        raise Odd("it does not have one picture")


def _chunks(source: Source, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, position and length of the bodies."""
    for _ in range(MOST_PARTS):
        if at >= end:
            return
        kind, length = struct.unpack("<4sI", source.read(at, 8))
        after = at + 8 + length + length % 2
        if after > end or after > source.size or (length % 2 and source.read(after - 1, 1) != b"\0"):
            raise Odd(f"a chunk {kind!r} does not end where it should")
        yield kind, at + 8, length
        at = after
    raise Odd("its chunks are too many")


def _header(source: Source, chunks: list[tuple[bytes, int, int]], *, has_exif: bool) -> bytes:
    """VP8X, where there is one, without what it says of metadata."""
    if not chunks or chunks[0][0] != b"VP8X":
        return b""
    _, at, length = chunks[0]
    if length != 10:
        raise Odd("its header has another length")
    flags, *rest = source.read(at, 10)
    flags &= ~(_HAS_EXIF | _HAS_XMP | _RESERVED)
    return struct.pack("<4sI", b"VP8X", 10) + bytes((flags | (_HAS_EXIF if has_exif else 0), 0, 0, 0, *rest[3:]))


def _check(source: Source, kind: bytes, at: int, length: int) -> None:
    """That a chunk is what it says: a picture has its signature, a frame holds pictures, a profile is one."""
    if kind == b"ANMF":
        for inner, place, size in _chunks(source, at + _FRAME_HEADER, at + length):
            if inner not in _IN_FRAME:
                raise Odd(f"a frame holds {inner!r}")
            _check(source, inner, place, size)
    elif kind == b"ANIM":
        _require(length == 6, kind)
    elif kind == b"VP8 ":
        _require(length > 10 and source.read(at + 3, 3) == b"\x9d\x01\x2a", kind)
    elif kind == b"VP8L":
        _require(length > 5 and source.read(at, 1) == b"\x2f", kind)
    elif kind == b"ICCP":
        _require(length >= 128 and source.read(at + 36, 4) == b"acsp", kind)


def _require(holds: bool, kind: bytes) -> None:
    if not holds:
        raise Odd(f"a chunk {kind!r} is not built as one")
