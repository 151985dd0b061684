"""Files whose structure was altered: reading them never fails but with Odd, and no note of theirs is ever passed on.

What is no fault: a note that an alteration makes part of the picture's own bytes, which only decoding would show. So no
note between the scans of a JPEG is altered, and nothing is taken out of a HEIC, whose table says where pixels lie.
"""

import io
import os
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.stripping import heif, jpeg, png, webp
from galleries.stripping.pieces import Odd, Piece, Source, pack
from tests import noted
from tests.noted import CANARY

Reader = Callable[[Source], list[Piece]]
READERS: dict[str, Reader] = {"JPEG": jpeg.pieces, "PNG": png.pieces, "WebP": webp.pieces, "HEIC": heif.pieces}
NOTED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "JPEG": ("JPEG", lambda: noted.jpeg(small=True)),
    "JPEG, progressive": ("JPEG", lambda: noted.jpeg(small=True, progressive=True)),
    "JPEG, restarts": ("JPEG", lambda: noted.jpeg(small=True, restart_marker_blocks=2)),
    "PNG": ("PNG", lambda: noted.png(small=True)),
    "WebP": ("WebP", lambda: noted.webp(small=True)),
    "HEIC": ("HEIC", lambda: noted.heic(small=True)),
    "HEIC, tiled": ("HEIC", lambda: noted.tiled_heic(small=True)),
    "HEIC, transparent": ("HEIC", lambda: noted.heic(small=True, transparent=True)),
}
ROUNDS = 20_000 if os.environ.get("FUZZ") == "long" else 400


def passed_on(reader: Reader, data: bytes) -> bytes:
    """What a guest would get; b"" for nothing."""
    source = Source(io.BytesIO(data))
    try:
        pieces = reader(source)
        pack(pieces)
    except Odd:
        return b""
    return b"".join(each if isinstance(each, bytes) else source.read(*each) for each in pieces)


def altered(whole: bytes, chance: random.Random, *, shifting: bool) -> bytes:
    """A few bytes set, cut off, or if it may be `shifting` taken out; mostly where the structure is: early."""
    data = bytearray(whole)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        place = min(int(chance.expovariate(8 / len(data))), len(data) - 1)
        if chance.random() < 0.8:
            turned = data[place] ^ 1 << chance.randrange(8)
            data[place] = chance.choice((0, 1, 2, 255, 0xD0, chance.randrange(256), turned))
        elif shifting and chance.random() < 0.9:
            del data[place : place + chance.choice((1, 2, 4, chance.randrange(1, 64)))]
        else:
            del data[chance.randrange(len(data)) :]
        if not data:
            return b""
    return bytes(data)


@pytest.mark.parametrize(("kind", "make"), NOTED.values(), ids=NOTED.keys())
def test_an_altered_file_never_passes_on_a_note(kind: str, make: Callable[[], bytes]) -> None:
    whole, chance = make(), random.Random(4711)
    assert passed_on(READERS[kind], whole)
    for number in range(ROUNDS):
        data = altered(whole, chance, shifting=kind != "HEIC")
        assert CANARY not in passed_on(READERS[kind], data), f"round {number}"


@given(st.binary(max_size=300), st.sampled_from(sorted(READERS)))
@settings(deadline=None, max_examples=ROUNDS)
def test_noise_behind_a_beginning_is_read_or_refused(noise: bytes, kind: str) -> None:
    beginnings = {"JPEG": b"\xff\xd8", "PNG": b"\x89PNG\r\n\x1a\n", "WebP": b"RIFF\x40\1\0\0WEBPVP8X", "HEIC": b""}
    passed_on(READERS[kind], beginnings[kind] + noise)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "HEIC"])
def test_a_reader_of_one_format_refuses_all_others(kind: str) -> None:
    for other, make in NOTED.values():
        if other != kind:
            assert passed_on(READERS[kind], make()) == b""
