"""Who may see and do what. Every page, route and byte passes here: request -> viewer, and id -> the object, or 404.

viewer.py says who asks, rule.py what they may; here are the doors, which give an object or refuse. A foreign object
and a missing one are the same 404, and permission is looked up at every use, so that a revoked link, a withdrawn
consent or a lost role counts on the next request.
"""

import secrets
import uuid
from collections.abc import Iterable
from typing import TypeVar

from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from django.conf import settings
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest

from galleries.errors import Refusal
from galleries.models import (
    Album,
    Alert,
    ApiToken,
    Archive,
    Choice,
    Collaborator,
    Delivery,
    Link,
    Mail,
    Person,
    Photo,
    ReturnLink,
    Selfie,
    User,
    Visit,
    Webhook,
)

from .rule import (
    OWNER,
    SCOPE_FOR,
    Action,
    actions_on,
    browsing_visit,
    can,
    deleted_albums,
    downloadable_by,
    granted_matches,
    photos_by_role,
    role_in,
    visible_to,
    within,
)
from .viewer import (
    GUEST_COOKIE_SECONDS,
    GUEST_HEADER,
    UnknownGuestKey,
    Viewer,
    address_of,
    forget_guest,
    guest_key_of,
    is_our_proxy,
    remember_guest,
    viewer_of,
)

__all__ = [
    "GUEST_COOKIE_SECONDS",
    "GUEST_HEADER",
    "OWNER",
    "SCOPE_FOR",
    "Action",
    "UnknownGuestKey",
    "Viewer",
    "actions_on",
    "address_of",
    "browsing_visit",
    "can",
    "deleted_albums",
    "downloadable_by",
    "forget_guest",
    "guest_key_of",
    "is_our_proxy",
    "remember_guest",
    "role_in",
    "viewer_of",
    "visible_to",
]

_M = TypeVar("_M", bound=Model)


def require_user(viewer: Viewer) -> User:
    if viewer.user is None:
        raise Refusal("not_authenticated", "Sign in first.", status=401)
    return viewer.user


def require_scope(viewer: Viewer, scope: str) -> None:
    if scope not in viewer.scopes:
        raise Refusal("scope_missing", f"This token lacks the scope “{scope}”.", status=403)


def require(viewer: Viewer, action: Action, thing: Model) -> None:
    """Raises 403 unless the viewer may do this with an object that they see."""
    if can(viewer, action, thing):
        return
    require_scope(viewer, SCOPE_FOR[action])
    if _is_suspended(thing):
        words = "The administrator has suspended this album. Until that is lifted, it can only be looked at."
        raise Refusal("album_suspended", words, status=403)
    if action is Action.DOWNLOAD:
        raise Refusal("preview_only", "Of this photo you can see the preview only.", status=403)
    raise Refusal("not_yours", "Only the album's owner, or somebody they let work on it, can do this.", status=403)


def _is_suspended(thing: Model) -> bool:
    album = thing if isinstance(thing, Album) else getattr(thing, "album", None)
    return album is not None and album.suspended_at is not None


def album_maker(viewer: Viewer) -> User:
    """Whose a new album will be."""
    user = require_user(viewer)
    require_scope(viewer, SCOPE_FOR[Action.OWN])
    if viewer.albums is not None:
        raise Refusal("token_bound", "This token is for the albums it was made for, and makes no others.", status=403)
    return user


def account_of(viewer: Viewer, action: Action) -> User:
    """The viewer's own account, to look at (INSPECT) or change (OWN)."""
    user = require_user(viewer)
    require_scope(viewer, SCOPE_FOR[action])
    if viewer.albums is not None:
        raise Refusal("token_bound", "This token is for the albums it was made for, and for nothing else.", status=403)
    return user


def require_session(viewer: Viewer) -> None:
    """Raises 403 for a token, whatever it may do."""
    if viewer.by_token:
        raise Refusal("session_only", "Only who is signed in can do this, and no token.", status=403)


def require_recent_authentication(viewer: Viewer, request: HttpRequest) -> None:
    """Raises 403 for a session that has not given the password, or a code, just now. A token stands for itself."""
    if not viewer.by_token and is_reauthentication_required(request, app=""):
        raise Refusal(
            "reauthenticate",
            "Confirm that it is you on the site's page first: what this makes outlives your session.",
            status=403,
        )


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


def sees_numbers_of_the_site(request: HttpRequest) -> bool:
    """Staff who may; whether they are let in at all, the desk has asked before."""
    return request.user.is_active and request.user.is_staff and request.user.has_perm("galleries.view_daycount")


# The doors. What is to be done is said at the door; where it is not, the strictest is meant.


def albums_of(viewer: Viewer) -> QuerySet[Album]:
    """Their own albums, and those that they work on."""
    require_scope(viewer, SCOPE_FOR[Action.INSPECT])
    return visible_to(viewer, Album)


def album_for(viewer: Viewer, pk: uuid.UUID, action: Action = Action.OWN) -> Album:
    # Whether its links are open hangs on its owner too.
    return _one(viewer, visible_to(viewer, Album).select_related("owner"), pk, action)


def deleted_album_for(viewer: Viewer, pk: uuid.UUID) -> Album:
    return _one(viewer, deleted_albums(viewer), pk, Action.OWN)


def link_for(viewer: Viewer, pk: uuid.UUID, action: Action = Action.SHARE) -> Link:
    return _one(viewer, visible_to(viewer, Link).select_related("album__owner"), pk, action)


def collaborator_for(viewer: Viewer, album: Album, pk: uuid.UUID) -> Collaborator:
    found = visible_to(viewer, Collaborator).filter(album=album).select_related("album", "user")
    return _one(viewer, found, pk, Action.OWN)


def alert_for(viewer: Viewer, album: Album, pk: uuid.UUID) -> Alert:
    found = visible_to(viewer, Alert).filter(album=album).select_related("album")
    return _one(viewer, found, pk, Action.OWN)


def photo_for(viewer: Viewer, pk: uuid.UUID, action: Action = Action.VIEW) -> Photo:
    """404 when it cannot be seen, 403 when this cannot be done with it."""
    # By role first, for who asks for many has one: 1.3 ms, where all grounds together take 6.
    found = photos_by_role(viewer).select_related("album").filter(pk=pk).first() if viewer.user else None
    if found is None:
        found = visible_to(viewer, Photo).select_related("album").filter(pk=pk).first()
    return _let_in(viewer, found, action)


def person_for(viewer: Viewer, pk: uuid.UUID, action: Action = Action.EDIT) -> Person:
    return _one(viewer, visible_to(viewer, Person).select_related("album"), pk, action)


def people_in(viewer: Viewer, album: Album, pks: Iterable[uuid.UUID]) -> list[Person]:
    """All of them, or 404: who is in another album is nobody here."""
    wanted = set(pks)
    found = list(visible_to(viewer, Person).filter(album=album, pk__in=wanted))
    if len(found) < len(wanted):
        raise Http404
    return found


def selfie_for(viewer: Viewer, pk: uuid.UUID, action: Action = Action.VIEW) -> Selfie:
    return _one(viewer, visible_to(viewer, Selfie).select_related("album", "link", "guest"), pk, action)


def selfies_of(viewer: Viewer) -> QuerySet[Selfie]:
    """The searches of this guest, and those kept with the viewer's account."""
    require_scope(viewer, SCOPE_FOR[Action.VIEW])
    return visible_to(viewer, Selfie)


def archive_for(viewer: Viewer, pk: uuid.UUID) -> Archive:
    return _one(viewer, visible_to(viewer, Archive).select_related("album"), pk, Action.VIEW)


def webhooks_of(viewer: Viewer) -> QuerySet[Webhook]:
    require_scope(viewer, SCOPE_FOR[Action.OWN])
    return visible_to(viewer, Webhook)


def webhook_for(viewer: Viewer, pk: uuid.UUID) -> Webhook:
    return _one(viewer, visible_to(viewer, Webhook), pk, Action.OWN)


def delivery_for(viewer: Viewer, pk: uuid.UUID) -> Delivery:
    return _one(viewer, visible_to(viewer, Delivery).select_related("webhook"), pk, Action.OWN)


def webhook_maker(viewer: Viewer) -> User:
    """Whose a new webhook will be."""
    return album_maker(viewer)


def may_have_metadata(viewer: Viewer, photo: Photo) -> bool:
    """Whether a photo goes to the viewer as it was sent: by a role. Anybody else gets it without its metadata."""
    return can(viewer, Action.INSPECT, photo)


def api_tokens(viewer: Viewer) -> QuerySet[ApiToken]:
    """The viewer's own."""
    return ApiToken.objects.filter(user=viewer.user) if viewer.user else ApiToken.objects.none()


def api_token_for(viewer: Viewer, public_id: uuid.UUID) -> ApiToken:
    found: ApiToken | None = api_tokens(viewer).filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


def _one(viewer: Viewer, visible: QuerySet[_M], pk: uuid.UUID, action: Action) -> _M:
    return _let_in(viewer, visible.filter(pk=pk).first(), action)


def _let_in(viewer: Viewer, found: _M | None, action: Action) -> _M:
    if found is None:
        raise Http404
    require(viewer, action, found)
    return found


def shared_link(token: str) -> Link:
    """The link that a token opens: 404 when there is none, 410 when it was switched off or has run out."""
    link = Link.objects.with_token(token).select_related("album__owner").first()
    if link is None or link.album.deleted_at:
        raise Http404
    if not link.is_open():
        raise Refusal("link_expired", "This link has ended. Ask the photographer for a new one.", status=410)
    return link


def shared_link_for(viewer: Viewer, token: str) -> Link:
    """The same for a token of the API, which opens what it reads, and its own albums, only."""
    require_scope(viewer, "read")
    link = shared_link(token)
    if not within(viewer, Link.objects.filter(pk=link.pk)).exists():
        raise Http404
    return link


def returning_selfie(token: str) -> Selfie:
    """The search that a return link leads to, as long as it is open to its guest: 404 otherwise."""
    found = ReturnLink.objects.with_token(token).filter(selfie__in=Selfie.objects.granting())
    link = found.select_related("selfie__album", "selfie__guest").first()
    if link is None:
        raise Http404
    return link.selfie


def returning_selfie_for(viewer: Viewer, token: str) -> Selfie:
    """The same for a token of the API, which opens what it reads, and its own albums, only."""
    require_scope(viewer, "read")
    selfie = returning_selfie(token)
    if not within(viewer, Selfie.objects.filter(pk=selfie.pk)).exists():
        raise Http404
    return selfie


def mail_choice(token: str) -> Choice:
    """What a mail's own link is about; it opens no photo."""
    choice = Choice.read(token)
    if choice is None:
        raise Http404
    return choice


def require_mail_reader(request: HttpRequest) -> None:
    """Who may read everybody's mail, links to new passwords included: who may do all, where none is really sent."""
    # As the administration says it, which may want a second step at sign-in.
    if not (settings.PIXORA_MAIL_IS_LOCAL and admin.site.has_permission(request) and request.user.is_superuser):
        raise Http404


def shown_mail(mail_id: uuid.UUID) -> Mail:
    """To be asked of whoever is its reader."""
    mail = Mail.objects.legible().filter(pk=mail_id).first()
    if mail is None:
        raise Http404
    return mail


def visit_of(viewer: Viewer, link: Link) -> Visit | None:
    """The guest's visit by this link, if it has been let in."""
    return Visit.objects.filter(guest=viewer.guest, link=link, unlocked=True).first() if viewer.guest else None


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
    """The link by which a guest may have this photo's original; none for those with a role in the album."""
    if role_in(viewer, photo.album):
        return None
    lending = granted_matches(viewer).certain().filter(photo=photo, selfie__link__can_download=True)
    if match := lending.select_related("selfie__link").first():
        return match.selfie.link
    visit = browsing_visit(viewer, photo.album_id)
    return visit.link if visit else None


def require_visit(viewer: Viewer, link: Link) -> None:
    """Raises 403 unless the link is free of a password, or this guest has given it."""
    if link.needs_password and visit_of(viewer, link) is None:
        raise Refusal("password_required", "This link has a password. Unlock it first.", status=403)
