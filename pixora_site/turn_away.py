"""What becomes of requests that all threads are too busy for: a quick word when to come again, and no endless wait.

A request costs a page's time only if a thread takes it up; so those that have waited behind too many others are turned
away at once, and whoever comes then is served. Health checks and static files are always answered.
"""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from math import ceil
from typing import Any

from gunicorn.http.message import Request
from gunicorn.workers.gthread import ThreadWorker

# So many requests may wait for each thread.
WAITING_A_THREAD = 4
_ALWAYS = ("/healthz", "/readyz", "/metrics", "/static/")
_LONGEST_WAIT = 30
_WORDS = "Very many people are here right now. Try again in a moment."


class CountingPool(ThreadPoolExecutor):
    """Knows how many requests wait for a thread, and for how long the next one would."""

    def __init__(self, threads: int) -> None:
        super().__init__(max_workers=threads)
        self.threads, self.waiting = threads, 0
        self._seconds_each = 0.1
        self._lock = threading.Lock()

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self._count(1)
        return super().submit(self._work, work, *args, **kwargs)

    def is_overfull(self) -> bool:
        return self.waiting > WAITING_A_THREAD * self.threads

    def seconds_to_wait(self) -> int:
        return min(_LONGEST_WAIT, max(1, ceil(self.waiting * self._seconds_each / self.threads)))

    def _work(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._count(-1)
        start = time.monotonic()
        try:
            return work(*args, **kwargs)
        finally:
            self._seconds_each += (time.monotonic() - start - self._seconds_each) / 20

    def _count(self, change: int) -> None:
        with self._lock:
            self.waiting += change


class Worker(ThreadWorker):
    """gunicorn's threaded worker, which by itself lets any number of requests wait."""

    tpool: CountingPool

    def get_thread_pool(self) -> CountingPool:
        return CountingPool(self.cfg.threads)

    def handle_request(self, req: Request, conn: Any) -> bool:
        if not self.tpool.is_overfull() or req.path.startswith(_ALWAYS):
            return bool(super().handle_request(req, conn))
        conn.sock.sendall(_refusal(req.path, self.tpool.seconds_to_wait()))
        # Closed: a connection kept for later would stand in the queue once more, only to be found ended.
        return False


def _refusal(path: str, seconds: int) -> bytes:
    body, content_type = _problem() if path.startswith("/api/") else (_WORDS.encode(), "text/plain; charset=utf-8")
    headers = {"Content-Type": content_type, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
    # A browser that shows a page asks again by itself.
    headers |= {"Retry-After": str(seconds), "Refresh": str(seconds), "Connection": "close"}
    lines = ["HTTP/1.1 429 Too Many Requests", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def _problem() -> tuple[bytes, str]:
    body = {"type": "about:blank", "title": "Too many requests", "status": 429, "detail": _WORDS, "code": "busy"}
    return json.dumps(body).encode(), "application/problem+json"
