"""An API token: made and shown once, changed, revoked. By its user, signed in; a token can do nothing of it."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from galleries.models import Album, ApiToken, User


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
    return token, secret


@transaction.atomic
def change(
    token: ApiToken, *, scopes: Iterable[str], name: str, albums: Iterable[Album], expires_at: datetime | None
) -> None:
    token.name, token.scopes, token.expiry = name, " ".join(scopes), expires_at
    token.save(update_fields=["name", "scopes", "expiry"])
    token.bind(albums)


def revoke(token: ApiToken) -> None:
    token.delete()
