"""Pictures full of notes, in every format taken and in every place that a format has for them; each note is CANARY."""

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, PngImagePlugin

from galleries.stripping.heif_table import Item, Property, Table, written
from tests import pictures

CANARY = b"Zanzibar-4711"
_WORD = CANARY.decode()
_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator>http' + CANARY + b"</dc:creator></x:xmpmeta>"
_SEGMENTS = {
    0xE0: b"JFXX\0\x10" + CANARY,
    0xE1: b"http://ns.adobe.com/xmp/extension/\0" + CANARY,
    0xE2: b"MPF\0" + CANARY,
    0xE3: b"Meta\0\0" + CANARY,
    0xEB: b"JP" + CANARY,
    0xED: b"Photoshop 3.0\0" + b"8BIM\4\4\0\0" + struct.pack(">I", len(CANARY)) + CANARY,
    0xEF: CANARY,
    0xFE: CANARY,
}


@cache
def exif_block(orientation: int = 6) -> bytes:
    """With a name, a position, a maker's note, a time and a thumbnail."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x013B] = orientation, _WORD, _WORD
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 0x1D: _WORD})
    exif.get_ifd(0x8769).update({0x9003: "2026:06:20 18:30:00", 0x927C: CANARY, 0x9286: CANARY})
    return exif.tobytes() + pictures.jpeg(pictures.quadrants(), comment=CANARY)


def _picture(small: bool) -> pictures.Pixels:
    return pictures.quadrants() if small else pictures.portrait()


@cache
def jpeg(small: bool = False, **options: Any) -> bytes:
    facts = {"exif": exif_block(), "icc_profile": pictures.foreign_profile(), "comment": CANARY, "xmp": _XMP} | options
    whole = pictures.jpeg(_picture(small), **facts)
    thumbnail = bytes((1, 1)) + CANARY[:3]
    jfif = b"\xff\xd8" + _segment(0xE0, whole[6:18] + thumbnail)
    notes = b"".join(_segment(marker, body) for marker, body in _SEGMENTS.items())
    return jfif + notes + whole[20:] + pictures.jpeg(pictures.quadrants(), comment=CANARY) + CANARY


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body


def odd_jpeg() -> bytes:
    """With a note between its segments, which decoders forgive."""
    whole = pictures.jpeg(pictures.portrait())
    return whole[:20] + CANARY + whole[20:]


def between_scans() -> bytes:
    """A progressive JPEG with a note before each of its scans."""
    whole = pictures.jpeg(pictures.portrait(), progressive=True)
    return whole.replace(b"\xff\xda", _segment(0xFE, CANARY) + b"\xff\xda")


@cache
def png(small: bool = False) -> bytes:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Author", _WORD)
    notes.add_itxt("XML:com.adobe.xmp", _XMP.decode())
    notes.add(b"tIME", CANARY[:7])
    notes.add(b"caNa", CANARY)
    notes.add(b"zTXt", CANARY)
    facts = {"exif": exif_block(), "icc_profile": pictures.foreign_profile(), "dpi": (300, 300)}
    return pictures.png(Image.fromarray(_picture(small)), pnginfo=notes, **facts) + CANARY


def png_with(kind: bytes, body: bytes) -> bytes:
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    whole = pictures.png(pictures.quadrants())
    return whole[:33] + chunk + whole[33:]


@cache
def webp(small: bool = False, **options: Any) -> bytes:
    facts = {"exif": exif_block(), "icc_profile": pictures.foreign_profile(), "xmp": _XMP} | options
    whole = pictures.encoded(_picture(small), "WEBP", **facts)
    chunks = whole[12:] + struct.pack("<4sI", b"CANA", len(CANARY)) + CANARY + b"\0" * (len(CANARY) % 2)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WEBP") + chunks + CANARY


def webp_with_two() -> bytes:
    whole = pictures.webp(pictures.quadrants())
    return b"RIFF" + struct.pack("<I", 4 + 2 * len(whole[12:])) + b"WEBP" + whole[12:] * 2


@cache
def heic(small: bool = False, transparent: bool = False, **options: Any) -> bytes:
    """With a thumbnail and a second picture beside it, and boxes that nobody knows."""
    picture = Image.fromarray(_picture(small))
    if transparent:
        picture.putalpha(Image.fromarray(_picture(small)[:, :, 0]))
    file, buffer = pillow_heif.from_pillow(picture), io.BytesIO()
    file.add_from_pillow(Image.fromarray(pictures.quadrants()))
    for each in file:
        each.info["thumbnails"] = [128]  # type: ignore[assignment]  # a list is what it takes
    facts = {"exif": exif_block(), "xmp": _XMP, "icc_profile": pictures.foreign_profile()} | options
    file.save(buffer, save_all=True, primary_index=0, **facts)
    box = struct.pack(">I4s", 24 + len(CANARY), b"uuid") + bytes(16) + CANARY
    return buffer.getvalue() + box


def _bare_heic(picture: pictures.Pixels) -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(picture)).save(buffer, quality=92)
    return buffer.getvalue()


@cache
def tiled_heic(small: bool = False) -> bytes:
    """Two tiles side by side, as telephones write large pictures, and a note in each of them and behind them."""
    picture = pictures.quadrants(128, 128) if small else pictures.portrait()
    edge = len(picture)
    tiles = [_bare_heic(picture), _bare_heic(np.ascontiguousarray(picture[:, ::-1]))]
    coded = [tile[tile.index(b"mdat") + 4 :] for tile in tiles]
    # A message of the encoder's (SEI), which no decoder shows.
    coded = [struct.pack(">IH", 2 + len(CANARY), 39 << 9 | 1) + CANARY + each for each in coded]
    kinds = {kind: tiles[0][tiles[0].index(kind) - 4 :] for kind in (b"hvcC", b"ispe")}
    bodies = {kind: box[8 : int.from_bytes(box[:4])] for kind, box in kinds.items()}
    properties = [(Property(kind, body), kind == b"hvcC") for kind, body in bodies.items()]
    whole = Property(b"ispe", struct.pack(">III", 0, 2 * edge, edge))
    grid = Item(1, b"grid", False, [(whole, False)], 0, 0, struct.pack(">BBBBHH", 0, 0, 0, 1, 2 * edge, edge))
    items = [grid, Item(2, b"hvc1", True, properties, 0, len(coded[0]), b"")]
    items.append(Item(3, b"hvc1", True, properties, len(coded[0]), len(coded[1]), b""))
    table = Table(1, b"heic\0\0\0\0mif1heic" + CANARY, items, [(b"dimg", 1, [2, 3])])
    return written(table, sum(map(len, coded))) + b"".join(coded) + struct.pack(">I4s", 21, b"free") + CANARY


FILES: dict[str, Callable[[], bytes]] = {
    "JPEG": jpeg,
    "JPEG, progressive": lambda: jpeg(progressive=True),
    "JPEG, notes between scans": between_scans,
    "JPEG, restarts": lambda: jpeg(restart_marker_blocks=2),
    "PNG": png,
    "WebP": webp,
    "WebP, lossless": lambda: webp(lossless=True),
    "HEIC": heic,
    "HEIC, tiled": tiled_heic,
    "HEIC, transparent": lambda: heic(transparent=True),
}
