"""Originals without their metadata: the same pixels and colours, and nothing of the notes, for every format taken."""

import io
import struct
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from galleries import stripping
from tests import noted, pictures
from tests.conftest import needs_program
from tests.noted import CANARY

Save = Callable[[bytes], Path]
pytestmark = pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")


@dataclass
class Seen:
    """What a decoder makes of a file."""

    pixels: Any
    profile: bytes | None
    orientation: int


def seen(data: bytes) -> Seen:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return Seen(np.asarray(image), image.info.get("icc_profile"), image.getexif().get(0x0112, 1))


def stripped(path: Path) -> bytes:
    """The bytes that the pieces stand for, found to be of the length and CRC-32 that are said."""
    whole, result = path.read_bytes(), stripping.strip(path)
    pieces = stripping.unpack(result.packed)
    data = b"".join(each if isinstance(each, bytes) else whole[each.offset : sum(each)] for each in pieces)
    assert (len(data), zlib.crc32(data)) == (result.size, result.crc32)
    return data


@pytest.fixture(autouse=True)
def heic_for_pillow() -> None:
    pillow_heif.register_heif_opener()


@pytest.mark.parametrize("make", noted.FILES.values(), ids=noted.FILES.keys())
def test_notes_are_gone_and_pixels_colours_and_orientation_are_not(make: Callable[[], bytes], save: Save) -> None:
    whole = make()
    assert CANARY in whole
    bare = stripped(save(whole))
    assert CANARY not in bare
    before, after = seen(whole), seen(bare)
    assert np.array_equal(before.pixels, after.pixels)
    assert (before.profile, before.orientation) == (after.profile, after.orientation)
    assert b"http" not in bare


@pytest.mark.parametrize("make", noted.FILES.values(), ids=noted.FILES.keys())
def test_what_is_stripped_has_nothing_more_to_strip(make: Callable[[], bytes], save: Save) -> None:
    bare = stripped(save(make()))
    assert stripped(save(bare)) == bare


@pytest.mark.parametrize("make", noted.FILES.values(), ids=noted.FILES.keys())
def test_another_program_finds_no_notes(make: Callable[[], bytes], save: Save) -> None:
    exiftool, path = needs_program("exiftool"), save(make())
    path.write_bytes(stripped(path))
    command = [exiftool, "-a", "-G1", "-s", "-ee3", "-u", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    groups = {line[1:].split("]")[0] for line in said.splitlines()}
    known = {"ExifTool", "System", "File", "Composite", "JFIF", "Adobe", "PNG", "PNG-pHYs", "RIFF", "QuickTime", "Meta"}
    assert {group for group in groups if not group.startswith("ICC")} - known <= {"IFD0"}
    facts = [line.split("]")[1].split(":")[0].strip() for line in said.splitlines() if line.startswith("[IFD0]")]
    assert facts in ([], ["Orientation"])
    assert "Warning" not in said


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_each_way_of_holding_the_camera_is_kept(orientation: int, order: str, save: Save) -> None:
    entries = struct.pack(f"{order}HHHIHHHHI4s", 2, 0x0112, 3, 1, orientation, 0, 0x010E, 2, 4, b"Ann\0")
    block = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8) + entries + bytes(4)
    for kind in ("JPEG", "PNG", "WEBP"):
        whole = pictures.encoded(pictures.quadrants(), kind, exif=b"Exif\0\0" + block)
        bare = stripped(save(whole))
        assert b"Ann" in whole
        assert b"Ann" not in bare
        assert seen(bare).orientation == seen(whole).orientation == orientation


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_camera_that_names_its_colours_without_a_profile_is_still_understood(orientation: int, save: Save) -> None:
    first = struct.pack("<HHHIIHHIIHHIII", 3, 0x0112, 3, 1, orientation, 0x010E, 2, 4, 0x6E6E41, 0x8769, 4, 1, 50, 0)
    exif = struct.pack("<HHHIIHHIII", 2, 0xA001, 3, 1, 0xFFFF, 0xA005, 4, 1, 80, 0)
    names = struct.pack("<HHHI4sHHI4sI", 2, 1, 2, 4, b"R03\0", 2, 7, 4, b"0100", 0)
    whole = pictures.encoded(pictures.quadrants(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + first + exif + names)
    bare = stripped(save(whole))
    assert b"Ann" not in bare
    for data in (whole, bare):
        with Image.open(io.BytesIO(data)) as image:
            facts = image.getexif()
            assert facts.get(0x0112, 1) == orientation
            assert (facts.get_ifd(0x8769)[0xA001], facts.get_ifd(0xA005)[1]) == (0xFFFF, "R03")
    with Image.open(io.BytesIO(bare)) as image:
        assert set(image.getexif()) | set(image.getexif().get_ifd(0x8769)) <= {0x0112, 0x8769, 0xA001, 0xA005}


def test_a_heic_that_was_turned_stays_turned(save: Save) -> None:
    for orientation in range(1, 9):
        whole = pictures.heic(pictures.quadrants(), orientation)
        assert np.array_equal(seen(stripped(save(whole))).pixels, seen(whole).pixels)


def test_a_photo_without_notes_is_its_own_stripped_form(save: Save) -> None:
    for whole in (
        pictures.jpeg(pictures.portrait()),
        pictures.jpeg(pictures.portrait(), progressive=True, restart_marker_blocks=3),
        pictures.cmyk_jpeg(pictures.portrait()),
        pictures.sixteen_bit_png(pictures.portrait()),
        pictures.palette_alpha_png(),
        pictures.webp(pictures.portrait()),
    ):
        assert stripped(save(whole)) == whole


def test_an_animation_keeps_its_frames(save: Save) -> None:
    frames = [Image.fromarray(pictures.quadrants()), Image.fromarray(pictures.quadrants()[::-1])]
    for kind in ("PNG", "WEBP"):
        whole = pictures.encoded(frames[0], kind, save_all=True, append_images=frames[1:], exif=noted.exif_block())
        bare = stripped(save(whole))
        assert CANARY not in bare
        with Image.open(io.BytesIO(bare)) as image:
            assert isinstance(image, PngImageFile | WebPImageFile)
            assert image.n_frames == 2
            image.seek(1)
            assert np.asarray(image.convert("RGB"))[0, 0].argmax() == 2


def test_a_jpeg_is_few_pieces(save: Save) -> None:
    """One for a range that is read, and one more for notes between tables: each opens the file once in a zip."""
    camera = stripping.strip(save(noted.jpeg()))
    ranges = [each for each in stripping.unpack(camera.packed) if not isinstance(each, bytes)]
    assert len(ranges) <= 2
    assert len(camera.packed) < 200


ODD: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "another format": pictures.gif,
    "a JPEG without end": lambda: pictures.jpeg(pictures.quadrants())[:-2],
    "a JPEG that is cut": pictures.truncated_jpeg,
    "a JPEG with an unknown marker": lambda: _inserted(pictures.jpeg(pictures.quadrants()), b"\xff\xf7\0\x10" + CANARY),
    "a JPEG with bytes between segments": lambda: _inserted(pictures.jpeg(pictures.quadrants()), CANARY),
    "a JPEG with a table that holds more": lambda: _inserted(
        pictures.jpeg(pictures.quadrants()), b"\xff\xdb" + struct.pack(">H", 2 + 65 + len(CANARY)) + bytes(65) + CANARY
    ),
    "a JPEG of endless segments": lambda: b"\xff\xd8" + b"\xff\xfe\0\2" * 70_000,
    "a JPEG that is filled up": lambda: b"\xff\xd8" + b"\xff" * 70_000,
    "a PNG with a needed unknown chunk": lambda: noted.png_with(b"CaNA", CANARY),
    "a PNG whose known chunk is too long": lambda: noted.png_with(b"pHYs", CANARY),
    "a PNG without end": lambda: pictures.png(pictures.quadrants())[:-12],
    "a WebP with two pictures": lambda: noted.webp_with_two(),
    "a WebP cut off": lambda: pictures.webp(pictures.quadrants())[:-9],
    "a HEIC without its pixels": lambda: pictures.heic(pictures.quadrants())[:-9],
    "a HEIC without its table": lambda: pictures.heic(pictures.quadrants()).replace(b"meta", b"free"),
    "a HEIC of another coding": lambda: pictures.heic(pictures.quadrants()).replace(b"hvc1", b"abcd"),
}


def _inserted(jpeg: bytes, segment: bytes) -> bytes:
    return jpeg[:20] + segment + jpeg[20:]


@pytest.mark.parametrize("make", ODD.values(), ids=ODD.keys())
def test_what_is_not_surely_understood_is_not_passed_on(make: Callable[[], bytes], save: Save) -> None:
    with pytest.raises(stripping.Odd):
        stripping.strip(save(make()))


def test_pieces_that_are_no_pieces_are_an_error() -> None:
    for packed in (b"1", bytes(11), struct.pack("<qI", -1, 5) + b"four"):
        with pytest.raises(ValueError, match="not packed"):
            list(stripping.unpack(packed))


def test_the_photos_of_an_event_lose_their_notes_alone(photos_dir: Path, tmp_path: Path) -> None:
    tried = 0
    for path in sorted((photos_dir / "event" / "photos").iterdir())[:60]:
        whole, bare = path.read_bytes(), stripped(path)
        assert np.array_equal(seen(whole).pixels, seen(bare).pixels)
        assert seen(whole).profile == seen(bare).profile
        tried += 1
    assert tried
