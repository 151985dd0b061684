"""What a guest downloads of a photo: its original without metadata, or where that cannot surely be had, its preview."""

import logging
import zlib
from pathlib import Path
from typing import Any

from galleries import storage, stripping
from galleries.models import Photo

logger = logging.getLogger(__name__)


def look(photo: Photo, original: Path) -> stripping.Stripped | None:
    """Raises OSError when the file system fails. The owner is not told: their file is sound, and guests see no odds."""
    try:
        return stripping.strip(original)
    except stripping.Odd as odd:
        logger.info("Photo %s: guests get its preview, since %s.", photo.pk, odd)
        return None


def columns(stripped: stripping.Stripped | None, preview: bytes) -> dict[str, Any]:
    if stripped is None:
        return {"guest_pieces": None, "guest_size": len(preview), "guest_crc32": zlib.crc32(preview)}
    return {"guest_pieces": stripped.packed, "guest_size": stripped.size, "guest_crc32": stripped.crc32}


def contradiction(photo: Photo, *, quick: bool) -> str:
    """What is wrong with what the row of a photo says of this; "" where nothing is. Raises what the storage raises."""
    if photo.guest_pieces is None:
        as_preview = (photo.preview_size, photo.preview_crc32) == (photo.guest_size, photo.guest_crc32)
        return "" if as_preview else "it is not the preview"
    try:
        pieces = list(stripping.unpack(bytes(photo.guest_pieces)))
    except ValueError as error:
        return str(error)
    if sum(map(stripping.length_of, pieces)) != photo.guest_size:
        return f"its pieces are not {photo.guest_size} bytes"
    if any(isinstance(piece, stripping.Stretch) and sum(piece) > photo.size for piece in pieces):
        return "its pieces lie behind the original's end"
    return "" if quick or _crc32_of(photo, pieces) == photo.guest_crc32 else "its pieces have another CRC-32"


def _crc32_of(photo: Photo, pieces: list[stripping.Piece]) -> int:
    crc32 = 0
    for piece in pieces:
        chunks = [piece] if isinstance(piece, bytes) else storage.open_range(photo.original_key, *piece)
        for chunk in chunks:
            crc32 = zlib.crc32(chunk, crc32)
    return crc32
