"""What stands between a stranger's bytes and a decoder: only four of these are ever reached, and none for long."""

import io
import resource
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from PIL import Image

from galleries import images
from tests import pictures

ROOT = Path(images.__file__).parent.parent
Save = Callable[[bytes], Path]


# Formats


TAKEN = {"JPEG", "PNG", "WEBP", "HEIF"}


def every_other_format() -> dict[str, bytes]:
    """A picture in each format that Pillow writes and Pixora does not take."""
    Image.init()
    others = {}
    for name in sorted(set(Image.SAVE) - TAKEN - {"MPO", "AVIF"}):
        for mode in ("RGB", "L", "1"):
            buffer = io.BytesIO()
            try:
                Image.fromarray(pictures.quadrants()).convert(mode).save(buffer, name)
            except (OSError, ValueError, KeyError, AttributeError, RuntimeError, DeprecationWarning):
                continue
            others[name] = buffer.getvalue()
            break
    return others


OTHERS = every_other_format()


def test_there_are_other_formats_to_try() -> None:
    assert {"GIF", "TIFF", "BMP", "ICO", "PPM", "EPS", "TGA", "PDF", "JPEG2000", "PCX", "SGI"} <= set(OTHERS)


@pytest.mark.parametrize("name", OTHERS)
def test_no_other_format_reaches_a_decoder_whatever_it_is_called(
    save: Save, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "_OPENERS", {})
    with pytest.raises(images.ImageRejected) as refusal:
        images.inspect(save(OTHERS[name]))
    assert refusal.value.code in ("unsupported_format", "not_a_photo")


# Run in a process of its own, in which Pillow can open nothing by itself, and every plugin's opener is a trap.
_ONLY_OURS = """if True:
    import sys
    from pathlib import Path
    from PIL import Image
    from galleries import formats, images
    def trap(*_, **__): raise SystemExit("somebody asked Pillow which format this is")
    Image.open = Image.init = trap
    limits = formats.Limits(60_000_000, 120_000_000)
    for path in map(Path, sys.argv[1:]):
        images._decode(path, 480, limits)
    Image.OPEN.clear()
    from PIL import ImageFile
    kinds, found = [ImageFile.ImageFile], set()
    while kinds:
        kinds += (more := kinds.pop().__subclasses__())
        found.update(f"{kind.__module__}.{kind.__name__}" for kind in more)
    print(*sorted(found))
"""


def test_pillow_is_never_asked_to_guess_and_no_more_plugins_are_loaded_than_are_needed(tmp_path: Path) -> None:
    made = {"a": pictures.jpeg, "b": pictures.png, "c": pictures.webp, "d": pictures.heic}
    for name, make in made.items():
        (tmp_path / name).write_bytes(make(pictures.quadrants()))
    command = [sys.executable, "-c", _ONLY_OURS, *(str(tmp_path / name) for name in made)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # TIFF's parser reads EXIF. None of them opens anything but what it is called with.
    ours = {"JpegImageFile", "PngImageFile", "WebPImageFile", "HeifImageFile", "_LibHeifImageFile"}
    assert {name.rpartition(".")[2] for name in done.stdout.split()} - ours <= {"TiffImageFile", "StubImageFile"}


def test_nobody_but_tests_calls_the_functions_of_pillow_that_guess_a_format() -> None:
    sources = [path for room in ("galleries", "recognition", "pixora_site") for path in (ROOT / room).rglob("*.py")]
    assert sources
    assert [path.name for path in sources if "Image.open(" in path.read_text()] == []


def test_the_reader_of_heic_has_no_other_decoder_than_that_of_hevc() -> None:
    """An AVIF, or a JPEG 2000 in the clothes of a HEIC, finds none."""
    assert list(pillow_heif.libheif_info()["decoders"]) == ["libde265"]


def test_an_avif_in_the_clothes_of_a_heic_is_damaged(save: Save) -> None:
    buffer = io.BytesIO()
    try:
        Image.fromarray(pictures.quadrants()).save(buffer, "AVIF")
    except (KeyError, OSError):
        pytest.skip("This Pillow writes no AVIF")
    head = int.from_bytes(buffer.getvalue()[:4])
    data = buffer.getvalue()[:8] + b"heic\0\0\0\0" + b"mif1" * ((head - 16) // 4) + buffer.getvalue()[head:]
    assert images.inspect(save(data)).format == "HEIC"
    with pytest.raises(images.ImageRejected) as refusal:
        images.decode(save(data), 480)
    assert refusal.value.code == "damaged"


def animated(kind: str) -> bytes:
    frames = [Image.fromarray(pictures.quadrants(width, 64)) for width in (96, 96)]
    frames[1].paste((1, 2, 3), (0, 0, 40, 40))
    return pictures.encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_no_photo(save: Save, kind: str) -> None:
    """Its decoder would hold each canvas three times."""
    for take in (images.inspect, lambda path: images.decode(path, 480)):
        with pytest.raises(images.ImageRejected) as refusal:
            take(save(animated(kind)))
        assert refusal.value.code == "unsupported_format"
        assert refusal.value.detail.startswith("This is an animation.")


# Floods: headers that never end, and are not read to their end


PIXEL = pictures.jpeg(pictures.quadrants(16, 16))
PNG_HEAD = b"\x89PNG\r\n\x1a\n" + pictures._chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
PNG_TAIL = pictures._chunk(b"IDAT", zlib.compress(bytes(8 * 25))) + pictures._chunk(b"IEND", b"")
NOTHING = pictures._chunk(b"prVt", b"")
_VP8 = pictures.webp(pictures.quadrants())[12:]
_VP8X = b"VP8X" + struct.pack("<I", 10) + bytes(4) + struct.pack("<I", 95)[:3] + struct.pack("<I", 63)[:3]
FLOODS: dict[str, Callable[[int], bytes]] = {
    "markers of a jpeg": lambda size: PIXEL[:2] + b"\xff\xe5\0\2" * (size // 4) + PIXEL[2:],
    "filling of a jpeg": lambda size: PIXEL[:2] + b"\xff" * size + PIXEL[2:],
    "large parts of a jpeg": lambda size: (
        PIXEL[:2] + (b"\xff\xe5\xff\xff" + bytes(65_533)) * (size // 65_537) + PIXEL[2:]
    ),
    "chunks of a png": lambda size: PNG_HEAD + NOTHING * (size // 12) + PNG_TAIL,
    "chunks behind the picture of a png": lambda size: PNG_HEAD + PNG_TAIL[:-12] + NOTHING * (size // 12),
    "packed text of a png": lambda size: (
        PNG_HEAD + pictures._chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000), 9)) * 60 + PNG_TAIL
    ),
    "text of a png": lambda size: PNG_HEAD + pictures._chunk(b"tEXt", b"k\0" + b"x" * 900_000) * 60 + PNG_TAIL,
    "exif of a png": lambda size: PNG_HEAD + pictures._chunk(b"eXIf", many_tags(size)) + PNG_TAIL,
    "chunks of a webp": lambda size: _riff(_VP8X + b"abcd\0\0\0\0" * (size // 8) + _VP8),
    "boxes of a heic": lambda size: pictures.heic(pictures.quadrants()) + b"\0\0\0\x08free" * (size // 8),
}


def _riff(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def many_tags(size: int) -> bytes:
    """EXIF whose every tag says that the whole file is its value."""
    count = 5_000
    tags = b"".join(struct.pack("<HHII", 0x1000 + number, 7, size - 16, 8) for number in range(count))
    return (b"II*\0" + struct.pack("<IH", 8, count) + tags).ljust(size, b"\0")


_TRY = """if True:
    import re, sys
    from pathlib import Path
    from galleries import formats, images
    def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
    limits = formats.Limits(60_000_000, 120_000_000)
    images._limits = lambda: limits
    before = peak()
    said = []
    for take in (images.inspect, lambda path: images.decode(path, 480)):
        try:
            said.append(type(take(Path(sys.argv[1]))).__name__)
        except images.ImageRejected as error:
            said.append(error.code)
    print((peak() - before) // 1024, *said)
"""


@pytest.mark.parametrize("name", FLOODS)
def test_a_header_that_never_ends_is_not_read_to_its_end(tmp_path: Path, name: str) -> None:
    (tmp_path / "flood").write_bytes(FLOODS[name](20_000_000))
    command = [sys.executable, "-c", _TRY, str(tmp_path / "flood")]

    def bounded() -> None:
        # 60 MB of JPEG markers took 20 s and 2 GB of a web process before anybody had decoded anything.
        resource.setrlimit(resource.RLIMIT_CPU, (8, 9))

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, preexec_fn=bounded)
    assert done.returncode == 0, done.stderr
    megabytes, *said = done.stdout.split()
    assert int(megabytes) < 200, said
    assert set(said) <= {"Facts", "Decoded", "damaged"}


def test_a_png_that_its_program_wrote_in_small_pieces_is_taken(save: Save) -> None:
    picture = pictures.png(pictures.faceless())
    at = picture.index(b"IDAT") - 4
    size = int.from_bytes(picture[at : at + 4])
    body = picture[at + 8 : at + 8 + size]
    pieces = b"".join(pictures._chunk(b"IDAT", body[n : n + 4]) for n in range(0, size, 4))
    assert len(pieces) // 16 > 10_000
    decoded = images.decode(save(picture[:at] + pieces + picture[at + 12 + size :]), 2048)
    assert (decoded.width, decoded.height) == (600, 400)


def test_a_chunk_that_says_it_has_4_gigabytes_wants_no_more_memory_than_the_file_has(save: Save) -> None:
    picture = bytearray(pictures.png(pictures.quadrants()))
    at = picture.index(b"IDAT") - 4
    picture[at : at + 4] = struct.pack(">I", 0xFFFF_0000)
    assert images.decode_bounded(save(bytes(picture)), 480).width == 96


# Scans: a progressive JPEG is drawn over and over again


def with_scans(count: int, between: bytes = b"", *, edge: int = 64) -> bytes:
    """A progressive JPEG whose second scan, with the tables before it, is there so often more."""
    data = pictures.encoded(Image.new("L", (edge, edge), 128), "JPEG", progressive=True)
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    begin, end = data.rindex(b"\xff\xc4", 0, second), data.index(b"\xff", second + 10)
    return data[:end] + (between + data[begin:end]) * count + data[end:]


@pytest.mark.parametrize(
    "flood",
    [
        with_scans(200),
        with_scans(200, b"\xff\xfe\0\x04\xff\xd9"),
        with_scans(200, b"\xff\x01\xff\xff"),
        with_scans(1, b"\xff\xfe\0\2" * 10_000),
    ],
    ids=["plain", "an end in a comment", "a marker that only seems to be long", "comments"],
)
def test_a_jpeg_that_is_drawn_over_and_over_again_is_refused(save: Save, flood: bytes) -> None:
    for take in (images.inspect, lambda path: images.decode(path, 480)):
        with pytest.raises(images.ImageRejected) as refusal:
            take(save(flood))
        assert refusal.value.code == "damaged"


@pytest.mark.parametrize("count", [0, 1, 50])
def test_a_progressive_jpeg_is_taken_and_what_lies_behind_it_does_not_matter(save: Save, count: int) -> None:
    film = b"\xff\xda\0\2" * 500
    assert images.decode(save(with_scans(count) + film), 480).width == 64


# Sizes that the stream says, and the header does not


def test_a_heic_whose_stream_is_larger_than_its_header_says_is_bound_by_the_limits_too(
    save: Save, settings: Any
) -> None:
    data = bytearray(pictures.heic(pictures.quadrants(512, 512)))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 64, 64)
    settings.PIXORA_MAX_PIXELS = 100 * 100
    path = save(bytes(data))
    assert images.inspect(path).width == 64
    with pytest.raises(images.ImageRejected) as refusal:
        images.decode(path, 2048)
    assert refusal.value.code in ("too_many_pixels", "damaged")
