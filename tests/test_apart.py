"""A decoder in a process of its own: it may die of a picture, and says of what."""

import multiprocessing
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galleries import apart, images
from tests import pictures

Save = Callable[[bytes], Path]


def test_a_decoder_apart_gives_the_same_pixels(save: Save) -> None:
    path = save(pictures.oriented_jpeg(pictures.faceless(), 6))
    here, apart = images.decode(path, 300), images.decode_apart(path, 300)
    np.testing.assert_array_equal(here.pixels, apart.pixels)
    assert (here.width, here.height) == (apart.width, apart.height)
    assert apart.pixels.flags.writeable


def test_a_decoder_apart_tells_bad_photos_from_bad_disks(save: Save, tmp_path: Path) -> None:
    with pytest.raises(images.ImageRejected) as refusal:
        images.decode_apart(save(pictures.truncated_jpeg()), 300)
    assert refusal.value.code == "damaged"
    with pytest.raises(FileNotFoundError):
        images.decode_apart(tmp_path / "missing.jpg", 300)


def test_a_decoder_apart_that_wants_too_much_memory_is_a_fault_of_the_photo(save: Save) -> None:
    path = save(pictures.png(Image.new("RGB", (10_000, 10_000))))
    with pytest.raises(images.DecoderFault) as fault:
        images.decode_apart(path, 300, memory_bytes=500 << 20)
    assert fault.value.reason == "memory"


def test_a_decoder_in_a_worker_gets_so_much_memory_and_leaves_the_rest(save: Save) -> None:
    path = save(pictures.png(Image.new("RGB", (10_000, 10_000))))
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(MemoryError):
        images.decode_bounded(path, 300, memory_bytes=100 << 20)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert images.decode_bounded(path, 300).width == 10_000


def test_a_decoder_apart_that_takes_too_long_is_a_fault_of_the_photo(save: Save) -> None:
    with pytest.raises(images.DecoderFault) as fault:
        images.decode_apart(save(pictures.jpeg(pictures.faceless())), 300, seconds=0)
    assert fault.value.reason == "time"


@pytest.mark.parametrize(
    ("ended_by", "reason"), [(signal.SIGSEGV, "crash"), (signal.SIGXCPU, "time"), (signal.SIGKILL, "memory")]
)
def test_the_signal_that_ended_a_decoder_says_what_the_photo_did(ended_by: signal.Signals, reason: str) -> None:
    with pytest.raises(images.DecoderFault) as fault:
        apart._verdict_of(ended(ended_by))
    assert fault.value.reason == reason


def test_a_decoder_that_was_told_to_stop_is_no_fault_of_the_photo() -> None:
    with pytest.raises(RuntimeError, match="ended with -15"):
        apart._verdict_of(ended(signal.SIGTERM))


def ended(by: signal.Signals) -> subprocess.CompletedProcess[bytes]:
    """A real process that this signal has ended."""
    program = """if True:
        import os, resource, sys
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), int(sys.argv[1]))
    """
    return subprocess.run([sys.executable, "-c", program, str(int(by))], capture_output=True, check=False)


def decode_apart_into(queue: "multiprocessing.SimpleQueue[int]", path: Path) -> None:
    queue.put(images.decode_apart(path, 300).width)


def test_a_daemonic_worker_may_decode_apart(save: Save) -> None:
    """Celery's prefork children are daemonic: multiprocessing would refuse them a child."""
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    worker = context.Process(
        target=decode_apart_into, args=(queue, save(pictures.jpeg(pictures.faceless()))), daemon=True
    )
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert queue.get() == 600
