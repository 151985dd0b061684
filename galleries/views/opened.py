"""Which links this browser has opened: in a cookie that no script reads, so that their tokens need not stay in the
address, where screens, histories and screenshots show them.
"""

import re
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from galleries.access import GUEST_COOKIE_SECONDS
from galleries.models import Link

# A season of events; the cookie stays below half a kilobyte.
_MOST = 8
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def remember(request: HttpRequest, response: HttpResponseBase, token: str) -> None:
    others = [each for each in _tokens(request) if each != token]
    response.set_cookie(
        settings.PIXORA_LINK_COOKIE,
        ".".join([token, *others][:_MOST]),
        max_age=GUEST_COOKIE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def token_of(request: HttpRequest, link_id: UUID) -> str | None:
    """The token by which this browser opened the link; access.shared_link says what it is good for now."""
    opened = (token for token in _tokens(request) if Link.objects.with_token(token).filter(pk=link_id).exists())
    return next(opened, None)


def _tokens(request: HttpRequest) -> list[str]:
    held = request.COOKIES.get(settings.PIXORA_LINK_COOKIE, "").split(".")
    return [token for token in held if _TOKEN.fullmatch(token)][:_MOST]
