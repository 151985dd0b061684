"""Records of a zip of stored entries, after PKWARE's APPNOTE.TXT 6.3.10; ZIP64 only where a number needs it."""

import struct
from datetime import datetime

# Beyond these a field holds all ones and the true number stands in a ZIP64 record.
_MOST_32 = 0xFFFFFFFF
_MOST_16 = 0xFFFF
_UTF8_NAMES = 0x0800
_VERSION, _VERSION_ZIP64 = 20, 45
_MADE_ON_UNIX = 3 << 8
_REGULAR_FILE = 0o100644 << 16
_EARLIEST, _LATEST = datetime(1980, 1, 1), datetime(2107, 12, 31, 23, 59, 58)  # noqa: DTZ001 -- a zip knows no zone
# Where these stand in a local header; what lies between the first two stands in a central header too.
_FLAGS, _EXTRA_LENGTH, _NAME = 6, 28, 30


def local_header(path: str, size: int, crc32: int, modified: datetime | None) -> bytes:
    """APPNOTE 4.3.7, with sizes and CRC-32 in place, so that no data descriptor follows."""
    name, extra, most = path.encode(), _zip64_extra((size, size)), min(size, _MOST_32)
    clock, date = _dos_time(modified)
    fields = _version(size), _UTF8_NAMES, 0, clock, date, crc32, most, most, len(name), len(extra)
    return b"PK\3\4" + struct.pack("<5H3I2H", *fields) + name + extra


def central_header(local: bytes, size: int, start: int) -> bytes:
    """APPNOTE 4.3.12; `start` is the position of the local header, which gives name, time, CRC-32 and size."""
    version, extra = _version(max(size, start)), _zip64_extra((size, size, start))
    common = local[_FLAGS:_EXTRA_LENGTH]
    name = local[_NAME : _NAME + int.from_bytes(common[-2:], "little")]
    rest = struct.pack("<4H2I", len(extra), 0, 0, 0, _REGULAR_FILE, min(start, _MOST_32))
    return b"PK\1\2" + struct.pack("<2H", _MADE_ON_UNIX | version, version) + common + rest + name + extra


def end_records(count: int, start: int, stop: int) -> bytes:
    """APPNOTE 4.3.14 to 4.3.16, behind a central directory from `start` to `stop`."""
    size = stop - start
    end = struct.pack(
        "<4s4H2IH", b"PK\5\6", 0, 0, *[min(count, _MOST_16)] * 2, min(size, _MOST_32), min(start, _MOST_32), 0
    )
    if count < _MOST_16 and max(size, start) < _MOST_32:
        return end
    fields = 44, _MADE_ON_UNIX | _VERSION_ZIP64, _VERSION_ZIP64, 0, 0, count, count, size, start
    return struct.pack("<4sQ2H2I4Q", b"PK\6\6", *fields) + struct.pack("<4sIQI", b"PK\6\7", 0, stop, 1) + end


def _version(largest: int) -> int:
    return _VERSION_ZIP64 if largest >= _MOST_32 else _VERSION


def _zip64_extra(numbers: tuple[int, ...]) -> bytes:
    """APPNOTE 4.5.3: only the numbers that do not fit their own fields, in this order."""
    large = [number for number in numbers if number >= _MOST_32]
    return struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""


def _dos_time(moment: datetime | None) -> tuple[int, int]:
    """Time and date as MS-DOS packs them, in steps of two seconds from 1980 to 2107."""
    moment = min(max(moment or _EARLIEST, _EARLIEST), _LATEST)
    clock = moment.hour << 11 | moment.minute << 5 | moment.second // 2
    return clock, (moment.year - 1980) << 9 | moment.month << 5 | moment.day
