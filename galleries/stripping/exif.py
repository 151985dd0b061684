"""The two facts of EXIF without which a picture looks otherwise (Exif 3.0, sections 4.6.2 and 4.6.5; DCF 2.0).

Which way the camera was held; and that its colours are Adobe RGB, which cameras say by the name R03 alone, without a
profile. Nothing else of EXIF is ever passed on.
"""

import struct
from typing import NamedTuple

PREFIX = b"Exif\0\0"
_ORIENTATION, _EXIF, _COLOUR_SPACE, _INTEROPERABILITY, _NAME = 0x0112, 0x8769, 0xA001, 0xA005, 0x0001
_ASCII, _SHORT, _LONG = 2, 3, 4
_UNCALIBRATED, _ADOBE_RGB = 0xFFFF, b"R03\0"


class Facts(NamedTuple):
    """`orientation` is 1 to 8."""

    orientation: int
    is_adobe_rgb: bool


def reduced(block: bytes) -> bytes:
    """An EXIF block, without prefix, that says these facts of another; b"" where they go without saying."""
    return _written(read(block))


def read(block: bytes) -> Facts:
    """Of an EXIF block with or without its prefix. Whatever is not as it should be says nothing."""
    block = block.removeprefix(PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4], "")
    first = _directory(block, order, _number(block[4:8], order))
    value = _number(first.get(_ORIENTATION, b""), order)
    exif = _directory(block, order, _number(first.get(_EXIF, b""), order))
    names = _directory(block, order, _number(exif.get(_INTEROPERABILITY, b""), order))
    return Facts(value if 1 <= value <= 8 else 1, names.get(_NAME) == _ADOBE_RGB)


def _directory(block: bytes, order: str, at: int) -> dict[int, bytes]:
    """The values that stand in the entries themselves, by tag; the first of each."""
    found: dict[int, bytes] = {}
    for place in range(at + 2, at + 2 + 12 * _number(block[at : at + 2], order) if at else 0, 12):
        entry = block[place : place + 12]
        if len(entry) < 12:
            break
        tag, kind, count = struct.unpack_from(f"{order}HHI", entry)
        length = {(_SHORT, 1): 2, (_LONG, 1): 4, (_ASCII, 4): 4}.get((kind, count), 0)
        found.setdefault(tag, entry[8 : 8 + length])
    return found


def _number(digits: bytes, order: str) -> int:
    return int.from_bytes(digits, "little" if order == "<" else "big") if order else 0


def _written(facts: Facts) -> bytes:
    entries = [(_ORIENTATION, _SHORT, 1, facts.orientation << 16)] if facts.orientation != 1 else []
    if not facts.is_adobe_rgb:
        return _header() + _entries(entries) if entries else b""
    exif = 8 + len(_entries([*entries, (0, 0, 0, 0)]))
    names = exif + len(_entries([(0, 0, 0, 0)] * 2))
    colours = [(_COLOUR_SPACE, _SHORT, 1, _UNCALIBRATED << 16), (_INTEROPERABILITY, _LONG, 1, names)]
    said = _entries([(_NAME, _ASCII, 4, int.from_bytes(_ADOBE_RGB))])
    return _header() + _entries([*entries, (_EXIF, _LONG, 1, exif)]) + _entries(colours) + said


def _header() -> bytes:
    return struct.pack(">2sHI", b"MM", 42, 8)


def _entries(entries: list[tuple[int, int, int, int]]) -> bytes:
    return struct.pack(">H", len(entries)) + b"".join(struct.pack(">HHII", *each) for each in entries) + bytes(4)
