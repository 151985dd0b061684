"""An archive: a zip that somebody asked for, as a frozen list. Its bytes are made while they are sent."""

import uuid

from django.conf import settings
from django.db import connection, models
from django.db.models.expressions import RawSQL
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
    count = models.PositiveIntegerField()
    bytes = models.PositiveBigIntegerField()
    # Of the zip's central directory, and of all its bytes: archives.Outline.
    directory = models.PositiveBigIntegerField(editable=False)
    directory_end = models.PositiveBigIntegerField(editable=False)
    etag = models.CharField(max_length=34, editable=False)
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

    @property
    def is_stripped(self) -> bool:
        """Its originals are without their metadata, as guests have them."""
        return self.guest_id is not None

    @property
    def photo_ids(self) -> RawSQL:
        """The ids of the list's photos, for a query to compare with: they are read where they are, and never fetched.

        Neither database has a name in Django for the elements of a JSON array as rows.
        """
        pk = self._meta.pk.get_db_prep_value(self.pk, connection)
        return RawSQL(_LISTED[connection.vendor], [pk])  # noqa: S611 (one of two constants)  # nosec B611


_LISTED = {
    "sqlite": "SELECT listed.value FROM galleries_archivesection AS section, json_each(section.photos) AS listed "
    "WHERE section.archive_id = %s",
    "postgresql": "SELECT listed.id::uuid FROM galleries_archivesection AS section, "
    "jsonb_array_elements_text(section.photos) AS listed(id) WHERE section.archive_id = %s",
}


class ArchiveSection(models.Model):
    """Some entries of the list, as archives.freeze packs them, and the ids of their photos in hexadecimal."""

    archive = models.ForeignKey(Archive, on_delete=models.CASCADE, related_name="sections")
    start = models.PositiveBigIntegerField()
    directory_start = models.PositiveBigIntegerField()
    packed = models.BinaryField()
    photos = models.JSONField()

    class Meta:
        ordering = ["archive", "start"]
        constraints = [models.UniqueConstraint(fields=["archive", "start"], name="section_once")]

    def __str__(self) -> str:
        return f"{len(self.photos)} entries of {self.archive_id}"

    def read(self) -> bytes:
        """Not kept: a slow stream would gather all of them. Raises DoesNotExist once the archive is gone."""
        packed = ArchiveSection.objects.values_list("packed", flat=True).get(pk=self.pk)
        give_back_connection()
        return bytes(packed)


def give_back_connection() -> None:
    """A stream lasts as long as a phone is slow; the database must not wait for it."""
    if not connection.in_atomic_block:
        connection.close()
