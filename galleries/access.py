"""Who may see what. Every page, route and byte passes here: request -> viewer, and id -> the object, or 404.

One rule: `visible_to`. A foreign object and a missing one are the same 404, and permission is looked up at every use,
so that a revoked link or a withdrawn consent counts on the next request.
"""

import ipaddress
import secrets
import uuid
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse

from galleries.errors import Refusal
from galleries.models import Album, ApiToken, Archive, Guest, Link, Match, Photo, ReturnLink, Selfie, User, Visit
from galleries.models.account import SCOPES
from galleries.models.sharing import open_link

_M = TypeVar("_M", bound=Model)
GUEST_HEADER = "Pixora-Guest"
GUEST_COOKIE_SECONDS = 90 * 24 * 3600


@dataclass(frozen=True)
class Viewer:
    """Who asks: a signed-in user or token holder, a guest, both, or nobody. `scopes` bounds what a token may do."""

    user: User | None = None
    guest: Guest | None = None
    scopes: frozenset[str] = frozenset(SCOPES)
    guest_by_cookie: bool = False
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
    user = request.user if request.user.is_authenticated else None
    token = getattr(request, "auth", None)
    scopes = token.scope_set() if token is not None else frozenset(SCOPES)
    key = request.headers.get(GUEST_HEADER, "")
    guest = _guest_by_key(key) if key else _guest_by_cookie(request, user)
    return Viewer(user, guest, scopes, guest_by_cookie=bool(guest and not key), address=address_of(request))


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
    if guest := Guest.with_key(key):
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


def require_user(viewer: Viewer) -> User:
    if viewer.user is None:
        raise Refusal("not_authenticated", "Sign in first.", status=401)
    return viewer.user


def require_scope(viewer: Viewer, scope: str) -> None:
    if scope not in viewer.scopes:
        raise Refusal("scope_missing", f"This token lacks the scope “{scope}”.", status=403)


def require_metrics_reader(request: HttpRequest) -> None:
    """Prometheus with its token, or a member of staff who is signed in; for anybody else there is no such page."""
    wanted = f"Bearer {settings.PIXORA_METRICS_TOKEN}" if settings.PIXORA_METRICS_TOKEN else ""
    given = request.headers.get("Authorization", "")
    if given:
        allowed = bool(wanted) and secrets.compare_digest(given.encode(), wanted.encode())
    else:
        allowed = request.user.is_authenticated and request.user.is_active and request.user.is_staff
    if not allowed:
        raise Http404


# The rule


def visible_to(viewer: Viewer, kind: type[_M]) -> QuerySet[_M]:
    """All objects of a kind that the viewer may see; nothing of a kind that has no rule."""
    return _RULES[kind](viewer)


def owned_by(viewer: Viewer, kind: type[_M]) -> QuerySet[_M]:
    """What the viewer may also change: their own albums and all that is in them."""
    if viewer.user is None:
        return kind._default_manager.none()
    path = "" if kind is Album else "album__"
    return kind._default_manager.filter(**{f"{path}owner": viewer.user, f"{path}deleted_at__isnull": True})


def downloadable_by(viewer: Viewer) -> QuerySet[Photo]:
    """Photos whose original the viewer may have: their own; as a guest, certain or browsed ones, if the link allows."""
    mine = _granted_matches(viewer).certain().filter(selfie__link__can_download=True)
    browsed = _visits(viewer).filter(link__can_browse=True, link__can_download=True)
    return _photos_where(viewer, mine, browsed)


def _photos(viewer: Viewer) -> QuerySet[Photo]:
    return _photos_where(viewer, _granted_matches(viewer).in_result(), _visits(viewer).filter(link__can_browse=True))


def _photos_where(viewer: Viewer, matches: QuerySet[Match], visits: QuerySet[Visit]) -> QuerySet[Photo]:
    matched = Exists(matches.filter(photo=OuterRef("pk")))
    browsed = Exists(visits.filter(link__album=OuterRef("album")))
    shown = Q(state=Photo.State.READY, hidden=False) & (Q(matched) | Q(browsed))
    present = Photo.objects.filter(album__deleted_at__isnull=True)
    return present.filter(Q(album__owner=viewer.user) | shown if viewer.user else shown)


def _granted_matches(viewer: Viewer) -> Any:
    granting = Selfie.objects.granting().filter(viewer.guests, pk=OuterRef("selfie"), state=Selfie.State.DONE)
    return Match.objects.filter(Exists(granting))


def _visits(viewer: Viewer) -> QuerySet[Visit]:
    return Visit.objects.filter(viewer.guests, open_link("link__"), unlocked=True)


def _selfies(viewer: Viewer) -> QuerySet[Selfie]:
    visited = Visit.objects.filter(guest=OuterRef("guest"), link=OuterRef("link"), unlocked=True)
    return Selfie.objects.filter(viewer.guests, open_link("link__"), Exists(visited))


def _archives(viewer: Viewer) -> QuerySet[Archive]:
    granting = Selfie.objects.granting().filter(viewer.guests, pk=OuterRef("selfie"))
    as_owner = Q(user=viewer.user, album__owner=viewer.user) if viewer.user else Q(pk__in=[])
    return Archive.objects.filter(as_owner | Q(Exists(granting)), album__deleted_at__isnull=True)


_RULES: dict[type[Model], Any] = {
    Album: lambda viewer: owned_by(viewer, Album),
    Link: lambda viewer: owned_by(viewer, Link),
    Photo: _photos,
    Selfie: _selfies,
    Archive: _archives,
}


# The doors


def album_for(viewer: Viewer, pk: uuid.UUID) -> Album:
    return _one(visible_to(viewer, Album), pk)


def deleted_albums(viewer: Viewer) -> QuerySet[Album]:
    """What the viewer may have back. Nothing else of a deleted album is to be had."""
    deleted = Album.objects.filter(deleted_at__isnull=False, doomed=False)
    return deleted.filter(owner=viewer.user) if viewer.user else deleted.none()


def deleted_album_for(viewer: Viewer, pk: uuid.UUID) -> Album:
    return _one(deleted_albums(viewer), pk)


def link_for(viewer: Viewer, pk: uuid.UUID) -> Link:
    return _one(visible_to(viewer, Link).select_related("album"), pk)


def photo_for(viewer: Viewer, pk: uuid.UUID) -> Photo:
    return _one(visible_to(viewer, Photo).select_related("album"), pk)


def own_photo_for(viewer: Viewer, pk: uuid.UUID) -> Photo:
    """A photo to be changed: 404 when it cannot be seen, 403 when it is somebody else's."""
    photo = photo_for(viewer, pk)
    if viewer.user is None or photo.album.owner_id != viewer.user.pk:
        raise Refusal("not_yours", "Only the owner of the album can change this photo.", status=403)
    return photo


def original_for(viewer: Viewer, pk: uuid.UUID) -> Photo:
    """A photo whose original may be had: 404 when it cannot be seen, 403 when only its preview can."""
    photo = photo_for(viewer, pk)
    if not downloadable_by(viewer).filter(pk=pk).exists():
        raise Refusal("preview_only", "Of this photo you can see the preview only.", status=403)
    return photo


def selfie_for(viewer: Viewer, pk: uuid.UUID) -> Selfie:
    return _one(visible_to(viewer, Selfie).select_related("album", "link", "guest"), pk)


def archive_for(viewer: Viewer, pk: uuid.UUID) -> Archive:
    return _one(visible_to(viewer, Archive).select_related("album"), pk)


def shared_link(token: str) -> Link:
    """The link that a token opens: 404 when there is none, 410 when it was switched off or has run out."""
    link = Link.objects.with_token(token).select_related("album").first()
    if link is None or link.album.deleted_at:
        raise Http404
    if not link.is_open():
        raise Refusal("link_expired", "This link has ended. Ask the photographer for a new one.", status=410)
    return link


def returning_selfie(token: str) -> Selfie:
    """The search that a return link leads to, as long as it is open to its guest: 404 otherwise."""
    found = ReturnLink.objects.with_token(token).filter(selfie__in=Selfie.objects.granting())
    link = found.select_related("selfie__album", "selfie__guest").first()
    if link is None:
        raise Http404
    return link.selfie


def mailed_selfie(token: str) -> Selfie:
    """The search that a mail's own link is about; it opens no photo."""
    selfie = Selfie.with_mail_token(token)
    if selfie is None:
        raise Http404
    return selfie


def visit_of(viewer: Viewer, link: Link) -> Visit | None:
    """The guest's visit by this link, if it has been let in."""
    return Visit.objects.filter(guest=viewer.guest, link=link, unlocked=True).first() if viewer.guest else None


def browsing_visit(viewer: Viewer, album_id: uuid.UUID) -> Visit | None:
    """The visit by which the viewer may look through a whole album, one with downloads before one without."""
    visits = _visits(viewer).filter(link__album=album_id, link__can_browse=True).select_related("link__album")
    return visits.order_by("-link__can_download", "pk").first()


def browsing_visit_for(viewer: Viewer, album_id: uuid.UUID) -> Visit:
    visit = browsing_visit(viewer, album_id)
    if visit is None:
        raise Http404
    return visit


def public_cover(link: Link) -> Photo:
    """The picture that a link preview shows to anybody at all: 404 from the moment the owner no longer allows it."""
    if not link.album.link_preview or link.needs_password:
        raise Http404
    shown = Photo.objects.shown().filter(album=link.album_id)
    chosen = shown.filter(pk=link.album.cover_id).first() if link.album.cover_id else None
    cover = chosen or shown.in_order().first()
    if cover is None:
        raise Http404
    return cover


def lending_link(viewer: Viewer, photo: Photo) -> Link | None:
    """The link by which a guest may have this photo's original; none for the album's owner, who needs no link."""
    if viewer.user and photo.album.owner_id == viewer.user.pk:
        return None
    lending = _granted_matches(viewer).certain().filter(photo=photo, selfie__link__can_download=True)
    if match := lending.select_related("selfie__link").first():
        return match.selfie.link
    visit = browsing_visit(viewer, photo.album_id)
    return visit.link if visit else None


def require_visit(viewer: Viewer, link: Link) -> None:
    """Raises 403 unless the link is free of a password, or this guest has given it."""
    if link.needs_password and visit_of(viewer, link) is None:
        raise Refusal("password_required", "This link has a password. Unlock it first.", status=403)


def may_have_metadata(viewer: Viewer, photo: Photo) -> bool:
    """Whether a photo goes to the viewer as it was sent: to its owner. Anybody else gets it without its metadata."""
    return owned_by(viewer, Photo).filter(pk=photo.pk).exists()


def _one(visible: QuerySet[_M], pk: uuid.UUID) -> _M:
    found = visible.filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def api_tokens(viewer: Viewer) -> QuerySet[ApiToken]:
    """The viewer's own. Only pages ask, and there nobody comes by a token."""
    return ApiToken.objects.filter(user=viewer.user) if viewer.user else ApiToken.objects.none()


def api_token_for(viewer: Viewer, public_id: uuid.UUID) -> ApiToken:
    found: ApiToken | None = api_tokens(viewer).filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found
