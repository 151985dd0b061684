"""A real web server, as `manage.py serve` runs it, and people who ask it things."""

import http.client
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings

_PATIENCE = 60.0  # seconds
_CHUNK = 1 << 20
Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Server:
    port: int

    def download(self, path: str, headers: Headers) -> float:
        """Seconds until the last byte."""
        client = self._client()
        start = time.perf_counter()
        answer = _answer(client, path, headers)
        while answer.read(_CHUNK):
            pass
        taken = time.perf_counter() - start
        client.close()
        return taken

    def slowest_first_byte(self, path: str, headers: Headers, viewers: int, asks: int) -> float:
        """Seconds to the first byte of the answer, the 95th of 100, with so many viewers asking at once."""
        with ThreadPoolExecutor(viewers) as pool:
            waits = pool.map(lambda _: self._waits(path, headers, asks), range(viewers))
            return statistics.quantiles([wait for each in waits for wait in each], n=20)[-1]

    def _waits(self, path: str, headers: Headers, asks: int) -> list[float]:
        client, waits = self._client(), []
        for _ in range(asks):
            start = time.perf_counter()
            answer = _answer(client, path, headers)
            answer.read(1)
            waits.append(time.perf_counter() - start)
            answer.read()
        client.close()
        return waits

    def _client(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)


def _answer(client: http.client.HTTPConnection, path: str, headers: Headers) -> http.client.HTTPResponse:
    client.request("GET", path, headers=dict(headers))
    answer = client.getresponse()
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(f"{path} answered {answer.status}")
    return answer


@contextmanager
def serving() -> Iterator[Server]:
    """Pixora's web program, by the settings of this process's environment."""
    server = Server(_free_port())
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "serve", "web"]
    address = {"HOST": "127.0.0.1", "PORT": str(server.port)}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=os.environ | address, stdout=quiet, stderr=quiet)  # noqa: S603 (our own)
    try:
        _wait_for(lambda: server.download("/healthz", {}), process)
        yield server
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _wait_for(question: Callable[[], float], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            question()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("The web server did not start.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
