"""What becomes of requests that all threads are too busy for: a quick word when to come again, and no endless wait.

And no waiting for clients where others wait: neither for the first byte of one, nor for one to close its connection.

A request costs a page's time only if a thread takes it up; so those that have waited behind too many others are turned
away at once, and whoever comes then is served. Health checks and static files are always answered.
"""

import json
import selectors
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from math import ceil
from typing import Any

from gunicorn.http.message import Request
from gunicorn.workers.gthread import ThreadWorker

# So many requests may wait for each thread.
WAITING_A_THREAD = 4
_ALWAYS = ("/healthz", "/readyz", "/metrics", "/static/")
_LONGEST_WAIT = 30
# Who is answered and hung up on may still be sending; closed at once, they would lose the answer.
_LEAVING_SECONDS = 2.0
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Until when each may close its side.
        self._leaving: dict[socket.socket, float] = {}

    def get_thread_pool(self) -> CountingPool:
        return CountingPool(self.cfg.threads)

    def enqueue_req(self, conn: Any) -> None:
        """gunicorn has a thread wait 5 s for the first byte, and browsers open connections before they need them."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        conn.sock.setblocking(False)
        conn.set_timeout()
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def finish_request(self, conn: Any, future: Future[Any]) -> None:
        """gunicorn has the one loop of all connections wait up to 2 s for this client to close its side."""
        conn.close = partial(self._close, conn.sock)
        super().finish_request(conn, future)

    def murder_pending(self) -> None:
        super().murder_pending()
        now = time.monotonic()
        for sock in [sock for sock, until in self._leaving.items() if until <= now]:
            self._drop(sock)

    def _cap_keepalive(self, deadline: float) -> None:
        """At the stop, those who have said nothing yet are not waited for any longer than those who have."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _close(self, sock: socket.socket, graceful: bool = False) -> None:
        if graceful:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
                sock.setblocking(False)
                self.poller.register(sock, selectors.EVENT_READ, self._drain)
                self._leaving[sock] = time.monotonic() + _LEAVING_SECONDS
                return
        sock.close()

    def _drain(self, sock: socket.socket) -> None:
        try:
            still_sending = bool(sock.recv(65536))
        except BlockingIOError:
            return
        except OSError:
            still_sending = False
        if not still_sending:
            self._drop(sock)

    def _drop(self, sock: socket.socket) -> None:
        del self._leaving[sock]
        self.poller.unregister(sock)
        sock.close()

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
    headers |= {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
    headers |= {"Retry-After": str(seconds), "Refresh": str(seconds), "Connection": "close"}
    lines = ["HTTP/1.1 429 Too Many Requests", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def _problem() -> tuple[bytes, str]:
    body = {"type": "about:blank", "title": "Too many requests", "status": 429, "detail": _WORDS, "code": "busy"}
    return json.dumps(body).encode(), "application/problem+json"
