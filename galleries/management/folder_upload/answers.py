"""What an answer of the site means, or that there is none: yes, no, or not now."""

import json
import socket
import ssl
import time
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit


class Refused(Exception):
    """The site says no, in its words, and asking again is of no use. `status` is 0 where it was not asked."""

    def __init__(self, words: str, status: int = 0) -> None:
        super().__init__(words)
        self.status = status

    @property
    def is_of_the_album(self) -> bool:
        """Not of what was sent: whatever is sent to it will be refused."""
        return self.status in (0, 401, 403, 404, 405, 410)


class Away(Exception):
    """Nobody answers, or only that it is busy: asking again in `seconds` may help, if that is known.

    `broken`: not busy; the request may have arrived nevertheless.
    """

    def __init__(self, words: str, *, seconds: float = 0, broken: bool = True) -> None:
        super().__init__(words)
        self.seconds, self.broken = seconds, broken


def judged(status: int, headers: Any, data: bytes) -> Any:
    """The JSON of an answer that is a yes. Raises Refused, Away."""
    problem = _json(headers, data)
    words = str(problem.get("detail") or "") if isinstance(problem, dict) else ""
    if status in (429, 503, 507):
        raise Away(words or "The site is busy.", seconds=_seconds(headers.get("Retry-After")), broken=False)
    if status >= 500:
        raise Away(words or f"The site answers with an error ({status}).", seconds=_seconds(headers.get("Retry-After")))
    if 300 <= status < 400:
        # Not followed, for whoever it is would be told the token. In a hotel's network it may be the hotel's.
        raise Away(f"The site sends us on to {_place(headers)}, and nothing was sent there; is the address right?")
    if problem is None and status != 413:
        raise Away(f"Something else than Pixora answers there ({status}).")
    if status >= 400:
        raise Refused(_told(status, words, problem), status)
    return problem


def _json(headers: Any, data: bytes) -> Any:
    """None, where it is none: then whoever answered is no Pixora."""
    if headers.get_content_type() not in ("application/json", "application/problem+json"):
        return None
    try:
        return json.loads(data)
    except ValueError:
        return None


def _told(status: int, words: str, problem: Any) -> str:
    known = {
        401: "The token is not valid here; it may have been withdrawn.",
        404: "There is no such album at the site for this token.",
        413: "The site takes no file as large as this.",
    }
    errors = problem.get("errors") if isinstance(problem, dict) else None
    return known.get(status) or f"{words or f'The site refuses it ({status}).'}{f' {errors}' if errors else ''}"


def _place(headers: Any) -> str:
    """Without what stands behind the path, which may be a secret."""
    to = urlsplit(headers.get("Location") or "")
    return f"{to.scheme}://{to.netloc}{quote(to.path)}" if to.netloc else quote(to.path) or "another address"


def _seconds(retry_after: str | None) -> float:
    """Retry-After, which is a number of seconds or a date; 0 where it is neither."""
    if not retry_after:
        return 0
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0


def why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate of the site is not right ({error.verify_message})."
    if isinstance(error, TimeoutError):
        return "The site does not answer in time."
    if isinstance(error, socket.gaierror):
        return "The site's name is not known; is this machine online?"
    if isinstance(error, OSError) and error.strerror:
        return f"No connection to the site ({error.strerror})."
    return "The connection to the site broke."
