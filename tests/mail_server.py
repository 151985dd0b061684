"""A mail server that takes mail by SMTP, and refuses, puts off, hangs up or says nothing where it is told to."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Post:
    """What it has taken, and its answers to come: to each RCPT or to each DATA, in turn; "" for a yes."""

    taken: list[EmailMessage] = field(default_factory=list)
    connections: int = 0
    to_address: list[str] = field(default_factory=list)
    to_data: list[str] = field(default_factory=list)

    async def handle_EHLO(  # noqa: N802 (aiosmtpd asks for these names)
        self, server: Any, session: Any, envelope: Any, hostname: str, said: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections += 1
        return said

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if answer := self.to_address.pop(0) if self.to_address else "":
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = self.to_data.pop(0) if self.to_data else ""
        if answer == "hang up":
            server.transport.abort()
        if answer:
            return answer
        self.taken.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@contextmanager
def serving(settings: Any, post: Post, port: int = 0) -> Iterator[int]:
    """Serves, and points the site to it. Gives the port, on which it may serve anew."""
    controller = Controller(post, hostname="127.0.0.1", port=port or free_port())
    controller.start()
    settings.PIXORA_MAIL_TRANSPORT = "django.core.mail.backends.smtp.EmailBackend"
    settings.PIXORA_MAIL_IS_LOCAL = False
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", controller.port
    try:
        yield controller.port
    finally:
        controller.stop()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
