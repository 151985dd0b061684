"""Untrusted bytes: what is taken, what is refused and in which words, and what becomes of the pixels."""

import errno
import io
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image
from pytest_django import Settings

from galleries import images
from tests import pictures

Decode = Callable[[Path, int], images.Decoded]


Save = Callable[[bytes], Path]


def corners(pixels: images.Pixels) -> list[tuple[int, ...]]:
    """Mean colours of the four quadrants."""
    height, width = pixels.shape[:2]
    halves = (slice(0, height // 2), slice(height // 2, None)), (slice(0, width // 2), slice(width // 2, None))
    return [tuple(pixels[rows, columns].mean(axis=(0, 1)).round()) for rows in halves[0] for columns in halves[1]]


def assert_quadrants(pixels: images.Pixels, expected: Sequence[tuple[int, ...]], tolerance: int = 6) -> None:
    np.testing.assert_allclose(corners(pixels), expected, atol=tolerance)


QUADRANTS = [pictures.RED, pictures.GREEN, pictures.BLUE, pictures.GREY]


@pytest.mark.parametrize(
    ("content", "format_name", "content_type", "extension"),
    [
        (pictures.jpeg(pictures.faceless()), "JPEG", "image/jpeg", ".jpg"),
        (pictures.png(pictures.faceless()), "PNG", "image/png", ".png"),
        (pictures.webp(pictures.faceless()), "WebP", "image/webp", ".webp"),
        (pictures.heic(pictures.faceless()), "HEIC", "image/heic", ".heic"),
    ],
    ids=["jpeg", "png", "webp", "heic"],
)
def test_the_four_formats_are_taken_whatever_the_name_says(
    save: Save, content: bytes, format_name: str, content_type: str, extension: str
) -> None:
    path = save(content)
    assert images.inspect(path) == images.Facts(format_name, content_type, extension, 600, 400, None)
    decoded = images.decode(path, images.DECODE_EDGE)
    assert (decoded.width, decoded.height) == (600, 400)
    assert decoded.pixels.shape == (400, 600, 3)
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.flags.c_contiguous
    # JPEG, WebP and HEIC lose a little; two different pictures would differ by more than 40.
    assert np.abs(decoded.pixels.astype(int) - pictures.faceless()).mean() < 4


REFUSED_BY_THEIR_HEADER = {
    "empty": (b"", "empty_file"),
    "html": (pictures.html(), "not_a_photo"),
    "video": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(100), "not_a_photo"),
    "gif": (pictures.gif(), "unsupported_format"),
    "bmp": (pictures.encoded(pictures.quadrants(), "BMP"), "unsupported_format"),
    "tiff": (pictures.encoded(pictures.quadrants(), "TIFF"), "unsupported_format"),
    "avif": (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf" + bytes(100), "unsupported_format"),
    "canon raw": (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(100), "unsupported_format"),
    "png bomb": (pictures.png_bomb(), "too_many_pixels"),
    "webp bomb": (pictures.webp_bomb(), "too_many_pixels"),
    "header cut off": (pictures.png(pictures.faceless())[:20], "damaged"),
    "signature alone": (b"\xff\xd8\xff", "damaged"),
    "heic cut off": (pictures.heic(pictures.faceless())[:200], "damaged"),
}


@pytest.mark.parametrize(("content", "code"), REFUSED_BY_THEIR_HEADER.values(), ids=REFUSED_BY_THEIR_HEADER)
@pytest.mark.parametrize("take", [images.inspect, lambda path: images.decode(path, 2048)], ids=["inspect", "decode"])
def test_what_is_no_photo_is_refused_by_its_header(save: Save, take: Callable, content: bytes, code: str) -> None:
    with pytest.raises(images.ImageRejected) as refusal:
        take(save(content))
    assert refusal.value.code == code
    assert refusal.value.detail.endswith(".")


def test_the_refusal_of_another_format_says_which_are_taken(save: Save) -> None:
    with pytest.raises(images.ImageRejected) as refusal:
        images.inspect(save(pictures.gif()))
    assert refusal.value.detail == "This is a GIF. Pixora takes JPEG, PNG, WebP and HEIC."


def test_a_bomb_is_refused_without_memory(tmp_path: Path) -> None:
    """In a process of its own, whose peak nothing else has raised; decoded it would take 3.6 GB."""
    (tmp_path / "bomb.png").write_bytes(pictures.png_bomb())
    program = """if True:
        import re, resource, sys
        from pathlib import Path
        from galleries import images
        def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        before = peak()
        try:
            images._decode(Path(sys.argv[1]), 2048, images.Limits(60_000_000, 120_000_000))
        except images.ImageRejected as error:
            print(error.code, (peak() - before) // 1024)
    """
    answer = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "bomb.png"],
        cwd=Path(images.__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    code, megabytes = answer.stdout.split()
    assert code == "too_many_pixels"
    assert int(megabytes) < 16


@pytest.mark.parametrize(
    "content",
    [
        pictures.truncated_jpeg(),
        pictures.png(pictures.faceless())[:-2000],
        pictures.webp(pictures.faceless())[:-2000],
        pictures.heic(pictures.faceless())[:-2000],
    ],
    ids=["jpeg", "png", "webp", "heic"],
)
def test_a_truncated_picture_is_damaged(save: Save, content: bytes) -> None:
    with pytest.raises(images.ImageRejected) as refusal:
        images.decode(save(content), 2048)
    assert refusal.value.code == "damaged"


def test_files_and_pictures_beyond_the_limits_of_the_site_are_refused(save: Save, settings: Settings) -> None:
    path = save(pictures.jpeg(pictures.faceless()))
    settings.PIXORA_MAX_PIXELS = 600 * 400
    assert images.inspect(path).width == 600
    settings.PIXORA_MAX_PIXELS -= 1
    with pytest.raises(images.ImageRejected, match="too_many_pixels"):
        images.inspect(path)
    settings.PIXORA_MAX_FILE_BYTES = path.stat().st_size - 1
    with pytest.raises(images.ImageRejected, match="file_too_large"):
        images.decode(path, 2048)


@pytest.mark.parametrize("take", [images.inspect, lambda path: images.decode(path, 9)], ids=["inspect", "decode"])
def test_a_missing_file_is_no_bad_photo(tmp_path: Path, take: Callable) -> None:
    with pytest.raises(FileNotFoundError):
        take(tmp_path / "missing.jpg")
    with pytest.raises(IsADirectoryError):
        take(tmp_path)


class FileWithABadBlock(io.FileIO):
    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0 or self.tell() + size > 1000:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)


class PathToABadBlock(type(Path())):  # type: ignore[misc]
    def open(self, *_: object, **__: object) -> FileWithABadBlock:
        return FileWithABadBlock(self)


@pytest.mark.parametrize(
    "encode", [pictures.jpeg, pictures.png, pictures.webp, pictures.heic], ids=["jpeg", "png", "webp", "heic"]
)
def test_a_failing_disk_is_no_bad_photo(save: Save, encode: Callable[[images.Pixels], bytes]) -> None:
    with pytest.raises(OSError, match="Input/output error"):
        images.decode(PathToABadBlock(save(encode(pictures.faceless()))), 2048)


@given(st.data())
@hypothesis_settings(max_examples=150, deadline=None)
def test_flipped_bytes_are_decoded_or_refused_but_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    sound = data.draw(st.sampled_from(SOUND))
    spoilt = bytearray(sound)
    for position in data.draw(st.lists(st.integers(0, len(sound) - 1), min_size=1, max_size=8)):
        spoilt[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "spoilt"
    path.write_bytes(spoilt)
    with suppress(images.ImageRejected):
        assert images.decode(path, 64).pixels.ndim == 3


SOUND = [
    pictures.with_exif(pictures.quadrants(), orientation=6, taken="2024:06:01 15:30:00"),
    pictures.jpeg(pictures.quadrants(), progressive=True, icc_profile=pictures.foreign_profile()),
    pictures.cmyk_jpeg(pictures.quadrants()),
    pictures.palette_alpha_png(),
    pictures.sixteen_bit_png(pictures.quadrants()),
    pictures.webp(pictures.quadrants()),
    pictures.heic(pictures.quadrants()),
]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(save: Save, orientation: int) -> None:
    path = save(pictures.oriented_jpeg(pictures.quadrants(96, 64), orientation))
    facts, decoded = images.inspect(path), images.decode(path, 2048)
    assert (facts.width, facts.height) == (decoded.width, decoded.height) == (96, 64)
    assert decoded.pixels.shape == (64, 96, 3)
    assert_quadrants(decoded.pixels, QUADRANTS)


def test_a_turned_heic_comes_out_upright_once(save: Save) -> None:
    path = save(pictures.heic(np.ascontiguousarray(np.rot90(pictures.quadrants(96, 64))), orientation=6))
    facts, decoded = images.inspect(path), images.decode(path, 2048)
    assert (facts.width, facts.height) == (decoded.width, decoded.height) == (96, 64)
    assert_quadrants(decoded.pixels, QUADRANTS, 8)


def test_a_jpeg_with_a_second_picture_behind_it_is_a_jpeg(save: Save) -> None:
    """As phones write for depth and brightness (MPO)."""
    behind = Image.fromarray(pictures.faceless())
    content = pictures.encoded(pictures.quadrants(), "MPO", save_all=True, append_images=[behind], quality=95)
    path = save(content)
    assert images.inspect(path) == images.Facts("JPEG", "image/jpeg", ".jpg", 96, 64, None)
    assert_quadrants(images.decode(path, 2048).pixels, QUADRANTS, 8)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(save: Save, orientation: int) -> None:
    path = save(pictures.with_exif(pictures.quadrants(96, 64), orientation=orientation))
    assert_quadrants(images.decode(path, 2048).pixels, QUADRANTS)


def test_the_cameras_clock_is_read_without_an_offset(save: Save) -> None:
    path = save(pictures.with_exif(pictures.quadrants(), taken="2024:06:01 15:30:05"))
    assert images.inspect(path).taken_at == datetime(2024, 6, 1, 15, 30, 5)  # noqa: DTZ001 -- so it must be


@pytest.mark.parametrize(
    "taken",
    ["0000:00:00 00:00:00", "0001:01:01 00:00:00", "9999:12:31 23:59:59", "    :  :     :  :  ", "yesterday", ""],
)
def test_a_clock_that_was_never_set_says_nothing(save: Save, taken: str) -> None:
    assert images.inspect(save(pictures.with_exif(pictures.quadrants(), taken=taken))).taken_at is None


def test_broken_exif_costs_neither_the_photo_nor_a_warning(save: Save) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\1\0\0\0\xff\xff\xff\xff" * 20
    path = save(pictures.jpeg(pictures.quadrants(), exif=exif))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert images.inspect(path).taken_at is None
        assert_quadrants(images.decode(path, 2048).pixels, QUADRANTS)
        warnings.warn("others are still heard", stacklevel=1)
    assert [str(warning.message) for warning in seen] == ["others are still heard"]


def test_threads_that_read_at_once_leave_the_warnings_as_they_were(save: Save) -> None:
    path, before = save(pictures.jpeg(pictures.faceless())), list(warnings.filters)
    with ThreadPoolExecutor(8) as threads:
        assert {facts.width for facts in threads.map(images.inspect, [path] * 400)} == {600}
    assert warnings.filters == before


def test_cmyk_keeps_its_colours(save: Save) -> None:
    assert_quadrants(images.decode(save(pictures.cmyk_jpeg(pictures.quadrants())), 2048).pixels, QUADRANTS)


def test_sixteen_bits_are_brought_to_eight(save: Save) -> None:
    path = save(pictures.sixteen_bit_png(pictures.faceless()))
    grey = np.asarray(Image.fromarray(pictures.faceless()).convert("L"))
    np.testing.assert_array_equal(images.decode(path, 2048).pixels, np.dstack([grey] * 3))


def test_a_transparent_palette_is_laid_on_white(save: Save) -> None:
    white = (255, 255, 255)
    assert_quadrants(images.decode(save(pictures.palette_alpha_png()), 2048).pixels, [*QUADRANTS[:3], white], 0)


def test_half_transparency_is_laid_on_white(save: Save) -> None:
    paler = [tuple(round((value + 255) / 2) for value in colour) for colour in QUADRANTS]
    assert_quadrants(images.decode(save(pictures.half_transparent_png()), 2048).pixels, paler, 1)


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_pictures_become_rgb(save: Save, mode: str) -> None:
    path = save(pictures.png(Image.fromarray(pictures.faceless()).convert(mode)))
    pixels = images.decode(path, 2048).pixels
    assert pixels.shape == (400, 600, 3)
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 2])
    assert pixels.std() > 20


def test_an_embedded_profile_is_brought_to_srgb(save: Save) -> None:
    path = save(pictures.png(pictures.quadrants(), icc_profile=pictures.foreign_profile()))
    swapped = [(blue, green, red) for red, green, blue in QUADRANTS]
    assert_quadrants(images.decode(path, 2048).pixels, swapped, 2)


@pytest.mark.parametrize("profile", [b"no profile at all", pictures.foreign_profile()[:200]])
def test_a_broken_profile_is_ignored(save: Save, profile: bytes) -> None:
    path = save(pictures.png(pictures.quadrants(), icc_profile=profile))
    assert_quadrants(images.decode(path, 2048).pixels, QUADRANTS, 0)


def test_one_pixel_is_a_picture(save: Save) -> None:
    path = save(pictures.one_pixel_png())
    pixels = images.decode(path, 2048).pixels
    np.testing.assert_array_equal(pixels, [[pictures.RED]])
    assert images.render(pixels).colour == "#dc1e1e"


@pytest.mark.parametrize(("width", "height"), [(4032, 3024), (5000, 40), (2, 3000), (1500, 2100)])
@pytest.mark.parametrize("encode", [pictures.jpeg, pictures.png], ids=["jpeg", "png"])
def test_large_pictures_are_scaled_down_within_the_longest_edge(
    save: Save, encode: Callable, width: int, height: int
) -> None:
    decoded = images.decode(save(encode(np.full((height, width, 3), 90, np.uint8))), 2048)
    assert (decoded.width, decoded.height) == (width, height)
    longest = max(decoded.pixels.shape)
    assert 2048 * 7 // 8 <= longest <= 2048
    assert min(decoded.pixels.shape[:2]) == pytest.approx(
        max(1, min(width, height) * longest / max(width, height)), abs=1
    )


def test_small_pictures_are_never_scaled_up(save: Save) -> None:
    assert images.decode(save(pictures.jpeg(pictures.quadrants(96, 64))), 2048).pixels.shape == (64, 96, 3)


def test_renditions_are_bare_jpegs_of_their_sizes(save: Save) -> None:
    photo = np.asarray(Image.fromarray(pictures.faceless()).resize((3000, 2000)))
    renditions = images.render(photo)
    for content, edge in ((renditions.thumb, images.THUMB_EDGE), (renditions.preview, images.PREVIEW_EDGE)):
        with Image.open(io.BytesIO(content)) as image:
            assert max(image.size) == edge
            assert Image.MIME[str(image.format)] == images.RENDITION_TYPE
            assert not {"exif", "icc_profile", "comment", "xmp"} & set(image.info)
            small = np.asarray(image.convert("RGB").resize((60, 40))).astype(int)
        assert np.abs(small - np.asarray(Image.fromarray(photo).resize((60, 40)))).mean() < 6
    red, green, blue = (int(renditions.colour[at : at + 2], 16) for at in (1, 3, 5))
    np.testing.assert_allclose((red, green, blue), photo.mean(axis=(0, 1)), atol=2)


def test_a_worker_that_is_to_end_while_it_decodes_does_not_blame_the_photo(save: Save) -> None:
    path = save(pictures.png(Image.new("RGB", (10_000, 10_000))))

    def end(number: int, frame: FrameType | None) -> None:
        raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(SoftTimeLimitExceeded):
            images.decode(path, 300)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
