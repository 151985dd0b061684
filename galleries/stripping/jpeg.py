"""JPEG by ITU-T T.81, annex B; JFIF 1.02; ICC.1 annex B.4; Adobe's APP14 as in Technical Note 5116.

Kept are the frame, its tables and scans, an ICC profile, and what says how the numbers become colours (JFIF, Adobe).
The picture ends at its own EOI: what follows is another picture, a film or a note.
"""

import re
import struct
from collections.abc import Callable

from . import exif
from .pieces import MOST_PARTS, Draft, Odd, Piece, Source

_SOI, _EOI, _SOS, _DHT, _DQT, _DRI, _DNL, _COM = 0xD8, 0xD9, 0xDA, 0xC4, 0xDB, 0xDD, 0xDC, 0xFE
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
# Baseline, extended and progressive: what decoders of photos read.
_FRAMES = (0xC0, 0xC1, 0xC2)
_ICC = b"ICC_PROFILE\0"
# In a scan 0xFF00 is a byte of it, 0xFFD0 to 0xFFD7 restart it, and 0xFFFF is a filling before a marker.
_MARKER_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_WINDOW_BYTES = 65_536
_MOST_FILLING = 64


def pieces(source: Source) -> list[Piece]:
    """Raises Odd."""
    if source.read(0, 2) != bytes((0xFF, _SOI)):
        raise Odd("it is no JPEG")
    segments, at = _Segments(source), 2
    for _ in range(MOST_PARTS):
        at = _marker(source, at)
        marker = source.read(at, 2)[1]
        if marker == _EOI:
            return segments.ended(at)
        (length,) = struct.unpack(">H", source.read(at + 2, 2))
        if length < 2:
            raise Odd("a segment has no length")
        segments.take(marker, at, source.read(at + 4, length - 2))
        at += 2 + length
        if marker == _SOS:
            end = _end_of_scan(source, at)
            segments.draft.keep(at, end - at)
            at = end
    raise Odd("its segments are too many")


def _marker(source: Source, at: int) -> int:
    """Where the marker stands that begins, behind any filling, at `at`."""
    for _ in range(_MOST_FILLING):
        first, second = source.read(at, 2)
        if first != 0xFF or second == 0:
            raise Odd(f"there is no marker at {at}")
        if second != 0xFF:
            return at
        at += 1
    raise Odd("it is filled up")


def _end_of_scan(source: Source, at: int) -> int:
    while len(window := source.window(at, _WINDOW_BYTES)) > 1:
        if found := _MARKER_AFTER_SCAN.search(window):
            return at + found.start()
        at += len(window) - 1
    raise Odd("it has no end")


class _Segments:
    """What is kept of the segments so far."""

    def __init__(self, source: Source) -> None:
        self.draft = Draft(source)
        self.draft.keep(0, 2)
        self._once: set[int] = set()
        self._profile: list[tuple[int, int]] = []
        self._scans = 0

    def take(self, marker: int, at: int, body: bytes) -> None:
        if marker in _NEEDED:
            self._take_needed(marker, at, body)
        elif marker == _APP2 and body.startswith(_ICC):
            self._take_profile(at, body)
        elif marker in _REDUCED:
            self._take_reduced(marker, at, body)
        elif not (_APP0 <= marker <= _APP15 or marker == _COM):
            raise Odd(f"it has a marker {marker:#x}")

    def _first(self, marker: int) -> bool:
        is_first = marker not in self._once
        self._once.add(marker)
        return is_first

    def _take_reduced(self, marker: int, at: int, body: bytes) -> None:
        start, shortest, reduced = _REDUCED[marker]
        if not body.startswith(start) or len(body) < shortest:
            return
        if self._first(marker):
            said = reduced(body)
            if said == _segment(marker, body):
                self.draft.keep(at, len(said))
            else:
                self.draft.say(said)
        elif marker == _APP14:
            raise Odd("it says twice what its colours are")

    def _take_needed(self, marker: int, at: int, body: bytes) -> None:
        if not _NEEDED[marker](body):
            raise Odd(f"its segment {marker:#x} is not built as one")
        if marker in _FRAMES and not self._first(_FRAMES[0]):
            raise Odd("it has two frames")
        if marker == _SOS:
            self._scans += 1
            if _FRAMES[0] not in self._once:
                raise Odd("a scan has no frame")
        self.draft.keep(at, 4 + len(body))

    def _take_profile(self, at: int, body: bytes) -> None:
        number, count = (*body[len(_ICC) :], 0, 0)[:2]
        self._profile.append((number, count))
        begins_well = body[len(_ICC) + 2 + 36 :].startswith(b"acsp")
        if (number, count) != (len(self._profile), self._profile[0][1]) or (number == 1 and not begins_well):
            raise Odd("its colour profile is not built as one")
        self.draft.keep(at, 4 + len(body))

    def ended(self, at: int) -> list[Piece]:
        if not self._scans or len(self._profile) != (self._profile[0][1] if self._profile else 0):
            raise Odd("it ends before all is said")
        self.draft.keep(at, 2)
        return self.draft.pieces()


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body


def _jfif(body: bytes) -> bytes:
    """Without its thumbnail."""
    return _segment(_APP0, body[:12] + b"\0\0")


def _exif(body: bytes) -> bytes:
    block = exif.reduced(body)
    return _segment(_APP1, exif.PREFIX + block) if block else b""


def _adobe(body: bytes) -> bytes:
    return _segment(_APP14, body[:12])


# How a segment begins that is passed on shortened, the fewest bytes it has, and what becomes of it.
_REDUCED: dict[int, tuple[bytes, int, Callable[[bytes], bytes]]] = {
    _APP0: (b"JFIF\0", 14, _jfif),
    _APP1: (exif.PREFIX, 0, _exif),
    _APP14: (b"Adobe", 12, _adobe),
}


# Whether a segment holds what it is to hold and nothing besides (T.81, B.2.2 to B.2.5).


def _is_frame(body: bytes) -> bool:
    return len(body) >= 6 and len(body) == 6 + 3 * body[5]


def _is_scan(body: bytes) -> bool:
    return len(body) >= 1 and 1 <= body[0] <= 4 and len(body) == 4 + 2 * body[0]


def _are_quantizers(body: bytes) -> bool:
    at = 0
    while at < len(body):
        precision, place = divmod(body[at], 16)
        if precision > 1 or place > 3:
            return False
        at += 65 + 64 * precision
    return at == len(body)


def _are_codes(body: bytes) -> bool:
    at = 0
    while at + 17 <= len(body):
        kind, place = divmod(body[at], 16)
        values = sum(body[at + 1 : at + 17])
        if kind > 1 or place > 3 or values > 256:
            return False
        at += 17 + values
    return at == len(body)


def _is_number(body: bytes) -> bool:
    return len(body) == 2


_NEEDED: dict[int, Callable[[bytes], bool]] = {
    **dict.fromkeys(_FRAMES, _is_frame),
    _SOS: _is_scan,
    _DQT: _are_quantizers,
    _DHT: _are_codes,
    _DRI: _is_number,
    _DNL: _is_number,
}
