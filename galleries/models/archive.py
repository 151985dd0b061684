"""An archive: a zip that somebody asked for, as a frozen list. Its bytes are made while they are sent."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .album import Album
from .selfie import Selfie
from .sharing import Guest


class Archive(models.Model):
    class Size(models.TextChoices):
        ORIGINAL = "original", _("original size")
        PREVIEW = "preview", _("small size")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    album = models.ForeignKey(Album, on_delete=models.CASCADE, related_name="archives")
    # Whose it is: the guest of a search, or a user who owns the album.
    selfie = models.ForeignKey(Selfie, null=True, on_delete=models.CASCADE, related_name="archives")
    guest = models.ForeignKey(Guest, null=True, on_delete=models.CASCADE, related_name="archives")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="archives")
    size = models.CharField(max_length=8, choices=Size.choices, default=Size.ORIGINAL)
    # One row an entry: [photo id, entry name, bytes, CRC-32, ISO time or "", [[storage key, offset, length], ...]].
    entries = models.JSONField()
    count = models.PositiveIntegerField()
    bytes = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(user__isnull=False, guest__isnull=True, selfie__isnull=True)
                | models.Q(user__isnull=True, guest__isnull=False, selfie__isnull=False),
                name="archive_has_one_holder",
            )
        ]

    def __str__(self) -> str:
        return f"zip of {self.count} photos"
