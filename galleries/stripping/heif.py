"""HEIF with HEVC pictures, by ISO/IEC 14496-12 (boxes), 23008-12 (items and their properties) and 14496-15 (HEVC).

Such a file is a table of items. The picture that is shown, the tiles it is made of and its transparency are kept, each
with the properties that decoding needs; the table is written anew with them alone. So thumbnails, depth, gain maps,
bursts, films, EXIF and XMP stay behind. The way the camera was held is a property (irot, imir), not EXIF, and is kept.
"""

from dataclasses import dataclass, field

from .heif_boxes import Box, Reader, boxes
from .heif_table import Item, Property, Table, written
from .pieces import MOST_PARTS, Draft, Odd, Piece, Source, Stretch

_LONGEST_META = 4 << 20
_MOST_ITEMS = 4_096
_MOST_MEDIA = 16
_CODED, _GRID, _SAME = b"hvc1", b"grid", b"iden"
_ALPHA = (b"urn:mpeg:hevc:2015:auxid:1\0", b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")
# Needed to decode and to show, with the bytes it has where that is fixed. Any other is dropped; where the file calls
# it essential, the picture is not understood.
_PROPERTIES = {
    b"hvcC": None, b"ispe": 12, b"pixi": None, b"colr": None, b"pasp": 8, b"clap": 32, b"irot": 1, b"imir": 1,
    b"auxC": None, b"clli": 4, b"mdcv": 24,
}  # fmt: skip
_LONGEST_DESCRIPTION = 4_096
# Of network units: slices and the parameter sets. What else there may be are notes (SEI) and fillings.
_SLICES, _PARAMETERS = range(32), range(32, 35)


@dataclass
class _Meta:
    """The file's table as it is read."""

    primary: int = 0
    kinds: dict[int, tuple[bytes, bool]] = field(default_factory=dict)
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)
    properties: list[Property] = field(default_factory=list)
    associations: dict[int, list[tuple[int, bool]]] = field(default_factory=dict)
    extents: dict[int, tuple[int, list[Stretch]]] = field(default_factory=dict)
    inside: bytes = b""


def pieces(source: Source) -> list[Piece]:
    """Raises Odd."""
    top = list(boxes(Reader(source)))
    media = [Stretch(each.start, each.length) for each in top if each.kind == b"mdat"]
    brands = _only(top, b"ftyp")
    box = _only(top, b"meta")
    if box.length > _LONGEST_META or len(media) > _MOST_MEDIA:
        raise Odd("it is too long to be read")
    meta = _read_meta(Reader(source).part(box))
    return _Picture(source, meta, media).pieces(source.read(brands.start, min(brands.length, 256)))


def _only(found: list[Box], kind: bytes) -> Box:
    ours = [box for box in found if box.kind == kind]
    if len(ours) != 1:
        raise Odd(f"it has {len(ours)} boxes {kind!r}")
    return ours[0]


def _read_meta(reader: Reader) -> _Meta:
    meta = _Meta()
    reader.version_and_flags()
    found = list(boxes(reader))
    meta.primary = _read_primary(reader.part(_only(found, b"pitm")))
    _read_kinds(reader.part(_only(found, b"iinf")), meta)
    _read_extents(reader.part(_only(found, b"iloc")), meta)
    _read_properties(reader.part(_only(found, b"iprp")), meta)
    for box in found:
        if box.kind == b"iref":
            _read_references(reader.part(box), meta)
        elif box.kind == b"idat":
            meta.inside = reader.part(box).rest()
    return meta


def _read_primary(reader: Reader) -> int:
    version, _ = reader.version_and_flags()
    return reader.number(4 if version else 2)


def _read_kinds(reader: Reader, meta: _Meta) -> None:
    version, _ = reader.version_and_flags()
    reader.number(4 if version else 2)
    for box in boxes(reader):
        entry = reader.part(box)
        version, flags = entry.version_and_flags()
        if box.kind != b"infe" or version not in (2, 3):
            continue
        item = entry.number(2 if version == 2 else 4)
        if item in meta.kinds or len(meta.kinds) >= _MOST_ITEMS:
            raise Odd("its items are not told apart")
        is_protected = entry.number(2)
        meta.kinds[item] = (b"" if is_protected else entry.take(4), bool(flags & 1))


def _read_extents(reader: Reader, meta: _Meta) -> None:
    version, _ = reader.version_and_flags()
    if version > 2:
        raise Odd("its items lie in an unknown way")
    widths = reader.number(2)
    of_offset, of_length, of_base, of_index = (widths >> shift & 15 for shift in (12, 8, 4, 0))
    # Numbers without width could be repeated for ever.
    if of_length not in (4, 8) or not {of_offset, of_base, of_index} <= {0, 4, 8}:
        raise Odd("its items lie in an unknown way")
    for _ in range(reader.number(4 if version == 2 else 2)):
        item = reader.number(4 if version == 2 else 2)
        method = reader.number(2) & 15 if version else 0
        elsewhere, base, extents = reader.number(2), reader.number(of_base), []
        for _ in range(reader.number(2)):
            reader.number(of_index if version else 0)
            extents.append(Stretch(base + reader.number(of_offset), reader.number(of_length)))
        # What is not of this file, or lies within another item, is nothing that a picture of ours is made of.
        meta.extents[item] = (method if not elsewhere else 2, extents)


def _read_properties(reader: Reader, meta: _Meta) -> None:
    for box in boxes(reader):
        part = reader.part(box)
        if box.kind == b"ipco":
            meta.properties += (Property(each.kind, part.part(each).rest()) for each in boxes(part))
        elif box.kind == b"ipma":
            _read_associations(part, meta)


def _read_associations(reader: Reader, meta: _Meta) -> None:
    version, flags = reader.version_and_flags()
    width = 2 if flags & 1 else 1
    for _ in range(reader.number(4)):
        item = reader.number(4 if version else 2)
        for _ in range(reader.number(1)):
            essential, index = divmod(reader.number(width), 1 << (8 * width - 1))
            meta.associations.setdefault(item, []).append((index, bool(essential)))


def _read_references(reader: Reader, meta: _Meta) -> None:
    version, _ = reader.version_and_flags()
    width = 4 if version else 2
    for box in boxes(reader):
        part = reader.part(box)
        item = part.number(width)
        meta.references.append((box.kind, item, [part.number(width) for _ in range(part.number(2))]))


class _Picture:
    """What is kept of a file, and where it lies."""

    def __init__(self, source: Source, meta: _Meta, media: list[Stretch]) -> None:
        self._source, self._meta, self._media = source, meta, media
        self._tiles = {item: targets for kind, item, targets in meta.references if kind == b"dimg"}
        self._units = 0
        self._kept = self._made_of(meta.primary)
        for kind, item, targets in meta.references:
            if kind == b"auxl" and targets == [meta.primary] and self._is_alpha(item):
                self._kept |= self._made_of(item)
        self._check_apart()

    def pieces(self, brands: bytes) -> list[Piece]:
        draft, table = Draft(self._source), Table(self._meta.primary, brands)
        for item in sorted(self._kept):
            self._add(item, draft, table)
        table.references = [
            (kind, item, targets)
            for kind, item, targets in self._meta.references
            if kind in (b"dimg", b"auxl") and item in self._kept and self._kept.issuperset(targets)
        ]
        return draft.pieces(written(table, draft.size))

    def _add(self, item: int, draft: Draft, table: Table) -> None:
        kind, hidden = self._meta.kinds[item]
        method, extents = self._meta.extents.get(item, (2, []))
        properties = self._properties_of(item)
        start, inside = draft.size, b""
        if kind == _CODED:
            size_width = _unit_width(properties)
            for extent in self._in_media(method, extents):
                for unit in self._picture_units(extent, size_width):
                    draft.keep(*unit)
        else:
            inside = self._description(kind, method, extents)
        table.items.append(Item(item, kind, hidden, properties, start, draft.size - start, inside))

    def _made_of(self, item: int) -> set[int]:
        """The item, and those that it is put together of."""
        made, waiting = set[int](), [item]
        while waiting:
            each = waiting.pop()
            if self._meta.kinds.get(each, (b"",))[0] not in (_CODED, _GRID, _SAME):
                raise Odd("its picture is of an unknown kind")
            if each not in made:
                made.add(each)
                waiting += self._tiles.get(each, ())
        return made

    def _is_alpha(self, item: int) -> bool:
        return any(each.kind == b"auxC" and each.body[4:] in _ALPHA for each, _ in self._named_properties(item))

    def _named_properties(self, item: int) -> list[tuple[Property, bool]]:
        known = self._meta.properties
        associated = [(index, essential) for index, essential in self._meta.associations.get(item, []) if index]
        if any(index > len(known) for index, _ in associated):
            raise Odd("it names a property that is not there")
        return [(known[index - 1], essential) for index, essential in associated]

    def _properties_of(self, item: int) -> list[tuple[Property, bool]]:
        found = self._named_properties(item)
        if any(essential and each.kind not in _PROPERTIES for each, essential in found):
            raise Odd("its picture cannot be shown without an unknown property")
        kept = [(each, essential) for each, essential in found if each.kind in _PROPERTIES]
        if not all(_is_sound(each) for each, _ in kept):
            raise Odd("a property is not built as one")
        return [(each.reduced(), essential) for each, essential in kept]

    def _check_apart(self) -> None:
        """No byte of a picture is also one of an item that is left behind, such as the notes."""
        ours = [(each, True) for item in self._kept for each in self._extents_in_file(item)]
        left = self._meta.extents.keys() - self._kept
        others = [(each, False) for item in left for each in self._extents_in_file(item)]
        reach, reach_of_ours = 0, 0
        for extent, is_ours in sorted(ours + others):
            if extent.offset < (reach if is_ours else reach_of_ours):
                raise Odd("its items overlap")
            reach = max(reach, sum(extent))
            reach_of_ours = max(reach_of_ours, sum(extent) if is_ours else 0)

    def _extents_in_file(self, item: int) -> list[Stretch]:
        method, extents = self._meta.extents.get(item, (2, []))
        return extents if method == 0 else []

    def _in_media(self, method: int, extents: list[Stretch]) -> list[Stretch]:
        for extent in extents:
            if method != 0 or not any(box.offset <= extent.offset and sum(extent) <= sum(box) for box in self._media):
                raise Odd("its picture does not lie where pictures do")
        return extents

    def _picture_units(self, extent: Stretch, width: int) -> list[Stretch]:
        """Those of the extent's network units that pixels are made of, each with its length before it."""
        at, end, units = extent.offset, sum(extent), []
        while at < end:
            self._units += 1
            if end - at < width + 2 or self._units > MOST_PARTS:
                raise Odd("its picture is not built as one")
            head = self._source.read(at, width + 1)
            length, kind = int.from_bytes(head[:width]), head[width] >> 1 & 63
            if length < 2 or at + width + length > end or head[width] & 128:
                raise Odd("its picture is not built as one")
            if kind in _SLICES or kind in _PARAMETERS:
                units.append(Stretch(at, width + length))
            at += width + length
        return units

    def _description(self, kind: bytes, method: int, extents: list[Stretch]) -> bytes:
        """Of how a picture is put together of others."""
        if sum(extent.length for extent in extents) > _LONGEST_DESCRIPTION or method > 1:
            raise Odd("how it is put together is not surely understood")
        if method == 1:
            said = b"".join(self._meta.inside[each.offset : sum(each)] for each in extents)
        else:
            said = b"".join(self._source.read(*each) for each in self._in_media(method, extents))
        if kind == _GRID and len(said) not in (8, 12):
            raise Odd("its tiles are not surely understood")
        if kind == _SAME and said:
            raise Odd("it says more than that it is the same")
        return said


def _is_sound(each: Property) -> bool:
    if each.kind == b"colr":
        return len(each.body) == 11 if each.body[:4] == b"nclx" else each.body[40:44] == b"acsp"
    length = _PROPERTIES[each.kind]
    return length is None or len(each.body) == length


def _unit_width(properties: list[tuple[Property, bool]]) -> int:
    """How many bytes say a network unit's length (14496-15, 8.3.2.1.2)."""
    widths = [(each.body[21] & 3) + 1 for each, _ in properties if each.kind == b"hvcC"]
    if len(widths) != 1:
        raise Odd("how it is coded is not said once")
    return widths[0]
