"""The whole site as `make run` starts it, and what its processes take of the machine (Linux)."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

_PATIENCE = 120.0  # seconds until it answers
# How each program's processes are known by their command lines.
_MARKS = {
    "web": ("gunicorn", "--threads=16"),
    "downloads": ("gunicorn", "--threads=64"),
    "ingest": ("celery", "--queues=ingest,people"),
    "selfie": ("celery", "--queues=selfie"),
    "upkeep": ("celery", "--queues=upkeep"),
}


@dataclass(frozen=True, slots=True)
class WholeSite:
    port: int
    downloads_port: int
    supervisor: int

    def processes(self, program: str) -> list[int]:
        """Of one program, among all that the supervisor started."""
        found = {pid: _words(pid) for pid in _below(self.supervisor)}
        return [pid for pid, words in found.items() if all(mark in words for mark in _MARKS[program])]

    def forget_peaks(self, program: str) -> None:
        for pid in self.processes(program):
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def megabytes(self, program: str, what: str = "VmRSS") -> float:
        """`VmRSS` now, or `VmHWM`, the most since forget_peaks; of the largest process."""
        return max((_status(pid, what) / 1024 for pid in self.processes(program)), default=0.0)

    def descriptors(self, program: str) -> int:
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.processes(program))


@contextmanager
def whole_site(log: Path, **environment: str) -> Iterator[WholeSite]:
    """By the settings of this process's environment, which name a data folder of their own."""
    port, downloads = _free_port(), _free_port()
    address = {"HOST": "127.0.0.1", "PORT": str(port), "PIXORA_DOWNLOADS_PORT": str(downloads)}
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "serve"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=os.environ | address | environment, stdout=out, stderr=out)  # noqa: S603
    try:
        for each in (port, downloads):
            _wait_for(each, process, log)
        yield WholeSite(port, downloads, process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(_PATIENCE)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            client.request("GET", "/healthz")
            client.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return
        finally:
            client.close()
    raise RuntimeError(f"The site did not start:\n{log.read_text(errors='replace')[-4000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _below(pid: int) -> Iterator[int]:
    with suppress(FileNotFoundError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from _below(int(child))


def _words(pid: int) -> list[str]:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return []


def _status(pid: int, name: str) -> int:
    """In kB."""
    with suppress(FileNotFoundError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    return 0
