"""What the owner of an album may know of its searches: when, by which link, with what outcome. No picture, no name.

Guests and networks have labels that mean nothing outside of their album: hashes that only this site can make.
"""

import uuid
from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .album import Album
from .budget import HOUR_SECONDS, hashed
from .lease import from_now
from .selfie import Selfie
from .sharing import Guest, Link

KEPT_DAYS = 30
_LABEL_LENGTH = 8


def label(album: Album, name: str) -> str:
    """Eight hexadecimal digits: enough to tell the guests of an album apart, of no use in another one."""
    return hashed(f"{album.pk}:{name}", "galleries.audit")[:_LABEL_LENGTH]


class SearchRecordQuerySet(models.QuerySet["SearchRecord"]):
    def of_guest(self, album: Album, guest: Guest) -> Self:
        return self.filter(album=album, guest_label=label(album, str(guest.pk)))

    def since(self, seconds: float) -> Self:
        return self.filter(created_at__gt=from_now(-seconds))

    def too_old(self) -> Self:
        return self.filter(created_at__lt=from_now(-KEPT_DAYS * 24 * 3600))


class SearchRecord(models.Model):
    """That there was a search. It outlives the search, and knows neither face nor address."""

    WAITING, DONE = "waiting", "done"
    # What a search for another person than before ends with.
    REFUSED = ("another_person", "album_photo")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    album = models.ForeignKey(Album, on_delete=models.CASCADE, related_name="search_records")
    link = models.ForeignKey(Link, null=True, on_delete=models.SET_NULL, related_name="search_records")
    selfie = models.OneToOneField(Selfie, null=True, on_delete=models.SET_NULL, related_name="record")
    guest_label = models.CharField(max_length=_LABEL_LENGTH)
    network_label = models.CharField(max_length=_LABEL_LENGTH)
    # WAITING, DONE, or the code of the failure.
    outcome = models.CharField(max_length=40, default=WAITING)
    photos = models.PositiveIntegerField(default=0)
    # Whether the guest had searched this album before; and whether they had withdrawn that, so that nobody knows if
    # it is the same person.
    is_repeat = models.BooleanField(default=False)
    began_anew = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())

    objects = SearchRecordQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["album", "-created_at"], name="search_record_of_album"),
            models.Index(fields=["link", "network_label", "created_at"], name="search_record_of_source"),
            models.Index(fields=["album", "guest_label"], name="search_record_of_guest"),
            models.Index(fields=["created_at"], name="search_record_age"),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} at {self.created_at}"


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> Self:
        return self.filter(settled_at__isnull=True)

    def slowing(self) -> Self:
        """Those whose pattern was seen within the hour, and that the owner has not called harmless.

        Many guests may be a large party, and their budget bounds them: they are slowed if it goes on for an hour.
        """
        hour_ago = from_now(-HOUR_SECONDS)
        return self.open().filter(seen_at__gt=hour_ago).exclude(sign=Alert.Sign.MANY_GUESTS, created_at__gt=hour_ago)

    def too_old(self) -> Self:
        return self.filter(seen_at__lt=from_now(-KEPT_DAYS * 24 * 3600))


class Alert(models.Model):
    """A strange pattern of searches. `guest_label` is empty where it is that of a whole network."""

    class Sign(models.TextChoices):
        OTHER_FACES = "other_faces", _("One guest tries several faces")
        MANY_REFUSED = "many_refused", _("Many searches of one network show somebody else than before")
        MANY_GUESTS = "many_guests", _("Very many new guests of one network, and hardly any comes back")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    album = models.ForeignKey(Album, on_delete=models.CASCADE, related_name="alerts")
    link = models.ForeignKey(Link, null=True, on_delete=models.SET_NULL, related_name="alerts")
    sign = models.CharField(max_length=12, choices=Sign.choices)
    guest_label = models.CharField(max_length=_LABEL_LENGTH, blank=True, default="")
    network_label = models.CharField(max_length=_LABEL_LENGTH)
    created_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    # The owner knows who it is: no slowing any more.
    settled_at = models.DateTimeField(null=True)
    # When the source that is slowed may search again.
    next_search_at = models.DateTimeField(db_default=Now())

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["seen_at"], name="alert_seen")]
        constraints = [
            models.UniqueConstraint(
                fields=["album", "link", "network_label", "guest_label", "sign"],
                condition=Q(settled_at__isnull=True),
                name="alert_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.sign} in {self.album_id}"

    @property
    def is_slowing(self) -> bool:
        hour_ago = timezone.now() - timedelta(seconds=HOUR_SECONDS)
        may_be_a_party = self.sign == Alert.Sign.MANY_GUESTS and self.created_at > hour_ago
        return self.settled_at is None and self.seen_at > hour_ago and not may_be_a_party

    @property
    def is_over(self) -> bool:
        return self.seen_at < timezone.now() - timedelta(seconds=HOUR_SECONDS)

    def take_turn(self, seconds: float) -> int:
        """One search every so many seconds: 0, or how long to wait. One conditional UPDATE, exact in any crowd."""
        mine = Alert.objects.filter(pk=self.pk)
        if mine.filter(next_search_at__lte=Now()).update(next_search_at=from_now(seconds)):
            return 0
        wait = mine.values_list("next_search_at", flat=True)[0] - timezone.now()
        return max(1, round(wait.total_seconds()) + 1)
