"""Deterministic zips of stored entries: layout, exact length, any byte range; and the Range header.

Nothing is built on disk or in memory: a zip is a function of its frozen list of entries. The format is PKWARE's
APPNOTE.TXT 6.3.10, with ZIP64 only where a number needs it. Pure: no ORM, no Django; sources are opened by the caller.
"""

import hashlib
import re
import struct
import unicodedata
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import accumulate

# Beyond these a field holds all ones and the true number stands in a ZIP64 record.
_MOST_32 = 0xFFFFFFFF
_MOST_16 = 0xFFFF
_UTF8_NAMES = 0x0800
_VERSION, _VERSION_ZIP64 = 20, 45
_MADE_ON_UNIX = 3 << 8
_REGULAR_FILE = 0o100644 << 16
_EARLIEST, _LATEST = datetime(1980, 1, 1), datetime(2107, 12, 31, 23, 59, 58)  # noqa: DTZ001 -- a zip knows no zone
# Small literals are sent together with what follows; a system call for each of 70,000 would cost seconds.
_JOIN_BYTES = 64 * 1024


class BrokenSource(Exception):
    """A source of the zip failed, ended too early, or was not what its CRC-32 says; the zip must not be completed."""


@dataclass(frozen=True, slots=True)
class Span:
    """`length` bytes from `offset` of what is stored under `key`."""

    key: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a zip: its bytes are `pieces` one after the other, `size` bytes in all.

    `name` is a relative path with "/", such as `unique_names` gives. `modified` is the camera's clock, naive.
    """

    name: str
    size: int
    crc32: int
    modified: datetime | None
    pieces: tuple[Span | bytes, ...]


class Layout:
    """Where every byte of the zip of these entries stands. Raises ValueError for an entry that cannot be one."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = tuple(entries)
        for entry in self._entries:
            _check(entry)
        lengths = (len(_local_header(entry)) + entry.size for entry in self._entries)
        self._starts = array("Q", accumulate(lengths, initial=0))
        lengths = (
            len(_central_header(entry, start)) for entry, start in zip(self._entries, self._starts, strict=False)
        )
        self._central_starts = array("Q", accumulate(lengths, initial=self._starts[-1]))
        self._end = _end_records(len(self._entries), self._starts[-1], self._central_starts[-1])
        self.length = self._central_starts[-1] + len(self._end)

    @cached_property
    def etag(self) -> str:
        """Strong and quoted: equal for equal bytes, as long as nothing else is ever stored under a key."""
        digest = hashlib.sha256()
        for entry in self._entries:
            digest.update(_local_header(entry) + repr(entry.pieces).encode())
        return f'"{digest.hexdigest()[:32]}"'

    def segments(self, start: int, stop: int) -> Iterator[bytes | Span]:
        """The bytes from `start` up to but not including `stop`, as literals and spans of sources."""
        return (segment for _, segment in self._owned_segments(start, stop))

    def _owned_segments(self, start: int, stop: int) -> Iterator[tuple[Entry | None, bytes | Span]]:
        """With the entry whose content a segment is."""
        for position, entry, part in self._parts(start):
            if position >= stop:
                return
            segment = _slice(part, start - position, stop - position)
            if _length(segment):
                yield entry, segment

    def _parts(self, start: int) -> Iterator[tuple[int, Entry | None, bytes | Span]]:
        """Headers and pieces with their positions, uncut, from the entry or header that holds `start`."""
        for index in range(max(0, bisect_right(self._starts, start) - 1), len(self._entries)):
            position, entry = self._starts[index], self._entries[index]
            header = _local_header(entry)
            yield position, None, header
            position += len(header)
            for piece in entry.pieces:
                yield position, entry, piece
                position += _length(piece)
        for index in range(max(0, bisect_right(self._central_starts, start) - 1), len(self._entries)):
            yield self._central_starts[index], None, _central_header(self._entries[index], self._starts[index])
        yield self._central_starts[-1], None, self._end


def stream(layout: Layout, start: int, stop: int, open_span: Callable[[Span], Iterator[bytes]]) -> Iterator[bytes]:
    """The bytes from `start` up to but not including `stop`.

    Raises BrokenSource in the middle when a source fails, gives more or fewer bytes than its span has, or when an entry
    that was streamed whole does not have its CRC-32.
    """
    waiting = bytearray()
    for chunk in _checked_chunks(layout, start, stop, open_span):
        if not waiting and len(chunk) >= _JOIN_BYTES:
            yield chunk
            continue
        waiting += chunk
        if len(waiting) >= _JOIN_BYTES:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


def _checked_chunks(
    layout: Layout, start: int, stop: int, open_span: Callable[[Span], Iterator[bytes]]
) -> Iterator[bytes]:
    seen = crc32 = 0
    for entry, segment in layout._owned_segments(start, stop):
        if entry is None:
            seen = crc32 = 0
        for chunk in _chunks(segment, open_span):
            if entry is not None:
                seen += len(chunk)
                crc32 = zlib.crc32(chunk, crc32)
                if seen == entry.size and crc32 != entry.crc32:
                    raise BrokenSource(f"{entry.name} is not what its CRC-32 says")
            yield chunk


def _chunks(segment: bytes | Span, open_span: Callable[[Span], Iterator[bytes]]) -> Iterator[bytes]:
    if isinstance(segment, bytes):
        yield segment
        return
    missing = segment.length
    try:
        for chunk in open_span(segment):
            missing -= len(chunk)
            if missing < 0:
                break
            yield chunk
    except Exception as error:
        raise BrokenSource(f"{segment.key} failed") from error
    if missing:
        raise BrokenSource(f"{segment.key} gave {segment.length - missing} bytes, not {segment.length}")


def _length(part: bytes | Span) -> int:
    return len(part) if isinstance(part, bytes) else part.length


def _slice(part: bytes | Span, start: int, stop: int) -> bytes | Span:
    """`part[start:stop]`, where `start` may lie before it and `stop` behind it."""
    start, stop = max(0, start), min(stop, _length(part))
    if isinstance(part, bytes):
        return part[start:stop]
    return Span(part.key, part.offset + start, max(0, stop - start))


def _check(entry: Entry) -> None:
    """Whoever unpacks a zip trusts its names; this is the one door through which they all pass."""
    if any(part in ("", ".", "..") for part in entry.name.split("/")) or re.search(r"[\\\0]", entry.name):
        raise ValueError(f"not a name for an entry: {entry.name!r}")
    if sum(map(_length, entry.pieces)) != entry.size:
        raise ValueError(f"the pieces of {entry.name!r} are not {entry.size} bytes")


def _common_fields(entry: Entry, numbers: tuple[int, ...]) -> bytes:
    """What the local and the central header share, from "version needed" to the length of the extra field."""
    version = _VERSION_ZIP64 if max(numbers) >= _MOST_32 else _VERSION
    size, name = min(entry.size, _MOST_32), entry.name.encode()
    clock, date = _dos_time(entry.modified)
    extra = _zip64_extra(numbers)
    fields = version, _UTF8_NAMES, 0, clock, date, entry.crc32, size, size, len(name), len(extra)
    return struct.pack("<5H3I2H", *fields)


def _local_header(entry: Entry) -> bytes:
    """APPNOTE 4.3.7, with sizes and CRC-32 in place, so that no data descriptor follows."""
    numbers = (entry.size, entry.size)
    return b"PK\3\4" + _common_fields(entry, numbers) + entry.name.encode() + _zip64_extra(numbers)


def _central_header(entry: Entry, start: int) -> bytes:
    """APPNOTE 4.3.12; `start` is the position of the local header."""
    numbers = (entry.size, entry.size, start)
    common = _common_fields(entry, numbers)
    made_by = struct.pack("<H", _MADE_ON_UNIX | int.from_bytes(common[:2], "little"))
    rest = struct.pack("<3H2I", 0, 0, 0, _REGULAR_FILE, min(start, _MOST_32))
    return b"PK\1\2" + made_by + common + rest + entry.name.encode() + _zip64_extra(numbers)


def _zip64_extra(numbers: tuple[int, ...]) -> bytes:
    """APPNOTE 4.5.3: only the numbers that do not fit their own fields, in this order."""
    large = [number for number in numbers if number >= _MOST_32]
    return struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""


def _end_records(count: int, start: int, stop: int) -> bytes:
    """APPNOTE 4.3.14 to 4.3.16, behind a central directory from `start` to `stop`."""
    size = stop - start
    end = struct.pack(
        "<4s4H2IH", b"PK\5\6", 0, 0, *[min(count, _MOST_16)] * 2, min(size, _MOST_32), min(start, _MOST_32), 0
    )
    if count < _MOST_16 and max(size, start) < _MOST_32:
        return end
    fields = 44, _MADE_ON_UNIX | _VERSION_ZIP64, _VERSION_ZIP64, 0, 0, count, count, size, start
    return struct.pack("<4sQ2H2I4Q", b"PK\6\6", *fields) + struct.pack("<4sIQI", b"PK\6\7", 0, stop, 1) + end


def _dos_time(moment: datetime | None) -> tuple[int, int]:
    """Time and date as MS-DOS packs them, in steps of two seconds from 1980 to 2107."""
    moment = min(max(moment or _EARLIEST, _EARLIEST), _LATEST)
    clock = moment.hour << 11 | moment.minute << 5 | moment.second // 2
    return clock, (moment.year - 1980) << 9 | moment.month << 5 | moment.day


def unique_names(names: Iterable[str]) -> list[str]:
    """The same names in the same order, "a.jpg" for the second time as "a (2).jpg".

    Unique also where a file system folds case and Unicode forms (Windows, macOS), and no file is named like a folder.
    Linear: every number is tried once a name.
    """
    names = list(names)
    taken = {_folded(name[:end]) for name in names for end in (m.start() for m in re.finditer("/", name))}
    next_number: dict[str, int] = {}
    unique = []
    for name in names:
        candidate, key = name, _folded(name)
        number = next_number.get(key, 2)
        while _folded(candidate) in taken:
            candidate = _numbered(name, number)
            number += 1
        next_number[key] = number
        taken.add(_folded(candidate))
        unique.append(candidate)
    return unique


def _folded(name: str) -> str:
    """Canonical caseless form, Unicode 15 section 3.13 (D145)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def _numbered(name: str, number: int) -> str:
    folder, slash, base = name.rpartition("/")
    stem, dot, suffix = base.rpartition(".")
    return f"{folder}{slash}{stem} ({number}){dot}{suffix}" if stem else f"{name} ({number})"


class Unsatisfiable:
    """The range begins behind the end: answer 416."""


def parse_range(header: str | None, length: int) -> tuple[int, int] | Unsatisfiable | None:
    """`Range` of RFC 9110 section 14 as (start, stop), `stop` not included, for a representation of `length` bytes.

    None means: send the whole. So for no header, several ranges, another unit, and whatever is malformed.
    """
    match = re.fullmatch(r"bytes=[ \t]*([0-9]{0,20})-([0-9]{0,20})[ \t]*", header or "", re.IGNORECASE)
    first, last = match.groups() if match else ("", "")
    if not first and not last:
        return None
    if not first:
        return (max(0, length - int(last)), length) if int(last) and length else Unsatisfiable()
    if last and int(last) < int(first):
        return None
    return (int(first), min(int(last) + 1, length) if last else length) if int(first) < length else Unsatisfiable()
