"""Zips: every byte range of a layout, what other programs read in it, what breaks it, and the Range header."""

import io
import shutil
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.archives import (
    BrokenSource,
    Entry,
    Layout,
    Span,
    Unsatisfiable,
    parse_range,
    stream,
    unique_names,
)

GIB = 1 << 30
NOON = datetime(2024, 6, 1, 12, 30, 10)  # noqa: DTZ001 -- a zip knows no time zone
Source = Callable[[Span], Iterator[bytes]]


def from_memory(stored: dict[str, bytes]) -> Source:
    """In chunks of an odd size, as a real source cuts where it likes."""

    def open_span(span: Span) -> Iterator[bytes]:
        content = stored[span.key][span.offset : span.offset + span.length]
        return (content[at : at + 1001] for at in range(0, len(content), 1001))

    return open_span


def whole_file(name: str, content: bytes, modified: datetime | None = NOON) -> Entry:
    return Entry(name, len(content), zlib.crc32(content), modified, (Span(name, 0, len(content)),))


def whole_zip(layout: Layout, source: Source) -> bytes:
    return b"".join(stream(layout, 0, layout.length, source))


FILES = {"a.jpg": b"one" * 1000, "Ceremony/\u00fc \U0001f600.jpg": b"", "Ceremony/b.jpg": bytes(range(256)) * 20}


@pytest.fixture
def layout() -> Layout:
    return Layout([whole_file(name, content) for name, content in FILES.items()])


class Served(io.RawIOBase):
    """A zip as a seekable file that fetches every read as a range; nothing of it is kept."""

    def __init__(self, layout: Layout, source: Source) -> None:
        self.layout, self.source, self.position = layout, source, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = (0, self.position, self.layout.length)[whence] + offset
        return self.position

    def tell(self) -> int:
        return self.position

    def read(self, size: int = -1) -> bytes:
        stop = self.layout.length if size < 0 else min(self.position + size, self.layout.length)
        start, self.position = self.position, stop
        return b"".join(stream(self.layout, start, stop, self.source))


def test_the_zip_holds_the_files_their_names_and_their_times(layout: Layout) -> None:
    content = whole_zip(layout, from_memory(FILES))
    assert len(content) == layout.length
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == FILES
        assert {info.date_time for info in archive.infolist()} == {(2024, 6, 1, 12, 30, 10)}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_the_empty_zip_is_one() -> None:
    content = whole_zip(Layout([]), from_memory({}))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == []


def test_unzip_finds_no_fault(layout: Layout, tmp_path: Path) -> None:
    if not shutil.which("unzip"):
        pytest.skip("unzip is not on this machine")
    (tmp_path / "album.zip").write_bytes(whole_zip(layout, from_memory(FILES)))
    answer = subprocess.run(["unzip", "-t", tmp_path / "album.zip"], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout
    assert "No errors detected" in answer.stdout


@pytest.mark.parametrize(
    ("modified", "in_the_zip"),
    [
        (None, (1980, 1, 1, 0, 0, 0)),
        (datetime(1970, 1, 1), (1980, 1, 1, 0, 0, 0)),  # noqa: DTZ001
        (datetime(2023, 12, 31, 23, 59, 59), (2023, 12, 31, 23, 59, 58)),  # noqa: DTZ001
        (datetime(2200, 1, 1), (2107, 12, 31, 23, 59, 58)),  # noqa: DTZ001
    ],
)
def test_times_that_a_zip_cannot_say_are_brought_near(modified: datetime | None, in_the_zip: tuple[int, ...]) -> None:
    content = whole_zip(Layout([whole_file("a.jpg", b"x", modified)]), from_memory({"a.jpg": b"x"}))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.infolist()[0].date_time == in_the_zip


def test_an_entry_may_be_ranges_of_a_file_between_literals() -> None:
    content = b"\xff\xd8" + b"\xff\xe1metadata" + b"the picture itself"
    bare = content[:2] + content[12:]
    entry = Entry("a.jpg", len(bare), zlib.crc32(bare), None, (b"\xff\xd8", Span("a", 12, 10), Span("a", 22, 8)))
    with zipfile.ZipFile(Served(Layout([entry]), from_memory({"a": content}))) as archive:
        assert archive.read("a.jpg") == bare


@st.composite
def layouts(draw: st.DrawFn) -> tuple[Layout, dict[str, bytes]]:
    """A random layout and what is stored under its keys."""
    stored: dict[str, bytes] = {}
    entries = []
    for number in range(draw(st.integers(0, 6))):
        pieces, content = [], b""
        for piece_number in range(draw(st.integers(0, 3))):
            key, data = f"{number}-{piece_number}", draw(st.binary(max_size=40))
            offset, literal = draw(st.integers(0, 5)), draw(st.booleans())
            stored[key] = bytes(offset) + data + b"behind"
            pieces.append(data if literal else Span(key, offset, len(data)))
            content += data
        name = draw(st.text("abc\u00e9\U0001f600", min_size=1, max_size=5)) + str(number)
        modified = draw(st.none() | st.datetimes())
        entries.append(Entry(name, len(content), zlib.crc32(content), modified, tuple(pieces)))
    return Layout(entries), stored


@given(layouts(), st.data())
@settings(deadline=None)
def test_every_cut_equals_the_slice_of_the_whole(
    laid_out: tuple[Layout, dict[str, bytes]], data: st.DataObject
) -> None:
    layout, stored = laid_out
    whole = whole_zip(layout, from_memory(stored))
    assert len(whole) == layout.length
    start = data.draw(st.integers(0, layout.length))
    stop = data.draw(st.integers(start, layout.length))
    assert b"".join(stream(layout, start, stop, from_memory(stored))) == whole[start:stop]
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None


def test_every_single_cut_of_a_small_zip_is_right() -> None:
    stored = {"a": b"12345", "b": b"67"}
    layout = Layout([whole_file("a", b"12345"), whole_file("b", b"67")])
    whole = whole_zip(layout, from_memory(stored))
    for start in range(layout.length + 1):
        for stop in range(start, layout.length + 1):
            assert b"".join(stream(layout, start, stop, from_memory(stored))) == whole[start:stop]


def test_a_range_opens_no_source_outside_it(layout: Layout) -> None:
    opened = []

    def open_span(span: Span) -> Iterator[bytes]:
        opened.append(span)
        return from_memory(FILES)(span)

    list(stream(layout, layout.length - 100, layout.length, open_span))
    assert opened == []
    list(stream(layout, 100, 200, open_span))
    assert [span.key for span in opened] == ["a.jpg"]
    assert opened[0].length == 100


def test_more_entries_than_the_old_format_knows() -> None:
    """70,000 entries: their number stands in ZIP64 records."""
    content = b"tiny"
    layout = Layout(
        Entry(f"{number:05}.jpg", 4, zlib.crc32(content), None, (Span("tiny", 0, 4),)) for number in range(70_000)
    )
    with zipfile.ZipFile(Served(layout, from_memory({"tiny": content}))) as archive:
        assert len(archive.namelist()) == 70_000
        assert archive.read("69999.jpg") == content
    end = b"".join(stream(layout, layout.length - 98, layout.length, from_memory({})))
    assert end[:4] == b"PK\6\6"
    assert struct.unpack_from("<2Q", end, 24) == (70_000, 70_000)


def five_gib_then_more() -> tuple[Layout, Source]:
    """An entry beyond 4 GiB, so that the next one begins beyond 4 GiB; the 5 GiB of zeros exist nowhere."""
    stored = from_memory({"small.jpg": b"behind 5 GiB"})

    def open_span(span: Span) -> Iterator[bytes]:
        if span.key != "zeros":
            return stored(span)
        return (bytes(min(GIB // 64, span.length - at)) for at in range(0, span.length, GIB // 64))

    large = Entry("large.mov", 5 * GIB, 0, None, (Span("zeros", 0, 5 * GIB),))
    return Layout([large, whole_file("small.jpg", b"behind 5 GiB")]), open_span


def test_sizes_and_positions_beyond_four_gib() -> None:
    layout, open_span = five_gib_then_more()
    with zipfile.ZipFile(Served(layout, open_span)) as archive:
        large, small = archive.infolist()
        assert large.file_size == 5 * GIB
        assert small.header_offset > 5 * GIB
        assert archive.read("small.jpg") == b"behind 5 GiB"
        with archive.open(large) as reader:
            assert reader.read(100) == bytes(100)


def test_unzip_reads_beyond_four_gib(tmp_path: Path) -> None:
    if not shutil.which("unzip"):
        pytest.skip("unzip is not on this machine")
    layout, _ = five_gib_then_more()
    with (tmp_path / "large.zip").open("wb") as file:
        for segment in layout.segments(0, layout.length):
            if isinstance(segment, bytes):
                file.write(segment)
            elif segment.key == "zeros":
                file.seek(segment.length, io.SEEK_CUR)  # a hole: no block of the disk is used
            else:
                file.write(b"behind 5 GiB")
    answer = subprocess.run(["unzip", "-p", tmp_path / "large.zip", "small.jpg"], capture_output=True, check=True)
    assert answer.stdout == b"behind 5 GiB"


@pytest.mark.parametrize(("size", "version", "extra"), [(0xFFFFFFFE, 20, 0), (0xFFFFFFFF, 45, 20), (1 << 32, 45, 20)])
def test_sizes_around_four_gib_are_read_as_they_are(size: int, version: int, extra: int) -> None:
    layout = Layout([Entry("a", size, 0, None, (Span("zeros", 0, size),)), Entry("b", 0, 0, None, ())])
    with zipfile.ZipFile(Served(layout, lambda span: iter([bytes(span.length)]))) as archive:
        assert [info.file_size for info in archive.infolist()] == [size, 0]
        large = archive.infolist()[0]
        assert (large.extract_version, len(large.extra)) == (version, extra)
        assert archive.read("b") == b""


def test_the_same_list_has_the_same_bytes_and_etag(layout: Layout) -> None:
    again = Layout([whole_file(name, content) for name, content in FILES.items()])
    assert whole_zip(again, from_memory(FILES)) == whole_zip(layout, from_memory(FILES))
    assert again.etag == layout.etag
    assert layout.etag.startswith('"')
    assert layout.etag.endswith('"')


@pytest.mark.parametrize(
    "other",
    [
        Entry("b", 1, 5, NOON, (Span("a", 0, 1),)),
        Entry("a", 1, 6, NOON, (Span("a", 0, 1),)),
        Entry("a", 1, 5, None, (Span("a", 0, 1),)),
        Entry("a", 1, 5, NOON, (Span("b", 0, 1),)),
        Entry("a", 1, 5, NOON, (Span("a", 1, 1),)),
        Entry("a", 2, 5, NOON, (Span("a", 0, 2),)),
        Entry("a", 1, 5, NOON, (b"x",)),
    ],
)
def test_whatever_differs_gives_another_etag(other: Entry) -> None:
    assert Layout([other]).etag != Layout([Entry("a", 1, 5, NOON, (Span("a", 0, 1),))]).etag


def test_a_source_that_is_gone_breaks_the_zip(layout: Layout) -> None:
    with pytest.raises(BrokenSource):
        whole_zip(layout, from_memory(FILES | {"Ceremony/b.jpg": b""}))
    with pytest.raises(BrokenSource):
        whole_zip(layout, from_memory({"a.jpg": FILES["a.jpg"]}))


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c[:1] + b"?" + c[2:]], ids=["short", "changed"])
def test_a_changed_source_breaks_the_zip_before_its_end(layout: Layout, change: Callable[[bytes], bytes]) -> None:
    sent = bytearray()

    def send() -> None:
        for chunk in stream(layout, 0, layout.length, from_memory(FILES | {"a.jpg": change(FILES["a.jpg"])})):
            sent.extend(chunk)

    with pytest.raises(BrokenSource):
        send()
    assert not zipfile.is_zipfile(io.BytesIO(sent))


def test_a_source_that_gives_too_much_breaks_the_zip(layout: Layout) -> None:
    with pytest.raises(BrokenSource):
        list(stream(layout, 0, layout.length, lambda span: iter([FILES[span.key] + b"more"])))


def test_a_changed_source_breaks_an_entry_in_several_pieces() -> None:
    entry = Entry("a", 4, zlib.crc32(b"1234"), None, (b"12", Span("rest", 0, 2)))
    with pytest.raises(BrokenSource):
        whole_zip(Layout([entry]), from_memory({"rest": b"35"}))


@pytest.mark.parametrize("name", ["../a", "a/../b", "/a", "a//b", "a\\b", "a\0b", "", ".", "a/"])
def test_no_entry_can_leave_the_folder_it_is_unpacked_in(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        Layout([Entry(name, 0, 0, None, ())])


def test_pieces_that_are_not_the_size_are_refused() -> None:
    with pytest.raises(ValueError, match="are not 4 bytes"):
        Layout([Entry("a", 4, 0, None, (b"123",))])


@pytest.mark.parametrize(
    ("names", "unique"),
    [
        (["a.jpg", "b.jpg"], ["a.jpg", "b.jpg"]),
        (["a.jpg", "a.jpg", "a.jpg"], ["a.jpg", "a (2).jpg", "a (3).jpg"]),
        (["a.jpg", "A.JPG"], ["a.jpg", "A (2).JPG"]),
        (["a (2).jpg", "a.jpg", "a.jpg"], ["a (2).jpg", "a.jpg", "a (3).jpg"]),
        (["a.jpg", "a.jpg", "a (2).jpg"], ["a.jpg", "a (2).jpg", "a (2) (2).jpg"]),
        (["x/a.jpg", "y/a.jpg", "X/A.jpg"], ["x/a.jpg", "y/a.jpg", "X/A (2).jpg"]),
        (["x.y/photo", "x.y/photo"], ["x.y/photo", "x.y/photo (2)"]),
        (["caf\u00e9.jpg", "cafe\u0301.jpg"], ["caf\u00e9.jpg", "cafe\u0301 (2).jpg"]),
        (["stra\u00dfe", "STRASSE"], ["stra\u00dfe", "STRASSE (2)"]),
        (["x", "x/a.jpg"], ["x (2)", "x/a.jpg"]),
    ],
)
def test_names_become_unique(names: list[str], unique: list[str]) -> None:
    assert unique_names(names) == unique


@given(st.lists(st.text("aA1 ().", min_size=1, max_size=6)))
@settings(deadline=None)
def test_names_are_unique_whatever_they_are(names: list[str]) -> None:
    unique = unique_names(names)
    assert len({name.casefold() for name in unique}) == len(names) == len(unique)


def test_many_equal_names_do_not_take_quadratic_time() -> None:
    """Tried one by one from 2, the names of this list would take 2,450,000,000 steps: hours."""
    unique = unique_names(["a.jpg"] * 70_000)
    assert unique[-1] == "a (70000).jpg"
    assert len(set(unique)) == 70_000


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        (None, None),
        ("", None),
        ("bytes=0-", (0, 100)),
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=99-", (99, 100)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("Bytes= 5-6 ", (5, 7)),
        ("bytes=-", None),
        ("bytes= -", None),
        ("bytes=9-5", None),
        ("bytes=0-1,5-6", None),
        ("bytes=0-,", None),
        ("items=0-5", None),
        ("bytes 0-5", None),
        ("bytes=a-b", None),
        ("bytes=0x1-5", None),
        ("bytes=\u0661-\u0665", None),
        ("bytes=" + "9" * 5000 + "-", None),
    ],
)
def test_one_range_is_understood_and_all_else_means_the_whole(
    header: str | None, answer: tuple[int, int] | None
) -> None:
    assert parse_range(header, 100) == answer


@pytest.mark.parametrize(
    ("header", "length"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-", 0), ("bytes=-5", 0)]
)
def test_a_range_behind_the_end_is_unsatisfiable(header: str, length: int) -> None:
    assert isinstance(parse_range(header, length), Unsatisfiable)


@given(st.text() | st.from_regex(r"bytes=[0-9 ]*-[0-9 ]*"), st.integers(0, 10**12))
@settings(deadline=None)
def test_a_range_is_always_within_the_bytes(header: str, length: int) -> None:
    answer = parse_range(header, length)
    if isinstance(answer, tuple):
        start, stop = answer
        assert 0 <= start < stop <= length
