"""Boxes of ISO/IEC 14496-12, section 4.2, read with every length checked."""

from collections.abc import Iterator
from typing import NamedTuple

from .pieces import MOST_PARTS, Odd, Source


class Box(NamedTuple):
    """`start` and `length` are those of what is in it."""

    kind: bytes
    start: int
    length: int


class Reader:
    """Reads a part of a file from its beginning on. Raises Odd behind its end."""

    def __init__(self, source: Source, start: int = 0, length: int | None = None) -> None:
        self._source = source
        self.at = start
        self.end = source.size if length is None else start + length

    def part(self, box: Box) -> "Reader":
        return Reader(self._source, box.start, box.length)

    def take(self, length: int) -> bytes:
        if self.at + length > self.end:
            raise Odd("a box is too short")
        data = self._source.read(self.at, length)
        self.at += length
        return data

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width))

    def version_and_flags(self) -> tuple[int, int]:
        return self.number(1), self.number(3)

    def rest(self) -> bytes:
        return self.take(self.end - self.at)


def boxes(reader: Reader) -> Iterator[Box]:
    """The boxes from where the reader is to its end, which the reader has then reached."""
    for _ in range(MOST_PARTS):
        if reader.at == reader.end:
            return
        start = reader.at
        length, kind = reader.number(4), reader.take(4)
        if length == 1:
            length = reader.number(8)
        elif length == 0:
            length = reader.end - start
        if start + length > reader.end or start + length < reader.at:
            raise Odd(f"a box {kind!r} does not end where it should")
        yield Box(kind, reader.at, start + length - reader.at)
        reader.at = start + length
    raise Odd("its boxes are too many")
