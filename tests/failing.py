"""An S3 that fails where it is told to: a proxy in front of the one of services.py."""

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from enum import Enum, auto
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

_SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class Fault(Enum):
    SLOW_DOWN = auto()  # 503, as S3 says that it is asked too much
    HANG_UP = auto()  # no answer at all
    CUT = auto()  # half of the body, then no more
    FLIP = auto()  # one bit in the body is another


class Asked(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]


class Failing:
    """`plan` says how a request fails, None for not at all; it is asked by many threads, one at a time."""

    def __init__(self, address: str) -> None:
        self.plan: Callable[[Asked], Fault | None] = lambda asked: None
        self.asked: list[Asked] = []
        self.faults: Counter[Fault] = Counter()
        self.behind = parse_qs(urlsplit(address).query)["endpoint"][0].removeprefix("http://")
        self._lock = threading.Lock()

    def fault_of(self, asked: Asked) -> Fault | None:
        with self._lock:
            self.asked.append(asked)
            fault = self.plan(asked)
            self.faults.update([fault] if fault else [])
            return fault


@contextmanager
def failing(address: str) -> Iterator[tuple[str, Failing]]:
    """Gives the PIXORA_STORAGE that leads through it to the one at `address`, and what tells it how to fail."""
    told = Failing(address)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, told)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield address.replace(told.behind, f"127.0.0.1:{server.server_port}"), told
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, told: Failing, *args: Any) -> None:
        self._told = told
        super().__init__(*args)

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self._told.fault_of(Asked(self.command, self.path, dict(self.headers)))
        if fault is Fault.HANG_UP:
            self.close_connection = True
        elif fault is Fault.SLOW_DOWN:
            self._send(503, {"Content-Type": "application/xml"}, _SLOW_DOWN)
        else:
            self._forward(body, fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815 (names of http.server's)

    def _forward(self, body: bytes, fault: Fault | None) -> None:
        with closing(http.client.HTTPConnection(self._told.behind, timeout=30)) as connection:
            connection.request(self.command, self.path, body or None, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
        headers = {name: value for name, value in answer.getheaders() if name not in ("Connection", "Server")}
        if fault is Fault.FLIP and content:
            content = content[:-1] + bytes([content[-1] ^ 1])
        self._send(answer.status, headers, content, cut=fault is Fault.CUT)

    def _send(self, status: int, headers: dict[str, str], content: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = self.close_connection or cut

    def log_message(self, *args: Any) -> None:
        """Not to the test's output."""
