"""Deterministic zips of stored entries: layout, exact length, any byte range; and the Range header.

Nothing is built on disk or in memory: a zip is a function of its frozen list of entries. Pure: no ORM, no Django;
sources are opened by the caller.

The list is frozen in sections, each packed with its headers ready to be sent and its position in the zip, so that any
range is found without looking at what lies before it, and one section at a time is in memory.
"""

import hashlib
import re
import struct
import unicodedata
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Protocol, Self

from zlib_ng.zlib_ng import crc32 as quick_crc32

from galleries.zip_format import central_header, end_records, local_header

# Small entries are sent together with what follows; a system call for each of 70,000 would cost seconds. Half of this
# sends them a sixth slower, twice as much is a tenth quicker, and 20 slow phones would hold 30 MB instead of 15.
_JOIN_BYTES = 512 * 1024
# Packed and compressed about 60 KB: what a stream holds, and what a range reads to begin.
SECTION_ENTRIES = 1_000


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


@dataclass(frozen=True, slots=True)
class Outline:
    """What is known of a zip without its sections. Positions are those of the central directory's first and last byte.

    `etag` is strong and quoted: equal for equal bytes, as long as nothing else is ever stored under a key.
    """

    count: int
    directory: int
    directory_end: int
    etag: str


class Section(Protocol):
    """Some entries in a row. `start` is the position of the first one's local header in the zip, `directory_start` that
    of its central header in the directory.
    """

    @property
    def start(self) -> int: ...
    @property
    def directory_start(self) -> int: ...
    def read(self) -> bytes:
        """What `freeze` packed."""
        ...


@dataclass(frozen=True, slots=True)
class FrozenSection:
    start: int
    directory_start: int
    packed: bytes = field(repr=False)

    def read(self) -> bytes:
        return self.packed


def freeze(entries: Iterable[Entry]) -> tuple[Outline, list[FrozenSection]]:
    """Raises ValueError for an entry that cannot be one."""
    position = directory = count = 0
    sections, digest, rest = [], hashlib.sha256(), iter(entries)
    while batch := list(islice(rest, SECTION_ENTRIES)):
        start, directory_start, records = position, directory, bytearray()
        for entry in batch:
            _check(entry)
            header = local_header(entry.name, entry.size, entry.crc32, entry.modified)
            records += _record(entry, header)
            directory += len(central_header(header, entry.size, position))
            position += len(header) + entry.size
        digest.update(records)
        count += len(batch)
        sections.append(FrozenSection(start, directory_start, zlib.compress(records, 1)))
    return Outline(count, position, position + directory, f'"{digest.hexdigest()[:32]}"'), sections


class Layout:
    """Where every byte of the zip of these entries stands. Raises ValueError for an entry that cannot be one."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._arrange(*freeze(entries))

    @classmethod
    def of_frozen(cls, outline: Outline, sections: Sequence[Section]) -> Self:
        layout = cls.__new__(cls)
        layout._arrange(outline, sections)
        return layout

    def _arrange(self, outline: Outline, sections: Sequence[Section]) -> None:
        self._outline, self._sections = outline, sections
        self._end = end_records(outline.count, outline.directory, outline.directory_end)
        self.length = outline.directory_end + len(self._end)
        self.etag = outline.etag

    def segments(self, start: int, stop: int) -> Iterator[bytes | Span]:
        """The bytes from `start` up to but not including `stop`, as literals and spans of sources."""
        return (segment for _, segment in self._owned_segments(start, stop))

    def _owned_segments(self, start: int, stop: int) -> Iterator[tuple["_Content | None", bytes | Span]]:
        """With the content of the entry that a segment is of."""
        for position, content, part in self._parts(start):
            if position >= stop:
                return
            length = _length(part)
            if position < start or position + length > stop:
                part = _slice(part, start - position, stop - position)
                length = _length(part)
            if length:
                yield content, part

    def _parts(self, start: int) -> Iterator[tuple[int, "_Content | None", bytes | Span]]:
        """Headers and pieces with their positions, uncut, from the entry or section that holds `start`."""
        if start < self._outline.directory:
            yield from self._entries(start)
        yield from self._directory(start)

    def _entries(self, start: int) -> Iterator[tuple[int, "_Content | None", bytes | Span]]:
        for section in self._from(start, lambda section: section.start):
            position = section.start
            for content, header, pieces in _unpacked(section.read()):
                inside = position + len(header)
                end = inside + content[1]
                if end > start:
                    yield position, None, header
                    for piece in _pieces(pieces):
                        yield inside, content, piece
                        inside += _length(piece)
                position = end

    def _directory(self, start: int) -> Iterator[tuple[int, None, bytes]]:
        directory = self._outline.directory
        for section in self._from(start - directory, lambda section: section.directory_start):
            position, of_entry = directory + section.directory_start, section.start
            for (_, size), header, _ in _unpacked(section.read()):
                central = central_header(header, size, of_entry)
                yield position, None, central
                position += len(central)
                of_entry += len(header) + size
        yield self._outline.directory_end, None, self._end

    def _from(self, start: int, place: Callable[[Section], int]) -> Iterator[Section]:
        """The sections from the one that holds `start` on."""
        first = bisect_right(self._sections, start, key=place) - 1
        return islice(self._sections, max(0, first), None)


def stream(layout: Layout, start: int, stop: int, open_span: Callable[[Span], Iterable[bytes]]) -> Iterator[bytes]:
    """The bytes from `start` up to but not including `stop`.

    Raises BrokenSource in the middle when a source fails, gives more or fewer bytes than its span has, or when an entry
    that was streamed whole does not have its CRC-32.
    """
    waiting: list[bytes] = []
    size = 0
    for chunk in _checked_chunks(layout, start, stop, open_span):
        waiting.append(chunk)
        size += len(chunk)
        if size >= _JOIN_BYTES:
            joined = b"".join(waiting)
            # Before it is sent: while a slow phone takes it, nothing is held twice.
            waiting.clear()
            size = 0
            yield joined
    if waiting:
        yield b"".join(waiting)


def _checked_chunks(
    layout: Layout, start: int, stop: int, open_span: Callable[[Span], Iterable[bytes]]
) -> Iterator[bytes]:
    seen = crc32 = 0
    for content, segment in layout._owned_segments(start, stop):
        if content is None:
            seen = crc32 = 0
            yield from _chunks(segment, open_span)
            continue
        for chunk in _chunks(segment, open_span):
            seen += len(chunk)
            # By zlib-ng: the standard library's takes a third of the time that sending a file takes.
            crc32 = quick_crc32(chunk, crc32)
            if seen == content[1] and crc32 != content[0]:
                raise BrokenSource(f"{segment!r} is not what its CRC-32 says")
            yield chunk


def _chunks(segment: bytes | Span, open_span: Callable[[Span], Iterable[bytes]]) -> Iterable[bytes]:
    return (segment,) if isinstance(segment, bytes) else _counted(segment, open_span)


def _counted(span: Span, open_span: Callable[[Span], Iterable[bytes]]) -> Iterator[bytes]:
    missing = span.length
    try:
        for chunk in open_span(span):
            missing -= len(chunk)
            if missing < 0:
                break
            yield chunk
    except Exception as error:
        raise BrokenSource(f"{span.key} failed") from error
    if missing:
        raise BrokenSource(f"{span.key} gave {span.length - missing} bytes, not {span.length}")


# How entries are packed: CRC-32 and size, the local header as it is sent, and the pieces.

_Content = tuple[int, int]  # CRC-32, bytes
_RECORD = struct.Struct("<IQHI")
_PIECE = struct.Struct("<HQQ")
_LITERAL = 0xFFFF  # where the length of a key would stand


def _record(entry: Entry, header: bytes) -> bytes:
    pieces = b"".join(map(_packed_piece, entry.pieces))
    return _RECORD.pack(entry.crc32, entry.size, len(header), len(pieces)) + header + pieces


def _packed_piece(piece: bytes | Span) -> bytes:
    if isinstance(piece, bytes):
        return _PIECE.pack(_LITERAL, 0, len(piece)) + piece
    key = piece.key.encode()
    return _PIECE.pack(len(key), piece.offset, piece.length) + key


def _unpacked(packed: bytes) -> Iterator[tuple[_Content, bytes, bytes]]:
    """Content, local header and packed pieces of each entry."""
    records, at = zlib.decompress(packed), 0
    while at < len(records):
        crc32, size, header_length, pieces_length = _RECORD.unpack_from(records, at)
        header = at + _RECORD.size
        pieces = header + header_length
        at = pieces + pieces_length
        yield (crc32, size), records[header:pieces], records[pieces:at]


def contents(packed: bytes) -> list[tuple[int, int]]:
    """CRC-32 and size of each entry of a packed section. Raises ValueError where it is not as `freeze` packed it."""
    try:
        return [content for content, _, _ in _unpacked(packed)]
    except (zlib.error, struct.error) as error:
        raise ValueError("not a packed section") from error


def _pieces(packed: bytes) -> Iterator[bytes | Span]:
    at = 0
    while at < len(packed):
        key_length, offset, length = _PIECE.unpack_from(packed, at)
        at += _PIECE.size
        if key_length == _LITERAL:
            yield packed[at : at + length]
            at += length
        else:
            yield Span(packed[at : at + key_length].decode(), offset, length)
            at += key_length


def spans(key: str, pieces: Iterable[bytes | tuple[int, int]]) -> tuple[bytes | Span, ...]:
    """Pieces of a file, literals and (offset, length), as pieces of what is stored under `key`."""
    return tuple(piece if isinstance(piece, bytes) else Span(key, *piece) for piece in pieces)


def cut(pieces: Iterable[bytes | Span], start: int, stop: int) -> Iterator[bytes | Span]:
    """The bytes from `start` up to but not including `stop` of what the pieces are one after the other."""
    position = 0
    for piece in pieces:
        if _length(part := _slice(piece, start - position, stop - position)) > 0:
            yield part
        position += _length(piece)


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


class UniqueNames:
    """Gives each name once: "a.jpg" for the second time is "a (2).jpg".

    Unique also where a file system folds case and Unicode forms (Windows, macOS), and no file is named like one of the
    `folders`, which are said beforehand. Linear: every number is tried once a name.
    """

    def __init__(self, folders: Iterable[str]) -> None:
        self._taken: set[str] = set()
        self._next_number: dict[str, int] = {}
        for folder in folders:
            self._taken.update(_folded(folder[: m.start()]) for m in re.finditer("/|$", folder))

    def unique(self, name: str) -> str:
        candidate, key = name, _folded(name)
        folded = key
        number = self._next_number.get(key, 2)
        while folded in self._taken:
            candidate = _numbered(name, number)
            folded = _folded(candidate)
            number += 1
        if number > 2:
            self._next_number[key] = number
        self._taken.add(folded)
        return candidate


def unique_names(names: Iterable[str]) -> list[str]:
    """The same names in the same order, each once."""
    names = list(names)
    unique = UniqueNames({name.rpartition("/")[0] for name in names} - {""})
    return [unique.unique(name) for name in names]


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
