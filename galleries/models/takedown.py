"""A photo that was taken down everywhere, known by the hash of its file. The row holds no picture and no name."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Takedown(models.Model):
    class Reason(models.TextChoices):
        WISH = "wish", _("somebody in the picture wants it")
        LAW = "law", _("a court or an authority orders it")
        RIGHTS = "rights", _("it belongs to somebody else")
        ABUSE = "abuse", _("it must not be on this site")

    # Of the file as it was sent: the same picture, encoded anew, is another file.
    sha256 = models.CharField(_("SHA-256 of the file"), max_length=64, unique=True)
    reason = models.CharField(_("reason"), max_length=6, choices=Reason.choices)
    # Whether it may not be uploaded again.
    is_barred = models.BooleanField(_("may not be uploaded again"), default=True)
    copies = models.PositiveIntegerField(_("copies deleted"), default=0)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("taken down by"),
    )
    made_at = models.DateTimeField(_("taken down at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("takedown")
        verbose_name_plural = _("takedowns")
        ordering = ["-made_at", "-pk"]
        indexes = [models.Index(fields=["made_at"], name="takedown_age")]
        constraints = [
            models.CheckConstraint(condition=models.Q(sha256__regex=r"^[0-9a-f]{64}$"), name="takedown_hash")
        ]

    def __str__(self) -> str:
        return self.sha256[:12]
