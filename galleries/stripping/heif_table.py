"""The table of a HEIF file, written anew for the items that are kept (ISO/IEC 23008-12, sections 6 and 10)."""

import struct
from dataclasses import dataclass, field

from .pieces import Odd

_BRANDS = {b"heic", b"heix", b"mif1", b"mif2", b"miaf", b"MiHB", b"MiHE", b"MiHA"}
_PARAMETERS = range(32, 35)


@dataclass(frozen=True, slots=True)
class Property:
    kind: bytes
    body: bytes

    def reduced(self) -> "Property":
        """Without the notes that an encoder may leave beside its parameter sets."""
        return Property(self.kind, _parameter_sets(self.body)) if self.kind == b"hvcC" else self


@dataclass(frozen=True, slots=True)
class Item:
    """`start` and `length` are those of its bytes among all that are kept; or it is described in a few, `inside`."""

    number: int
    kind: bytes
    hidden: bool
    properties: list[tuple[Property, bool]]
    start: int
    length: int
    inside: bytes


@dataclass
class Table:
    """`brands` is the body of the original's ftyp."""

    primary: int
    brands: bytes
    items: list[Item] = field(default_factory=list)
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)


def written(table: Table, media_bytes: int) -> bytes:
    """All that stands before the bytes of the items, which are `media_bytes` long. Raises Odd."""
    try:
        begin, media = _ftyp(table.brands), struct.pack(">I4s", 8 + media_bytes, b"mdat")
        before = len(begin) + len(_meta(table, 0)) + len(media)
        return begin + _meta(table, before) + media
    except struct.error as error:
        raise Odd("its numbers are too large") from error


def _ftyp(brands: bytes) -> bytes:
    major = brands[:4] if brands[:4] in _BRANDS else b"mif1"
    compatible = [brands[at : at + 4] for at in range(8, len(brands) - 3, 4)]
    return _box(b"ftyp", major, bytes(4), *dict.fromkeys(brand for brand in compatible if brand in _BRANDS))


def _meta(table: Table, before: int) -> bytes:
    handler = _full_box(b"hdlr", bytes(4), b"pict", bytes(13))
    primary = _full_box(b"pitm", struct.pack(">H", table.primary))
    inside = b"".join(item.inside for item in table.items)
    rest = [_locations(table.items, before), _kinds(table.items), _properties(table.items), _references(table)]
    return _full_box(b"meta", handler, primary, *rest, _box(b"idat", inside) if inside else b"")


def _locations(items: list[Item], before: int) -> bytes:
    entries, at = [], 0
    for item in items:
        if item.inside:
            entries.append(struct.pack(">HHHHII", item.number, 1, 0, 1, at, len(item.inside)))
            at += len(item.inside)
        else:
            extents = struct.pack(">HII", 1, before + item.start, item.length) if item.length else struct.pack(">H", 0)
            entries.append(struct.pack(">HHH", item.number, 0, 0) + extents)
    return _full_box(b"iloc", struct.pack(">HH", 0x4400, len(items)), *entries, version=1)


def _kinds(items: list[Item]) -> bytes:
    entries = (
        _full_box(b"infe", struct.pack(">HH4sB", item.number, 0, item.kind, 0), version=2, flags=int(item.hidden))
        for item in items
    )
    return _full_box(b"iinf", struct.pack(">H", len(items)), *entries)


def _properties(items: list[Item]) -> bytes:
    known = list(dict.fromkeys(each for item in items for each, _ in item.properties))
    if len(known) > 0x7FFF:
        raise Odd("its properties are too many")
    places = {each: place for place, each in enumerate(known, 1)}
    entries = [
        struct.pack(">HB", item.number, len(item.properties))
        + b"".join(struct.pack(">H", essential << 15 | places[each]) for each, essential in item.properties)
        for item in items
    ]
    container = _box(b"ipco", *(_box(each.kind, each.body) for each in known))
    return _box(b"iprp", container, _full_box(b"ipma", struct.pack(">I", len(items)), *entries, flags=1))


def _references(table: Table) -> bytes:
    if not table.references:
        return b""
    entries = (
        _box(kind, struct.pack(f">HH{len(targets)}H", item, len(targets), *targets))
        for kind, item, targets in table.references
    )
    return _full_box(b"iref", *entries)


def _parameter_sets(body: bytes) -> bytes:
    """Of an HEVC configuration (14496-15, section 8.3.2.1)."""
    arrays, kept, at = (*body[22:23], 0)[0], [], 23
    for _ in range(arrays):
        start, kind = at, (*body[at : at + 1], 0)[0] & 63
        count = int.from_bytes(body[at + 1 : at + 3])
        at += 3
        for _ in range(count):
            at += 2 + int.from_bytes(body[at : at + 2])
            if at > len(body):
                break
        if kind in _PARAMETERS:
            kept.append(body[start:at])
    if arrays == 0 or at != len(body):
        raise Odd("how it is coded is not surely understood")
    return body[:22] + bytes((len(kept),)) + b"".join(kept)


def _box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def _full_box(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)
