"""The log of what photographers and administrators do: written by the journeys, in the transaction that does it.

Who acts is known at the door of a request, and asked for here, so that no journey has to hand it through.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.http import HttpRequest

from galleries.access import address_of
from galleries.models import Album, Deed
from galleries.models.budget import hashed
from galleries.models.deed import Verb

_LABEL_LENGTH = 8
_LONGEST = 80
# Of many photos, so many are named; the count is of all.
_NAMED = 100
_asking: ContextVar[HttpRequest | None] = ContextVar("the request that acts", default=None)


@contextmanager
def in_request(request: HttpRequest) -> Iterator[None]:
    """What is recorded within was done by whoever the request turns out to come from."""
    token = _asking.set(request)
    try:
        yield
    finally:
        _asking.reset(token)


def record(verb: Verb, thing: Model | None = None, **facts: Any) -> None:
    """One line of the log. Facts are ids, numbers and short words of ours; ValueError for anything else."""
    _new(verb, thing, facts).save(force_insert=True)


def record_each(verb: Verb, things: Iterable[Model], **facts: Any) -> None:
    Deed.objects.bulk_create((_new(verb, thing, facts) for thing in things), batch_size=500)


def record_photos(verb: Verb, photos: Iterable[tuple[UUID, UUID]], **facts: Any) -> None:
    """(photo, album) of each: a line for each album, with the first photos by their ids."""
    by_album: dict[UUID, list[UUID]] = {}
    for photo, album in photos:
        by_album.setdefault(album, []).append(photo)
    Deed.objects.bulk_create(
        _new(
            verb,
            Album(pk=album),
            {"count": len(ids), "photos": sorted(map(str, ids))[:_NAMED], **facts},
        )
        for album, ids in by_album.items()
    )


def _new(verb: Verb, thing: Model | None, facts: dict[str, Any]) -> Deed:
    return Deed(
        verb=verb,
        kind=str(thing._meta.model_name) if thing else "",
        thing=str(getattr(thing, "public_id", thing.pk)) if thing else "",
        album_id=thing.pk if isinstance(thing, Album) else getattr(thing, "album_id", None),
        facts={name: _short(value) for name, value in facts.items()},
        **_who(),
    )


def _short(value: Any) -> Any:
    if isinstance(value, list | tuple | set | frozenset):
        return [_short(each) for each in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if value is None or isinstance(value, bool | int):
        return value
    if (isinstance(value, str) and len(value) <= _LONGEST) or isinstance(value, UUID):
        return str(value)
    raise ValueError("The log takes ids, numbers and short words.")


def _who() -> dict[str, Any]:
    request: Any = _asking.get()
    if request is None:
        return {"user": None, "via": Deed.Via.SITE}
    user, token = getattr(request, "user", None), getattr(request, "auth", None)
    return {
        "user_id": user.pk if user is not None and user.is_authenticated else None,
        "via": _way(request),
        "token": getattr(token, "public_id", None),
        "network_label": hashed(address_of(request), "galleries.deed")[:_LABEL_LENGTH],
    }


def _way(request: HttpRequest) -> str:
    app = request.resolver_match.app_name if request.resolver_match else ""
    return {"admin": Deed.Via.ADMIN, "api": Deed.Via.API}.get(app, Deed.Via.PAGE)
