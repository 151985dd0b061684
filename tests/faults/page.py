"""Uploads as the page does: asks what is missing, sends it, rests and tries again; over slow sockets of its own."""

import http.client
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from tests.faults.album import Uploader, sha256
from tests.faults.machine import Machine

_PATIENCE = 600.0  # seconds for one file
_SILENCE = 60.0  # seconds
_FIRST_REST, _LONGEST_REST = 0.5, 5.0  # seconds; the page's longest is 30
_BOUNDARY = "a-boundary"
# Called with the file's name, how much of the request's body has been sent, and how long it is.
Watch = Callable[[str, int, int], None]


class Trouble(Exception):
    """Nothing wrong with the file: wait and try again."""


class PageUploader(Uploader):
    """`answers` counts the statuses that came, with 0 for a broken connection; `problems` has one body of each."""

    def __init__(self, machine: Machine, seed: int, watch: Watch | None = None) -> None:
        super().__init__(machine)
        self.answers: Counter[int] = Counter()
        self.problems: dict[int, dict[str, Any]] = {}
        self._seed, self._watch = seed, watch
        self._host, _, self._port = machine.site.url.removeprefix("http://").rpartition(":")
        self._lock = threading.Lock()

    def send_all(self, files: dict[str, bytes], at_once: int = 3) -> None:
        with ThreadPoolExecutor(at_once) as lanes:
            for sent in [lanes.submit(self._send_one, name, data) for name, data in files.items()]:
                sent.result()

    def _send_one(self, name: str, data: bytes) -> None:
        rest, deadline = _FIRST_REST, time.monotonic() + _PATIENCE
        chance = random.Random(f"{self._seed} {name}")
        while time.monotonic() < deadline:
            try:
                # An answer that never came may have been a yes.
                if self._is_missing(name, data):
                    self._post_slowly(name, data, chance)
                with self._lock:
                    self.acknowledged.add(sha256(data))
                return
            except Trouble:
                time.sleep(rest * chance.uniform(0.75, 1.25))
                rest = min(2 * rest, _LONGEST_REST)
        raise AssertionError(f"{name} did not arrive within {_PATIENCE:.0f} s: {self.answers}")

    def _is_missing(self, name: str, data: bytes) -> bool:
        wanted = {"files": [{"name": name, "size": len(data), "sha256": sha256(data)}]}
        answer = self._ask("photos/check/", "application/json", json.dumps(wanted).encode(), lambda sent: None)
        return sha256(data) in answer["missing"]

    def _post_slowly(self, name: str, data: bytes, chance: random.Random) -> None:
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        body = head.encode() + b"Content-Type: image/jpeg\r\n\r\n" + data + f"\r\n--{_BOUNDARY}--\r\n".encode()

        def sent(length: int) -> None:
            if self._watch:
                self._watch(name, length, len(body))
            time.sleep(chance.uniform(0, 0.05))

        answer = self._ask("photos/", f"multipart/form-data; boundary={_BOUNDARY}", body, sent, chance)
        assert not answer["rejected"], answer

    def _ask(
        self,
        path: str,
        content_type: str,
        body: bytes,
        sent: Callable[[int], None],
        chance: random.Random | None = None,
    ) -> dict[str, Any]:
        try:
            status, content = self._exchange(path, content_type, body, sent, chance)
        except (OSError, http.client.HTTPException) as error:
            status, content = 0, repr(error).encode()
        with self._lock:
            self.answers[status] += 1
        if status in (200, 201):
            return dict(json.loads(content))
        if status == 0 or status >= 500:
            if status:
                self.problems[status] = json.loads(content)
            raise Trouble(status)
        raise AssertionError(f"{path}: {status} {content!r}")

    def _exchange(
        self, path: str, content_type: str, body: bytes, sent: Callable[[int], None], chance: random.Random | None
    ) -> tuple[int, bytes]:
        head = (
            f"POST /api/v1/albums/{self.album}/{path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Authorization: {self.photographer.session.headers['Authorization']!s}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        with closing(socket.create_connection((self._host, int(self._port)), timeout=_SILENCE)) as connection:
            connection.sendall(head.encode())
            position = 0
            while position < len(body):
                step = chance.randrange(1, len(body) // 2) if chance else len(body)
                connection.sendall(body[position : position + step])
                position = min(position + step, len(body))
                sent(position)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return answer.status, answer.read()
