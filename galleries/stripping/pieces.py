"""A file without its metadata, as pieces of the one it is made of: stretches of it, and small literals between them."""

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from zlib_ng.zlib_ng import crc32 as quick_crc32

# No picture has more segments, chunks or boxes; a hostile file of many tiny ones would take a worker's time.
MOST_PARTS = 65_536
MOST_PACKED_BYTES = 32_768
# What is written anew of a file's frame may take a little more than what it takes the place of.
_MOST_GROWTH_BYTES = 4_096
# Opening a file once more for so little would cost more than the row that holds it.
_SHORT_BYTES = 64
_CHUNK_BYTES = 1 << 18
_PIECE = struct.Struct("<qI")
_LITERAL = -1  # where the offset of a stretch would stand


class Odd(Exception):
    """The file is not built in a way that is surely understood, so nothing of it is to be passed on."""


class Stretch(NamedTuple):
    """`length` bytes of the original from `offset`."""

    offset: int
    length: int


Piece = Stretch | bytes


class Source:
    """A file that is read by position. Raises Odd behind its end, and OSError where the file system fails."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, 2)

    def read(self, offset: int, length: int) -> bytes:
        data = self.window(offset, length)
        if len(data) != length:
            raise Odd(f"it ends before {offset + length}")
        return data

    def window(self, offset: int, length: int) -> bytes:
        """As much of these bytes as there is."""
        self._file.seek(offset)
        return self._file.read(length)

    def chunks(self, offset: int, length: int) -> Iterator[bytes]:
        for at in range(0, length, _CHUNK_BYTES):
            yield self.read(offset + at, min(_CHUNK_BYTES, length - at))

    def crc32(self, offset: int, length: int) -> int:
        value = 0
        for chunk in self.chunks(offset, length):
            value = quick_crc32(chunk, value)
        return value


class Draft:
    """Pieces while they are put together: what touches is joined, and short stretches become literals."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pieces: list[Piece] = []
        self.size = 0

    def keep(self, offset: int, length: int) -> None:
        if offset + length > self._source.size:
            raise Odd(f"it ends before {offset + length}")
        self.size += length
        last = self._pieces[-1] if self._pieces else b""
        if isinstance(last, Stretch) and sum(last) == offset:
            self._pieces[-1] = Stretch(last.offset, last.length + length)
        elif length:
            self._pieces.append(Stretch(offset, length))

    def say(self, literal: bytes) -> None:
        self.size += len(literal)
        if literal:
            self._pieces.append(literal)

    def pieces(self, before: bytes = b"") -> list[Piece]:
        """What was put together, `before` in front of it. Raises Odd where it is more than a stripped file can be."""
        if self.size + len(before) > self._source.size + _MOST_GROWTH_BYTES:
            raise Odd("its parts overlap")
        joined: list[Piece] = [before]
        for piece in self._pieces:
            if isinstance(piece, Stretch) and piece.length <= _SHORT_BYTES:
                piece = self._source.read(*piece)
            last = joined[-1]
            if isinstance(piece, bytes) and isinstance(last, bytes):
                joined[-1] = last + piece
            else:
                joined.append(piece)
        return [piece for piece in joined if piece]


def length_of(piece: Piece) -> int:
    return piece.length if isinstance(piece, Stretch) else len(piece)


def pack(pieces: list[Piece]) -> bytes:
    """Raises Odd for more than a row is to hold."""
    packed = bytearray()
    for piece in pieces:
        if length_of(piece) >= 1 << 32:
            raise Odd("it is too large")
        packed += _PIECE.pack(*piece) if isinstance(piece, Stretch) else _PIECE.pack(_LITERAL, len(piece)) + piece
    if len(packed) > MOST_PACKED_BYTES:
        raise Odd("its parts are too many")
    return bytes(packed)


def unpack(packed: bytes) -> Iterator[Piece]:
    """Raises ValueError where it is not as `pack` packed it."""
    at = 0
    while at < len(packed):
        try:
            offset, length = _PIECE.unpack_from(packed, at)
        except struct.error as error:
            raise ValueError("not packed pieces") from error
        at += _PIECE.size
        if offset != _LITERAL:
            yield Stretch(offset, length)
            continue
        if at + length > len(packed):
            raise ValueError("not packed pieces")
        yield packed[at : at + length]
        at += length
