"""Somebody with an account who works on an album with its owner."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .album import Album


class Collaborator(models.Model):
    """What each role may do stands in galleries/access/rule.py. The owner is none of them."""

    class Role(models.TextChoices):
        VIEWER = "viewer", _("may look and download")
        EDITOR = "editor", _("may also add, hide, delete and share")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    album = models.ForeignKey(Album, on_delete=models.CASCADE, related_name="collaborators")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="collaborations")
    role = models.CharField(_("role"), max_length=6, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["album", "user"], name="collaborator_once"),
            models.CheckConstraint(condition=Q(role__in=["viewer", "editor"]), name="collaborator_role_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.role} of {self.album_id}"
