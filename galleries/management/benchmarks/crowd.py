"""Many people at once: guests who look through an album, guests who search, phones that fetch zips slowly."""

import hashlib
import http.client
import json
import random
import statistics
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .site import Headers

_PATIENCE = 120.0
_CHUNK = 1 << 20
_BOUNDARY = "pixora-bench"


@dataclass
class Told:
    """What a crowd was answered: how often which status, how long each kind took, and what no 429 may lack."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    without_retry_after: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, answer: http.client.HTTPResponse, seconds: float) -> None:
        with self.lock:
            self.statuses[answer.status] += 1
            self.seconds.setdefault(kind, []).append(seconds)
            self.without_retry_after += answer.status == http.HTTPStatus.TOO_MANY_REQUESTS and (
                not answer.headers["Retry-After"]
            )

    def quantile(self, kind: str, hundredth: int) -> float:
        taken = self.seconds.get(kind) or [0.0]
        return statistics.quantiles(taken, n=100)[hundredth - 1] if len(taken) > 1 else taken[0]

    def count(self, hundred: int) -> int:
        return sum(count for status, count in self.statuses.items() if status // 100 == hundred)


class Somebody:
    """One client with one connection."""

    def __init__(self, port: int, told: Told, headers: Headers | None = None) -> None:
        self._client = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        self._told, self.headers = told, dict(headers or {})

    def ask(self, kind: str, path: str, method: str = "GET", body: bytes | None = None, **more: str) -> bytes:
        start = time.perf_counter()
        for attempt in (1, 2):
            try:
                self._client.request(method, path, body=body, headers=self.headers | more)
                answer = self._client.getresponse()
                break
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # A kept connection that the server had closed meanwhile.
                self._client.close()
                if attempt == 2:
                    raise
        content = answer.read()
        self._told.note(kind, answer, time.perf_counter() - start)
        return content

    def post(self, kind: str, path: str, fields: dict[str, str]) -> dict[str, str]:
        answer = self.ask(kind, path, "POST", json.dumps(fields).encode(), **{"Content-Type": "application/json"})
        return dict(json.loads(answer or b"{}"))

    def send_files(self, kind: str, path: str, name: str, files: list[bytes], fields: dict[str, str]) -> bytes:
        parts = [
            f'Content-Disposition: form-data; name="{key}"\r\n\r\n{value}'.encode() for key, value in fields.items()
        ]
        head = 'Content-Disposition: form-data; name="{}"; filename="{}.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        parts += [head.format(name, uuid.uuid4().hex).encode() + data for data in files]
        body = (
            b"".join(f"--{_BOUNDARY}\r\n".encode() + part + b"\r\n" for part in parts) + f"--{_BOUNDARY}--\r\n".encode()
        )
        return self.ask(kind, path, "POST", body, **{"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"})


def together(works: list[threading.Thread]) -> None:
    for work in works:
        work.start()
    for work in works:
        work.join()


@dataclass(frozen=True, slots=True)
class Download:
    first_byte: float
    whole: float
    length: int


def download(port: int, path: str, headers: Headers) -> Download:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    start = time.perf_counter()
    client.request("GET", path, headers=dict(headers))
    answer = client.getresponse()
    length = len(answer.read(1))
    first = time.perf_counter() - start
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(f"{path} answered {answer.status}")
    buffer = bytearray(_CHUNK)
    while got := answer.readinto(buffer):
        length += got
    client.close()
    return Download(first, time.perf_counter() - start, length)


def resumed(port: int, path: str, headers: Headers, size: int, times: int) -> int:
    """How often a download that broke off at a random byte, and went on from there, equals the whole."""
    etag, whole = _digest(port, path, headers)
    cuts = random.Random(7)  # noqa: S311 (where downloads break off)
    return sum(_broken_off(port, path, headers, cuts.randrange(1, size), etag) == whole for _ in range(times))


def _digest(port: int, path: str, headers: Headers) -> tuple[str, str]:
    digest = hashlib.sha256()
    answer = _open(port, path, headers)
    while chunk := answer.read(_CHUNK):
        digest.update(chunk)
    return answer.headers["ETag"], digest.hexdigest()


def _broken_off(port: int, path: str, headers: Headers, cut: int, etag: str) -> str:
    digest, missing = hashlib.sha256(), cut
    answer = _open(port, path, headers)
    while missing:
        chunk = answer.read(min(_CHUNK, missing))
        digest.update(chunk)
        missing -= len(chunk)
    answer.close()
    rest = _open(port, path, dict(headers) | {"Range": f"bytes={cut}-", "If-Range": etag})
    while chunk := rest.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest() if rest.status == http.HTTPStatus.PARTIAL_CONTENT else "not resumed"


def _open(port: int, path: str, headers: Headers) -> http.client.HTTPResponse:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    client.request("GET", path, headers=dict(headers))
    return client.getresponse()


@contextmanager
def slow_phones(count: int, port: int, path: str, headers: Headers) -> Iterator[None]:
    """So many who fetch the zip at about a megabyte a second each, until the context ends."""
    over = threading.Event()

    def fetch() -> None:
        answer = _open(port, path, headers)
        while not over.is_set() and answer.read(100_000):
            over.wait(0.1)
        answer.close()

    phones = [threading.Thread(target=fetch) for _ in range(count)]
    for phone in phones:
        phone.start()
    try:
        yield
    finally:
        over.set()
        for phone in phones:
            phone.join()
