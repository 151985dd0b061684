"""An invitation to become a photographer here, where sign-up is by invitation: one address, one link, one use."""

import secrets
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from .lease import from_now
from .sharing import digest

OPEN_DAYS = 14


def _over() -> Q:
    return Q(created_at__lt=from_now(-OPEN_DAYS * 24 * 3600))


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> Self:
        return self.filter(~_over(), used_at__isnull=True)

    def with_token(self, token: str) -> Self:
        return self.filter(token_hash=digest(token))

    def too_old(self) -> Self:
        """Used or not, the address has no reason to stay."""
        return self.filter(_over())


class Invitation(models.Model):
    email = models.EmailField(_("e-mail address"))
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    created_at = models.DateTimeField(_("made at"), db_default=Now(), db_index=True, editable=False)
    used_at = models.DateTimeField(_("used at"), null=True, editable=False)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(Lower("email"), condition=Q(used_at__isnull=True), name="invited_once")]

    def __str__(self) -> str:
        return f"invitation {self.pk}"

    def new_token(self) -> str:
        """The secret of its link, to be shown this once. The row has its hash only."""
        token = secrets.token_urlsafe(32)
        self.token_hash = digest(token)
        return token

    @classmethod
    def take(cls, token: str, email: str) -> bool:
        """One conditional UPDATE, so that one link makes one account, for the address it was made for."""
        mine = cls.objects.open().with_token(token).filter(email__iexact=email)
        return bool(mine.update(used_at=Now()))
