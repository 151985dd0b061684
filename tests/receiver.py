"""A photographer's own server, which webhooks are sent to: a real one, on this machine; and who listens there."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from galleries.flows import delivery as delivery_flow
from galleries.flows import webhook as webhook_flow
from galleries.models import Delivery, User, Webhook
from galleries.models.webhook import Event

# What allows webhooks to reach it.
NETWORKS = ["127.0.0.0/8", "::1/128"]
ALL = [event.value for event in Event]


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    port: int = 0
    received: list[Received] = field(default_factory=list)
    # What it answers, and what it does before it answers.
    status: int = 200
    location: str = ""
    before: Callable[[Any], None] = lambda _: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def said(self) -> list[Any]:
        return [each.said for each in self.received]


@contextmanager
def receiver(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    known = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            known.received.append(Received(self.path, dict(self.headers), body))
            # Who asked may have gone.
            with suppress(OSError):
                known.before(self)
                self.answer()

        def answer(self) -> None:
            self.send_response(known.status)
            if known.location:
                self.send_header("Location", known.location)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = True
        # Not to wait for one that drips.
        server.block_on_close = False
        known.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield known
        finally:
            server.shutdown()
            thread.join()


def listening(owner: User, server: Receiver, *events: str, albums: Any = ()) -> Webhook:
    return webhook_flow.make(owner, url=server.url, events=events or ALL, albums=albums)[0]


def deliver() -> None:
    """What upkeep's worker does of it."""
    while Delivery.objects.due().exists():
        delivery_flow.work()
