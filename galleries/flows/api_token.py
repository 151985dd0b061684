"""An API token: made and shown once, changed, revoked. By its user, signed in; a token can do nothing of it."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from galleries.models import Album, ApiToken, User
from galleries.models.deed import Verb

from . import deed


@transaction.atomic
def make(
    user: User,
    *,
    scopes: Iterable[str],
    name: str = "",
    albums: Iterable[Album] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """The row and the token itself, which nobody can be shown again. No albums: all of the user's."""
    token, secret = ApiToken.objects.create(user=user, name=name, scopes=" ".join(scopes))
    token.expiry = expires_at
    token.save(update_fields=["expiry"])
    token.bind(albums)
    deed.record(Verb.TOKEN_MADE, token, user=user.pk, scopes=token.scopes, is_bound=token.is_bound)
    return token, secret


@transaction.atomic
def change(
    token: ApiToken, *, scopes: Iterable[str], name: str, albums: Iterable[Album], expires_at: datetime | None
) -> None:
    token.name, token.scopes, token.expiry = name, " ".join(scopes), expires_at
    token.save(update_fields=["name", "scopes", "expiry"])
    token.bind(albums)
    deed.record(Verb.TOKEN_CHANGED, token, scopes=token.scopes, is_bound=token.is_bound)


@transaction.atomic
def revoke(token: ApiToken) -> None:
    deed.record(Verb.TOKEN_REVOKED, token, user=token.user_id)
    token.delete()
