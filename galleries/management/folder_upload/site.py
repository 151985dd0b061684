"""The site, over its API: each question asked once, or until it is answered."""

import random
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, TypeVar
from urllib.parse import urlsplit

from .answers import Away, Refused, judged, why
from .folder import File
from .form import Body, plain

_Found = TypeVar("_Found")

SILENCE = 60  # seconds without a byte moving before a request is given up
CHECK_FILES = 1000  # as many as the API takes
_FIRST_REST, _LONGEST_REST = 0.5, 30.0
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ALBUM = re.compile(rf"/(?:api/v1/)?albums/({_UUID})(?:/.*)?")


class Stopped(Exception):
    """Somebody ended it meanwhile."""


@dataclass(frozen=True, slots=True)
class Checked:
    """By SHA-256: what the album has, why there is no room, and the photo whose name a missing file has."""

    here: set[str]
    without_room: dict[str, str]
    namesakes: dict[str, str]


def split_address(address: str) -> tuple[str, str]:
    """Give the site's own address, and the album's id where it is an album's, else "". Raises Refused."""
    try:
        parts = urlsplit(address.strip())
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise Refused(f"{address} is no address: write one that begins with https://, as the browser shows it.")
    if parts.username or parts.password:
        raise Refused("Leave the name and the password out of the address; a token is what opens it.")
    site = f"{parts.scheme}://{parts.netloc}"
    if found := _ALBUM.fullmatch(parts.path.lower()):
        return site, found[1]
    if parts.path in ("", "/", "/albums/", "/api/v1/"):
        return site, ""
    raise Refused(f"{address} is not the address of an album, nor of a site.")


@dataclass
class Site:
    """`waiting(words)` is told why nothing moves, and "" when it moves again. It gives up on a site that has not
    answered for `patience` seconds.
    """

    address: str
    token: str
    patience: float
    waiting: Callable[[str], None]
    stop: threading.Event = field(default_factory=threading.Event)
    outages: int = 0
    _own: threading.local = field(default_factory=threading.local)
    _open: set[HTTPConnection] = field(default_factory=set)

    # The album's verbs

    def find_or_make_album(self, title: str) -> str:
        """The id of the album of that title which one may add photos to. Raises Refused, Away."""
        path, found = "/api/v1/albums/?limit=1000", []
        while path:
            page = self.once("GET", path)
            found += [each for each in page["results"] if each["title"] == title and each["role"] != "viewer"]
            # Of the address only what is behind the host: the token goes to nobody else.
            following = urlsplit(page["next"] or "")
            path = f"{following.path}?{following.query}" if following.path else ""
        if len(found) > 1:
            addresses = ", ".join(f"{self.address}/albums/{each['id']}/" for each in found)
            raise Refused(f"There are {len(found)} albums called {title}; give the address of one: {addresses}")
        return str((found or [self.once("POST", "/api/v1/albums/", Body.of_json({"title": title}))])[0]["id"])

    def check(self, album: str, files: Sequence[tuple[File, str]]) -> Checked:
        """What the album has of files with their SHA-256. Raises Refused, Away."""
        asked = [
            {"name": plain(file.path.name), "path": plain(file.name), "size": file.size, "sha256": sha256}
            for file, sha256 in files
        ]
        answer = self.once("POST", f"/api/v1/albums/{album}/photos/check/", Body.of_json({"files": asked}))
        return Checked(
            set(answer["duplicate"]),
            {each["sha256"]: each["detail"] for each in answer["over_quota"]},
            {each["sha256"]: each["id"] for each in answer["same_name"]},
        )

    def send(self, album: str, body: Body) -> dict[str, Any]:
        """The reception of one file. Raises Refused, Away, and what reading the file raises."""
        return self.once("POST", f"/api/v1/albums/{album}/photos/", body)

    # Asking

    def patiently(self, ask: Callable[[], _Found], *, broken: bool = True) -> _Found:
        """The answer, as soon as there is one. Raises Refused, Stopped, Away when patience is over; with `broken` false
        also when a connection breaks.
        """
        began, tries = time.monotonic(), 0
        while True:
            try:
                found = ask()
            except Away as away:
                if self.stop.is_set():
                    raise Stopped from away
                rest = _rest(away.seconds, tries)
                if (away.broken and not broken) or time.monotonic() - began + rest > self.patience:
                    raise
                self.outages += 1
                tries += 1
                self.waiting(f"{away} Trying again in {rest:.0f} s.")
                self.stop.wait(rest)
            else:
                if tries:
                    self.waiting("")
                return found

    def once(self, method: str, path: str, body: Body | None = None) -> Any:
        """The JSON of a yes. Raises Refused, Away, Stopped, and what the body raises."""
        if self.stop.is_set():
            raise Stopped
        try:
            status, headers, data = self._exchange(method, path, body)
        except (OSError, HTTPException) as error:
            raise Away(why(error)) from error
        return judged(status, headers, data)

    def break_off(self) -> None:
        """Whatever is under way in any thread; a file that is not sent wholly leaves nothing at the site."""
        self.stop.set()
        for connection in list(self._open):
            with suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def hang_up(self) -> None:
        """Once no thread asks any more."""
        while self._open:
            self._open.pop().close()

    def _exchange(self, method: str, path: str, body: Body | None) -> tuple[int, Any, bytes]:
        """On the thread's own connection. One kept open may have been closed by the other side meanwhile, which is
        noticed only when it is used: then once more on a new one.
        """
        kept: HTTPConnection | None = getattr(self._own, "connection", None)
        if kept:
            try:
                return self._exchanged(kept, method, path, body)
            except (OSError, HTTPException) as error:
                if isinstance(error, TimeoutError) or self.stop.is_set():
                    raise
        return self._exchanged(self._connected(), method, path, body)

    def _connected(self) -> HTTPConnection:
        parts = urlsplit(self.address)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=SILENCE)
        connection.connect()
        if connection.sock:
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(connection)
        return connection

    def _exchanged(
        self, connection: HTTPConnection, method: str, path: str, body: Body | None
    ) -> tuple[int, Any, bytes]:
        self._own.connection = None
        reusable = False
        try:
            put = self._put(connection, method, path, body)
            answer = connection.getresponse()
            found = answer.status, answer.headers, answer.read()
            reusable = put and not answer.will_close
        finally:
            if reusable:
                self._own.connection = connection
            else:
                self._open.discard(connection)
                connection.close()
        return found

    def _put(self, connection: HTTPConnection, method: str, path: str, body: Body | None) -> bool:
        """Whether all of it went."""
        connection.putrequest(method, path)
        connection.putheader("Authorization", f"Token {self.token}")
        connection.putheader("Accept", "application/json")
        connection.putheader("User-Agent", "pixora-upload/1")
        if body:
            connection.putheader("Content-Type", body.content_type)
            connection.putheader("Content-Length", str(body.length))
        connection.endheaders()
        try:
            for chunk in body.chunks() if body else ():
                if self.stop.is_set():
                    raise Stopped
                connection.send(chunk)
        except (BrokenPipeError, ConnectionResetError):
            # Who refuses early hangs up while we speak; the answer may have come all the same.
            return False
        return True


def _rest(asked: float, tries: int) -> float:
    """Never less than was asked for; otherwise longer each time. Never quite the same, so that not all come at once."""
    backoff = min(_FIRST_REST * 2**tries, _LONGEST_REST)
    return asked * (1 + random.random() / 10) if asked else backoff * (0.75 + random.random() / 2)  # noqa: S311
