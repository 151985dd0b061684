"""Runs a decoder in a child process, so that hostile bytes can end no more than that. The child is `images` itself.

And bounds what a decoder may take of a process that does other work too.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from galleries.formats import ImageRejected

_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGSYS)
_FAULTS: Final[dict[int, str]] = {signal.SIGXCPU: "time", signal.SIGKILL: "memory"} | {
    int(crash): "crash" for crash in _CRASHES
}


class DecoderFault(Exception):
    """The decoder died of this picture. `reason` is one of crash, time, memory."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def run(module: str, arguments: Iterable[object], *, seconds: int) -> tuple[dict[str, Any], bytes]:
    """What the child prints: a line of JSON, then bytes.

    Raises ImageRejected and OSError as the child met them, and DecoderFault when it died of the picture.
    """
    try:
        child = subprocess.run(  # noqa: S603 -- our own interpreter and module; a path is one argument
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=Path(__file__).resolve().parent.parent,
            env=_bare_environment(),
            capture_output=True,
            timeout=seconds,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DecoderFault("time") from error
    return _verdict_of(child)


def _bare_environment() -> dict[str, str]:
    """No secret of ours reaches a process that reads hostile bytes. One thread: each would take address space."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _verdict_of(child: subprocess.CompletedProcess[bytes]) -> tuple[dict[str, Any], bytes]:
    """SIGKILL counts as memory, for so the kernel ends what takes too much. Another end is no fault of the photo."""
    if reason := _FAULTS.get(-child.returncode):
        raise DecoderFault(reason)
    if child.returncode != 0:
        raise RuntimeError(f"the decoder ended with {child.returncode}: {child.stderr[-2000:]!r}")
    header, _, body = child.stdout.partition(b"\n")
    answer: dict[str, Any] = json.loads(header)
    if "rejected" in answer:
        raise ImageRejected(**answer["rejected"])
    if "fault" in answer:
        raise DecoderFault(answer["fault"])
    if "error" in answer:
        raise OSError(*answer["error"])
    return answer, body


def limit_this_process(seconds: int, memory_bytes: int) -> None:
    import resource  # not on every system that can run the site

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


@contextmanager
def at_most(memory_bytes: int) -> Iterator[None]:
    """Within, this process gets so much more data (RLIMIT_DATA) and then a MemoryError, before the kernel would end
    whatever is largest on the machine. It counts for all threads, so only one may decode at a time.
    """
    used = _data_bytes()
    if used is None:
        yield
        return
    import resource  # not on every system that can run the site

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    room = [limit for limit in (used + memory_bytes, soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(room), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_bytes() -> int | None:
    """What RLIMIT_DATA counts: the private writable memory of this process (proc(5), statm). None but on Linux."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return None
