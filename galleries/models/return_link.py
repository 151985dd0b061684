"""A return link: the address by which a guest reaches their search from another device, or comes back to it."""

import secrets
from typing import Self

from django.db import models
from django.db.models.functions import Now

from .selfie import Selfie
from .sharing import digest


class ReturnLinkQuerySet(models.QuerySet["ReturnLink"]):
    def with_token(self, token: str) -> Self:
        """Those that still lead somewhere. What is kept with an account is reached by signing in."""
        return self.filter(token_hash=digest(token), expires_at__gt=Now(), selfie__guest__user=None)


class ReturnLink(models.Model):
    """At most one a search. Its token has 256 random bits and is kept as a hash only."""

    selfie = models.OneToOneField(Selfie, on_delete=models.CASCADE, related_name="return_link")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    objects = ReturnLinkQuerySet.as_manager()

    def __str__(self) -> str:
        return f"return to {self.selfie_id}"

    @classmethod
    def make(cls, selfie: Selfie) -> str:
        """A new token, shown this once; the one before ends."""
        token = secrets.token_urlsafe(32)
        fresh = {"token_hash": digest(token), "expires_at": selfie.expires_at}
        cls.objects.update_or_create(selfie=selfie, defaults=fresh)
        return token
