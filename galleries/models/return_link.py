"""A return link: the address by which a guest reaches their search from another device, or comes back to it."""

import secrets
from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from .selfie import Selfie
from .sharing import digest


class ReturnLinkQuerySet(models.QuerySet["ReturnLink"]):
    def with_token(self, token: str) -> Self:
        """Those that still lead somewhere. What is kept with an account is reached by signing in."""
        return self.filter(token_hash=digest(token), expires_at__gt=Now(), selfie__guest__user=None)


class ReturnLink(models.Model):
    """Its token has 256 random bits and is kept as a hash only. At most one a search, and one a mail that was sent."""

    selfie = models.ForeignKey(Selfie, on_delete=models.CASCADE, related_name="return_links")
    mailed = models.BooleanField(default=False)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    objects = ReturnLinkQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["selfie"], condition=models.Q(mailed=False), name="return_link_once")
        ]

    def __str__(self) -> str:
        return f"return to {self.selfie_id}"

    @classmethod
    def make(cls, selfie: Selfie, *, mailed: bool = False, hours: int | None = None) -> str:
        """A new token, shown this once, that works for so many hours, or as long as the search. The one that was shown
        before ends; those in mails stay.
        """
        token = secrets.token_urlsafe(32)
        if not mailed:
            cls.objects.filter(selfie=selfie, mailed=False).delete()
        soon = timezone.now() + timedelta(hours=hours) if hours else selfie.expires_at
        ends = min(soon, selfie.expires_at)
        cls.objects.create(selfie=selfie, mailed=mailed, token_hash=digest(token), expires_at=ends)
        return token
