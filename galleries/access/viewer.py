"""Who asks: request -> viewer."""

import ipaddress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from galleries.errors import Refusal
from galleries.models import Guest, User
from galleries.models.account import SCOPES

GUEST_HEADER = "Pixora-Guest"
GUEST_COOKIE_SECONDS = 90 * 24 * 3600


@dataclass(frozen=True)
class Viewer:
    """A signed-in user or token holder, a guest, both, or nobody.

    `scopes` bounds what a token may do, and `albums` where: it reaches those only; None is all.
    """

    user: User | None = None
    guest: Guest | None = None
    scopes: frozenset[str] = frozenset(SCOPES)
    albums: frozenset[UUID] | None = None
    guest_by_cookie: bool = False
    by_token: bool = False
    # "" where nobody asked over the network.
    address: str = ""

    @property
    def guests(self) -> Q:
        """The guests whose searches are this viewer's: the one at hand, and those kept with their account."""
        own = Q(guest=self.guest) if self.guest else Q(pk__in=[])
        return own | Q(guest__user=self.user) if self.user else own


class UnknownGuestKey(Refusal):
    status = 401


def viewer_of(request: Any) -> Viewer:
    """The viewer of a Django or DRF request. Raises UnknownGuestKey; a header beats the cookie."""
    # Whoever has been disabled is nobody, as whoever has not signed in.
    user = request.user if request.user.is_active else None
    token = getattr(request, "auth", None)
    key = request.headers.get(GUEST_HEADER, "")
    guest = _guest_by_key(key) if key else _guest_by_cookie(request, user)
    return Viewer(
        user,
        guest,
        scopes=frozenset(SCOPES) if token is None else token.scope_set(),
        albums=None if token is None else token.album_ids(),
        guest_by_cookie=bool(guest and not key),
        by_token=token is not None,
        address=address_of(request),
    )


def address_of(request: Any) -> str:
    """Past our own proxies: what each of them says of whom it speaks for, and nobody else's word.

    Of IPv6 the network of 64 bits, of which one device has all addresses.
    """
    address = request.META.get("REMOTE_ADDR", "")
    for before in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        if not is_our_proxy(address) or not _parsed(before):
            break
        address = before.strip()
    parsed = _parsed(address)
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed and parsed.version == 6 else address


def is_our_proxy(address: str) -> bool:
    parsed = _parsed(address)
    return any(
        proxy == "*" or (parsed is not None and parsed in ipaddress.ip_network(proxy, strict=False))
        for proxy in settings.PIXORA_TRUSTED_PROXIES
    )


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address.strip())
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def _guest_by_key(key: str) -> Guest:
    guest = Guest.with_key(key)
    if guest and (guest.user is None or guest.user.is_active):
        return guest
    raise UnknownGuestKey("unknown_guest_key", "This guest key is not known. Send the link's selfie again without it.")


def _guest_by_cookie(request: HttpRequest, user: User | None) -> Guest | None:
    """A guest kept with an account is reached only while it is signed in, so that a shared phone tells nothing."""
    key = guest_key_of(request)
    guest = Guest.with_key(key) if key else None
    return guest if guest and guest.user_id in (None, user and user.pk) else None


def remember_guest(response: HttpResponse, key: str) -> None:
    response.set_cookie(
        settings.PIXORA_GUEST_COOKIE,
        key,
        max_age=GUEST_COOKIE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def guest_key_of(request: HttpRequest) -> str:
    """The key that this browser holds."""
    return request.COOKIES.get(settings.PIXORA_GUEST_COOKIE, "")


def forget_guest(response: HttpResponse) -> None:
    response.delete_cookie(settings.PIXORA_GUEST_COOKIE, samesite="Lax")
