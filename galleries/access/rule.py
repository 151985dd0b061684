"""The rule: who sees what (`visible_to`), and what they may do with what they see (`can`).

A guest sees the photos of their own searches, and what their link opens; a search and its zips are theirs alone. An
album, with all that is in it, is its owner's. Collaborators look on and download; an editor also does the day's work,
which the owner can put right again: takes photos in, hides and deletes them, says what the album is called and how it
looks, names the people in it, makes and ends links. What cannot be taken back, or is answered for by law, stays with
the owner: to delete the album, search for faces, group them into people, choose collaborators, and change or lift the
password of a link that is out.
Whatever is not said here is denied. All of it is looked up anew at every use.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar, cast
from uuid import UUID

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from galleries.models import (
    Album,
    Alert,
    Archive,
    Collaborator,
    Delivery,
    Link,
    Match,
    Person,
    Photo,
    Selfie,
    Visit,
    Webhook,
)
from galleries.models.sharing import open_link

from .viewer import Viewer

_M = TypeVar("_M", bound=Model)


class Action(StrEnum):
    # A photo's thumb and preview; a search, its result and its zip: for whoever sees them.
    VIEW = "view"
    # A photo's original.
    DOWNLOAD = "download"
    # What a role in the album opens: all its photos in every state, numbers, reasons, zips.
    INSPECT = "inspect"
    UPLOAD = "upload"
    EDIT = "edit"
    SHARE = "share"
    OWN = "own"


OWNER = "owner"
# What each role may do with an album and with what is in it.
ACTIONS: dict[str, frozenset[Action]] = {
    Collaborator.Role.VIEWER: frozenset({Action.INSPECT}),
    Collaborator.Role.EDITOR: frozenset({Action.INSPECT, Action.UPLOAD, Action.EDIT, Action.SHARE}),
    OWNER: frozenset({Action.INSPECT, Action.UPLOAD, Action.EDIT, Action.SHARE, Action.OWN}),
}
# What a token needs for it.
SCOPE_FOR = {
    Action.VIEW: "read",
    Action.DOWNLOAD: "read",
    Action.INSPECT: "read",
    Action.UPLOAD: "upload",
    Action.EDIT: "manage",
    Action.SHARE: "manage",
    Action.OWN: "manage",
}


def can(viewer: Viewer, action: Action, thing: Model) -> bool:
    """Whether the viewer may do this with an object that `visible_to` gave them."""
    return SCOPE_FOR[action] in viewer.scopes and _is_granted(viewer, action, thing)


def _is_granted(viewer: Viewer, action: Action, thing: Model) -> bool:
    if isinstance(thing, Selfie | Archive | Webhook | Delivery):
        # Who sees them is whose they are.
        return True
    if isinstance(thing, Photo) and action is Action.VIEW:
        return True
    if isinstance(thing, Photo) and action is Action.DOWNLOAD:
        return downloadable_by(viewer).filter(pk=thing.pk).exists()
    return action in actions_on(viewer, thing if isinstance(thing, Album) else cast(Any, thing).album)


def actions_on(viewer: Viewer, album: Album) -> frozenset[Action]:
    """What the viewer's role in the album allows; a page offers no more. In a suspended one they look on."""
    actions = ACTIONS.get(role_in(viewer, album) or "", frozenset())
    return actions & {Action.INSPECT} if album.suspended_at else actions


def role_in(viewer: Viewer, album: Album) -> str | None:
    if viewer.user is None or not _is_within(viewer, album):
        return None
    if album.owner_id == viewer.user.pk:
        return OWNER
    return Collaborator.objects.filter(user=viewer.user, album=album).values_list("role", flat=True).first()


def _is_within(viewer: Viewer, album: Album) -> bool:
    return viewer.albums is None or album.pk in viewer.albums


def visible_to(viewer: Viewer, kind: type[_M]) -> QuerySet[_M]:
    """All objects of a kind that the viewer may see; nothing of a kind that has no rule."""
    return within(viewer, _RULES[kind](viewer))


def within(viewer: Viewer, found: QuerySet[_M]) -> QuerySet[_M]:
    """Those in the albums that a token is bound to."""
    if viewer.albums is None:
        return found
    if found.model in (Webhook, Delivery):
        # They tell of albums beside the token's.
        return found.none()
    return found.filter(**{"pk__in" if found.model is Album else "album__in": viewer.albums})


def downloadable_by(viewer: Viewer) -> QuerySet[Photo]:
    """Photos whose original the viewer may have: by a role; as a guest, certain or browsed ones, if the link allows."""
    mine = granted_matches(viewer).certain().filter(selfie__link__can_download=True)
    browsed = visits(viewer).filter(link__can_browse=True, link__can_download=True)
    return within(viewer, _photos_where(viewer, mine, browsed))


def granted_matches(viewer: Viewer) -> Any:
    granting = Selfie.objects.granting().filter(viewer.guests, pk=OuterRef("selfie"), state=Selfie.State.DONE)
    return Match.objects.filter(Exists(granting))


def visits(viewer: Viewer) -> QuerySet[Visit]:
    """The viewer's visits by links that are open."""
    return Visit.objects.filter(viewer.guests, open_link("link__"), unlocked=True)


def _photos(viewer: Viewer) -> QuerySet[Photo]:
    return _photos_where(viewer, granted_matches(viewer).in_result(), visits(viewer).filter(link__can_browse=True))


def photos_by_role(viewer: Viewer) -> QuerySet[Photo]:
    """Those that a role in their album opens; a part of what `visible_to` gives, for a fifth of its cost."""
    return within(viewer, _in_albums(viewer, Photo, Action.INSPECT))


def _photos_where(viewer: Viewer, matches: QuerySet[Match], visits: QuerySet[Visit]) -> QuerySet[Photo]:
    matched = Exists(matches.filter(photo=OuterRef("pk")))
    browsed = Exists(visits.filter(link__album=OuterRef("album")))
    shown = Q(state=Photo.State.READY, hidden=False) & (Q(matched) | Q(browsed))
    present = Photo.objects.filter(album__deleted_at__isnull=True)
    return present.filter(_has_role(viewer, Action.INSPECT, "album__") | shown)


def _has_role(viewer: Viewer, action: Action, prefix: str = "") -> Q:
    """Albums in which the viewer's role allows it; `prefix` reaches the album from another model."""
    if viewer.user is None:
        return Q(pk__in=[])
    roles = [role for role, actions in ACTIONS.items() if action in actions]
    shared = Collaborator.objects.filter(user=viewer.user, role__in=roles)
    return Q(**{f"{prefix}owner": viewer.user}) | Q(**{f"{prefix}pk__in": shared.values("album")})


def _in_albums(viewer: Viewer, kind: type[_M], action: Action) -> QuerySet[_M]:
    """Seen by whoever's role in its album allows this."""
    present = kind._default_manager.filter(album__deleted_at__isnull=True)
    return present.filter(_has_role(viewer, action, "album__"))


def _albums(viewer: Viewer) -> QuerySet[Album]:
    return Album.objects.present().filter(_has_role(viewer, Action.INSPECT))


def _selfies(viewer: Viewer) -> QuerySet[Selfie]:
    visited = Visit.objects.filter(guest=OuterRef("guest"), link=OuterRef("link"), unlocked=True)
    return Selfie.objects.filter(viewer.guests, open_link("link__"), Exists(visited))


def _archives(viewer: Viewer) -> QuerySet[Archive]:
    granting = Selfie.objects.granting().filter(viewer.guests, pk=OuterRef("selfie"))
    as_user = Q(user=viewer.user) & _has_role(viewer, Action.INSPECT, "album__")
    return Archive.objects.filter(as_user | Q(Exists(granting)), album__deleted_at__isnull=True)


_RULES: dict[type[Model], Callable[[Viewer], QuerySet[Any]]] = {
    Album: _albums,
    Link: lambda viewer: _in_albums(viewer, Link, Action.SHARE),
    Collaborator: lambda viewer: _in_albums(viewer, Collaborator, Action.OWN),
    Alert: lambda viewer: _in_albums(viewer, Alert, Action.OWN),
    # Guests never: neither whom the photographer sees in the album, nor what they call them.
    Person: lambda viewer: _in_albums(viewer, Person, Action.INSPECT),
    Photo: _photos,
    Selfie: _selfies,
    Archive: _archives,
    # Their owner's and nobody else's: those who work on an album have webhooks of their own albums.
    Webhook: lambda viewer: Webhook.objects.filter(owner=viewer.user) if viewer.user else Webhook.objects.none(),
    Delivery: lambda viewer: Delivery.objects.filter(webhook__in=visible_to(viewer, Webhook)),
}


def deleted_albums(viewer: Viewer) -> QuerySet[Album]:
    """What the viewer may have back. Nothing else of a deleted album is to be had."""
    if viewer.user is None:
        return Album.objects.none()
    deleted = Album.objects.filter(owner=viewer.user, deleted_at__isnull=False, doomed=False)
    return within(viewer, deleted)


def browsing_visit(viewer: Viewer, album_id: UUID) -> Visit | None:
    """The visit by which the viewer may look through a whole album, one with downloads before one without."""
    browsing = visits(viewer).filter(link__album=album_id, link__can_browse=True).select_related("link__album")
    return browsing.order_by("-link__can_download", "pk").first()
