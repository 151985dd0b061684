"""Runs the whole site for a test, by the command that `make run` ends in."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 90.0  # seconds; it is up in a few


@dataclass(frozen=True)
class Site:
    url: str
    data_dir: Path
    supervisor: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)

    def manage(self, *words: str) -> str:
        """What a management command prints; it acts on this site's data."""
        command = [sys.executable, "manage.py", *words]
        variables = environment(self.data_dir, **self.settings)
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True)
        return done.stdout

    def token(self, email: str) -> str:
        return self.manage("create_token", email, "--create").splitlines()[-1]

    def log(self) -> str:
        return (self.data_dir / "serve.log").read_text(errors="replace")


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 180) -> Any:
    """What the condition gives, once that is true; 180 s, because a killed worker's photo rests for its lease of 60."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what} did not happen within {seconds:.0f} s")


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PIXORA_", "DJANGO_"))}
    settings = {
        "PIXORA_DATA_DIR": str(data_dir),
        "DJANGO_SETTINGS_MODULE": "pixora_site.settings",
        "PIXORA_SECRET_KEY": "a key of the tests, which all programs of a site share",
    }
    return inherited | settings | more


@contextmanager
def running_site(data_dir: Path, **more: str) -> Iterator[Site]:
    port = free_port()
    command = [sys.executable, "manage.py", "serve"]
    with (data_dir / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(data_dir, PORT=str(port), **more), stdout=log, stderr=log
        )
    site = Site(f"http://127.0.0.1:{port}", data_dir, process.pid, more)
    try:
        _wait_until_up(site, process)
        yield site
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(_PATIENCE)


def _wait_until_up(site: Site, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if "Pixora is running at" in site.log():
            return
        time.sleep(0.1)
    raise RuntimeError(f"The site did not start:\n{site.log()}")


def free_port() -> int:
    """One that is free now, and so is the next, where downloads go."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
