"""What strangers send that needs no database: names, the Range header, and zips of whatever names and files."""

import io
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galleries import archives
from galleries.archives import Entry, Layout, Span, Unsatisfiable, freeze, parse_range, stream, unique_names
from galleries.images import clean_folder, clean_name
from tests.fuzzing import tell, tries

# Names


AWKWARD = st.sampled_from(
    ["..", ".", "/", "\\", ":", "\0", "\r\n", "\u202e", "\u2066", "\u200d", "\u200c", "\ufeff", "\u0301",
     "\u00a0", "\u3000", "\ud800", "CON", "con", "NUL.txt", "LPT\u00b9", "COM1", "AUX", "PRN ", " ", ". .",
     "%2e%2e", "a" * 250, "\U0001f600", "\u1e9b\u0323", "\uff0e\uff0e\uff0f", "\u2024", "\u2215", "\ufb01",
     "\u0130", ".jpg", ".JPEG", "~", "$MFT", "-rf", "\u2028", "\U000e0041", "\u180e", "\x7f", "\x85", "CLOCK$",
     "CONIN$", "\u212a"]
)  # fmt: skip
NAMES = st.lists(AWKWARD | st.text(max_size=6), max_size=10).map("".join)
FORBIDDEN = set('<>:"/\\|?*') | {chr(code) for code in (*range(32), *range(127, 160))}
DEVICES = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9¹²³]|LPT[0-9¹²³])( *\..*)?", re.IGNORECASE | re.DOTALL)


def assert_harmless(part: str, most: int) -> None:
    assert 0 < len(part.encode()) <= most
    assert part not in (".", "..")
    assert not FORBIDDEN & set(part)
    assert part == part.strip(" .")
    assert part == unicodedata.normalize("NFC", part)
    assert not [
        c
        for c in part
        if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    ]
    hidden = [c for c in part if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\u200c\u200d"]
    assert not hidden
    assert DEVICES.fullmatch(part) is None or DEVICES.fullmatch(part)[1].upper() in ("COM0", "LPT0")  # type: ignore[index]


@given(NAMES)
@tries(400, 60_000)
def test_a_name_is_never_a_path_nor_hides_anything_and_cleaning_it_again_changes_nothing(name: str) -> None:
    clean = clean_name(name)
    assert_harmless(clean, 200)
    assert clean_name(clean) == clean


@given(NAMES)
@tries(400, 40_000)
def test_a_folder_is_a_path_downwards_and_cleaning_it_again_changes_nothing(path: str) -> None:
    clean = clean_folder(path)
    parts = clean.split("/") if clean else []
    assert len(parts) <= 8
    for part in parts:
        assert_harmless(part, 80)
    assert clean_folder(clean) == clean


# The Range header


def model(header: str, length: int) -> tuple[int, int] | str | None:
    """RFC 9110, section 14.1.2, of one range in bytes; written down as its words stand there."""
    unit, equals, asked = header.partition("=")
    if unit.lower() != "bytes" or not equals or "," in asked:
        return None
    first, minus, last = asked.strip(" \t").partition("-")
    digits = set("0123456789")
    if not minus or not set(first) <= digits or not set(last) <= digits or not (first or last):
        return None
    if len(first) > 20 or len(last) > 20:
        return None
    if not first:
        return "416" if int(last) == 0 or length == 0 else (max(0, length - int(last)), length)
    if last and int(last) < int(first):
        return None
    if int(first) >= length:
        return "416"
    return int(first), length if not last else min(int(last), length - 1) + 1


PLACES = st.sampled_from(
    ["", "0", "1", "99", "100", "101", "0" * 19 + "7", "9" * 20, "9" * 21, "-1", "+1", " 1", "1_0", "\u0663", "0x1"]
)
RANGES = st.one_of(
    st.builds("{}={}-{}".format, st.sampled_from(["bytes", "Bytes", "byte", ""]), PLACES, PLACES),
    st.builds("bytes={}-{}".format, st.integers(0, 120), st.integers(0, 120) | st.just("")),
    st.builds("bytes={}-{},{}-{}".format, PLACES, PLACES, PLACES, PLACES),
    st.builds(
        "bytes={}{}-{}{}".format,
        st.sampled_from(["", " ", "\t ", "\n"]),
        PLACES,
        PLACES,
        st.sampled_from(["", " ", "\r", "-"]),
    ),
    st.text(max_size=20),
)


@given(RANGES, st.sampled_from([0, 1, 2, 100, 2**32, 2**40]) | st.integers(0, 200))
@tries(400, 60_000)
def test_a_range_means_what_its_words_mean(header: str, length: int) -> None:
    answer = parse_range(header, length)
    told = "416" if isinstance(answer, Unsatisfiable) else answer
    assert told == model(header, length)
    if isinstance(answer, tuple):
        assert 0 <= answer[0] < answer[1] <= length


# Zips


@st.composite
def entries(draw: Any) -> tuple[list[Entry], dict[str, bytes]]:
    """Files in pieces, literal ones between those of stored files, under names as strangers send them."""
    names = draw(
        st.lists(
            NAMES | st.sampled_from(["a.jpg", "A.JPG", "\u00e4.jpg", "a\u0308.jpg", "a", "ss", "\u00df"]), max_size=9
        )
    )
    folders = draw(st.lists(NAMES | st.sampled_from(["", "a", "A", "a.jpg"]), min_size=len(names), max_size=len(names)))
    paths = ["/".join(filter(None, (clean_folder(f), clean_name(n)))) for f, n in zip(folders, names, strict=True)]
    stored: dict[str, bytes] = {}
    made = []
    for number, name in enumerate(unique_names(paths)):
        pieces: list[Span | bytes] = []
        content = b""
        for part in range(draw(st.integers(0, 3))):
            data = draw(st.binary(max_size=40))
            if draw(st.booleans()):
                pieces.append(data)
            else:
                key, before = f"{number}/{part}", draw(st.binary(max_size=5))
                stored[key] = before + data + b"behind"
                pieces.append(Span(key, len(before), len(data)))
            content += data
        moment = draw(st.none() | st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001
        made.append(Entry(name, len(content), zlib.crc32(content), moment, tuple(pieces)))
    return made, stored


def read(layout: Layout, stored: dict[str, bytes], start: int, stop: int) -> bytes:
    def open_span(span: Span) -> Iterator[bytes]:
        content = stored[span.key][span.offset : span.offset + span.length]
        return (content[at : at + 7] for at in range(0, len(content), 7))

    return b"".join(stream(layout, start, stop, open_span))


@given(entries(), st.data(), st.sampled_from([1, 2, 3, 1_000]))
@tries(120, 12_000)
def test_any_zip_opens_and_any_part_of_it_is_the_slice_of_the_whole(
    made: tuple[list[Entry], dict[str, bytes]], data: Any, at_once: int
) -> None:
    frozen, stored = made
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "SECTION_ENTRIES", at_once)
        layout = Layout.of_frozen(*freeze(frozen))
    whole = read(layout, stored, 0, layout.length)
    assert len(whole) == layout.length
    for _ in range(4):
        start = data.draw(st.integers(0, layout.length))
        stop = data.draw(st.integers(start, layout.length))
        assert read(layout, stored, start, stop) == whole[start:stop]
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == [entry.name for entry in frozen]
        assert [opened.read(entry.name) for entry in frozen] == [_content(entry, stored) for entry in frozen]
    folded = [unicodedata.normalize("NFC", entry.name.casefold()) for entry in frozen]
    assert len(set(folded)) == len(folded)
    folders = {name[: match.start()] for name in folded for match in re.finditer("/", name)}
    assert not folders & set(folded)


def _content(entry: Entry, stored: dict[str, bytes]) -> bytes:
    parts = (p if isinstance(p, bytes) else stored[p.key][p.offset : p.offset + p.length] for p in entry.pieces)
    return b"".join(parts)


@given(
    st.lists(st.sampled_from(["a", "A", "a (2)", "a (3)", "a/b", "A/B", "a/b (2)", "\u1e9e", "ss", "SS"]), max_size=40)
)
@tries(150, 20_000)
def test_names_are_each_once_wherever_they_are_unpacked(names: list[str]) -> None:
    unique = unique_names(names)
    assert len({name.casefold() for name in unique}) == len(names)
    assert all(new.startswith(old) for new, old in zip(unique, names, strict=True))


@given(st.binary(max_size=200))
@tries(150, 20_000)
def test_a_section_that_is_not_one_is_said_to_be_none(data: bytes) -> None:
    for packed in (data, zlib.compress(data)):
        try:
            found = archives.contents(packed)
        except ValueError:
            continue
        assert all(len(each) == 2 for each in found)


def test_how_many_of_these_are_tried() -> None:
    functions = [each for name, each in globals().items() if name.startswith("test_") and hasattr(each, "hypothesis")]
    numbers = {each.__name__: each._hypothesis_internal_use_settings.max_examples for each in functions}
    tell(f"names, ranges and zips: {sum(numbers.values())} at most: {numbers}")
    assert len(numbers) == 6
