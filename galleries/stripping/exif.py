"""The one fact of EXIF that guests need: which way the camera was held (Exif 3.0, section 4.6.5.1.6)."""

import struct

PREFIX = b"Exif\0\0"
_TAG, _SHORT, _LONG = 0x0112, 3, 4


def orientation(block: bytes) -> int:
    """1 to 8, from an EXIF block with or without its prefix; 1 where it does not say."""
    block = block.removeprefix(PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return 1
    try:
        return _entry(block, order)
    except struct.error:
        return 1


def _entry(block: bytes, order: str) -> int:
    (directory,) = struct.unpack_from(f"{order}I", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, directory)
    for at in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", block, at)
        if tag == _TAG and kind in (_SHORT, _LONG) and values == 1:
            (value,) = struct.unpack_from(f"{order}{'H' if kind == _SHORT else 'I'}", block, at + 8)
            return value if 1 <= value <= 8 else 1
    return 1


def block_of(orientation: int) -> bytes:
    """An EXIF block, without a prefix, that says the orientation and nothing else; b"" for 1, which needs no saying."""
    if orientation == 1:
        return b""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, _TAG, _SHORT, 1, orientation, 0, 0)
