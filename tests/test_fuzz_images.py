"""The image gate against mutated pictures: each is refused in words, or becomes a picture within the limits.

Nothing else may be raised, in a process that may have 1 GB; a decoder that dies is no fault of ours, but is counted.
"""

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings

from galleries import images
from tests import fuzzed_images
from tests.fuzzing import LONG, tell

SEED = int(os.environ.get("SEED", random.randrange(10_000) if LONG else 1))
TRIED = 120_000 if LONG else 900
# A decoder that takes longer for one small picture hangs.
PATIENCE = 60


def one_process(seed: int, first: int, last: int) -> tuple[dict[int, str], int | None]:
    """What became of each, and the number that the process died of."""
    command = [sys.executable, "-m", "tests.fuzzed_images", *map(str, (seed, first, last))]
    try:
        done = subprocess.run(
            command, cwd=settings.BASE_DIR, capture_output=True, timeout=PATIENCE + (last - first) / 20, check=False
        )
        out, complaints = done.stdout, done.stderr.decode()
    except subprocess.TimeoutExpired as hung:
        out, complaints = hung.stdout or b"", "it hung"
    lines = out.decode().splitlines()
    told = {int(line.partition(" ")[0]): line.partition(" ")[2] for line in lines}
    died_of = next((number for number, words in told.items() if not words), None)
    assert died_of is not None or len(told) == last - first, complaints
    return told, died_of


def test_no_mutated_picture_gets_past_the_gate_and_none_is_answered_by_an_error() -> None:
    told: dict[int, str] = {}
    deaths: list[int] = []
    at = 0
    while at < TRIED:
        seen, died_of = one_process(SEED, at, min(at + 3_000, TRIED))
        told |= seen
        at = died_of + 1 if died_of is not None else min(at + 3_000, TRIED)
        deaths += [] if died_of is None else [died_of]
    wrong = {number: words for number, words in told.items() if words.startswith("WRONG")}
    assert not wrong, f"python -m tests.fuzzed_images --write {SEED} NUMBER FILE: {dict(list(wrong.items())[:10])}"
    counts = Counter(told.values())
    tell(f"images: seed {SEED}, {len(told)} tried, decoders died of {deaths}: {dict(counts)}")
    # Or the mutations are so rough that nothing is tried but the first bytes.
    assert counts["picture"] > TRIED / 20
    assert counts["damaged"] > TRIED / 20
    assert len(deaths) <= TRIED / 1_000, deaths


@pytest.mark.parametrize("number", range(6 if LONG else 2))
def test_apart_they_fare_the_same(tmp_path: Path, number: int) -> None:
    """As a second attempt decodes: in a child of its own."""
    path = tmp_path / "picture"
    chosen = range(40 * number, 40 * number + (40 if LONG else 4))
    for each in chosen:
        path.write_bytes(fuzzed_images.mutated(SEED, each))
        outcomes = []
        for decode in (images.decode, images.decode_apart):
            try:
                outcomes.append(str(decode(path, 128).pixels.shape))
            except images.ImageRejected as rejected:
                outcomes.append(rejected.code)
            except (images.DecoderFault, MemoryError):
                outcomes.append("fault")
        assert outcomes[0] == outcomes[1], each
