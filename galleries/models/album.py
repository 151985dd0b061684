"""An album: one event's photos, its owner, and whether faces may be searched in it."""

import uuid
from datetime import date, datetime, timedelta
from typing import Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .literal import Literal

A_COLOUR = RegexValidator(r"^#[0-9a-fA-F]{6}\Z", _("A colour is written like #a53a1d."))
MOST_PERSONS_A_GUEST = 3
# A deleted album can be had back for so long.
RESTORE_DAYS = 7
_MOVING = Q(next_engine__gt=Literal(""))


def not_past(day: date) -> None:
    if day < timezone.localdate():
        raise ValidationError(_("This day lies in the past."))


class AlbumQuerySet(models.QuerySet["Album"]):
    def present(self) -> Self:
        """Those that are not deleted."""
        return self.filter(deleted_at__isnull=True)

    def moving(self) -> Self:
        """Those that are on the way to another engine."""
        return self.filter(_MOVING)

    def in_work(self) -> Self:
        """Those of which a worker has photos in hand, or had them a moment ago."""
        return self.filter(in_work=True)

    def overdue(self) -> Self:
        """Those that were deleted and that nobody wanted back, and what is left of those deleted for good."""
        # Said of all of them, so that an index finds the few.
        gone = self.filter(deleted_at__isnull=False)
        return gone.filter(Q(doomed=True) | Q(deleted_at__lt=timezone.now() - timedelta(days=RESTORE_DAYS)))

    def run_out(self) -> Self:
        """Those whose last day is over. Once deleted, an album has none."""
        return self.filter(kept_until__lt=timezone.localdate())

    def locked(self) -> Self:
        """To be read in a transaction that adds to an album, switches or deletes it: these wait for each other.

        Workers do not: a row that points to the album wants less than this lock denies. Whoever locks more than one
        kind takes the album first, then searches, then photos; so nobody waits in a circle.
        """
        return self.select_for_update(no_key=True)


class Album(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="albums")
    title = models.CharField(_("title"), max_length=120)
    event_date = models.DateField(_("date of the event"), null=True, blank=True)
    face_search = models.BooleanField(_("face search"), default=False)
    # What guests see of the photographer, and what a messenger may show of a link.
    brand_name = models.CharField(_("photographer's name"), max_length=80, blank=True, default="")
    welcome = models.TextField(_("welcome text"), max_length=1000, blank=True, default="")
    accent = models.CharField(_("accent colour"), max_length=7, blank=True, default="", validators=[A_COLOUR])
    link_preview = models.BooleanField(_("link previews show title and cover"), default=False)
    # Who may be searched for. One guest is one person, unless the owner allows for families on one phone.
    persons_a_guest = models.PositiveSmallIntegerField(
        _("persons a guest may search for"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_PERSONS_A_GUEST)],
    )
    live_camera_only = models.BooleanField(_("selfies by the live camera only"), default=False)
    logo_key = models.CharField(max_length=200, blank=True, default="", editable=False)
    logo_width = models.PositiveSmallIntegerField(default=0, editable=False)
    logo_height = models.PositiveSmallIntegerField(default=0, editable=False)
    # The engine whose vectors answer searches; "" until face search is first switched on.
    engine = models.CharField(max_length=64, blank=True, default="", editable=False)
    # The engine that the album is moving to, while it does.
    next_engine = models.CharField(max_length=64, blank=True, default="", editable=False)
    # Files that came again: they have no row of their own, but progress must add up.
    duplicates = models.PositiveIntegerField(default=0, editable=False)
    # When a worker last took a photo from here, so that albums are served in turn.
    served_at = models.DateTimeField(null=True, editable=False)
    # And a selfie.
    searched_at = models.DateTimeField(null=True, editable=False)
    # A worker took up photos that came, and that all of them are ready has not been told yet.
    in_work = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    cover = models.ForeignKey("galleries.Photo", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    # Deleted, but to be had back for a while: nothing of it is served, its faces and searches are gone.
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)

    # By an administrator: its links open nothing, and those who have a role in it only look on.
    suspended_at = models.DateTimeField(_("suspended at"), null=True, blank=True, editable=False)
    # Deleted the day after, which can be taken back for RESTORE_DAYS.
    kept_until = models.DateField(_("kept until"), null=True, blank=True, db_index=True, validators=[not_past])

    # Deleted for good: what is left of it goes step by step, and nobody has it back.
    doomed = models.BooleanField(default=False, editable=False)

    objects = AlbumQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(accent="") | Q(accent__regex=r"^#[0-9a-fA-F]{6}$"), name="album_accent_is_a_colour"
            ),
            models.CheckConstraint(
                condition=Q(persons_a_guest__range=(1, MOST_PERSONS_A_GUEST)), name="album_persons_a_guest"
            ),
        ]
        indexes = [
            models.Index(fields=["next_engine"], condition=_MOVING, name="album_moving"),
            models.Index(fields=["in_work"], condition=Q(in_work=True), name="album_in_work"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def gone_at(self) -> datetime | None:
        """When a deleted album goes for good."""
        return self.deleted_at and self.deleted_at + timedelta(days=RESTORE_DAYS)


class LegalBasis(models.Model):
    """Why the owner may process faces, as they attested when they switched face search on. Only ever added to."""

    class Basis(models.TextChoices):
        EXPLICIT_CONSENT = "explicit_consent", _("The guests gave explicit consent")
        CONTRACT = "contract", _("A contract with the guests covers it")
        LEGITIMATE_INTEREST = "legitimate_interest", _("Legitimate interest, weighed and written down")

    album = models.ForeignKey(Album, on_delete=models.CASCADE, related_name="legal_bases")
    basis = models.CharField(max_length=20, choices=Basis.choices)
    attested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    attested_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-attested_at"]
        verbose_name_plural = "legal bases"

    def __str__(self) -> str:
        return self.get_basis_display()
