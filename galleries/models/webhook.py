"""Webhooks: where a photographer's own programs are told what happened, and what they were told."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from galleries.words import in_words

from . import vault
from .album import Album
from .erasure import Erasure
from .lease import is_free
from .outgoing import Outgoing, OutgoingQuerySet

TEST = "test"
_PURPOSE = b"galleries.webhook"
_SWITCHED_ON = Q(switched_off_because="")


class Event(models.TextChoices):
    """What is told of. To a photo, a search or an album nothing else happens that is told outside."""

    ALBUM_READY = "album.ready", _("album.ready: all photos that came have been worked on")
    PHOTO_READY = "photo.ready", _("photo.ready: a photo can be seen and found")
    PHOTO_REJECTED = "photo.rejected", _("photo.rejected: a file is no usable photo, or was set aside")
    SELFIE_MATCHED = "selfie.matched", _("selfie.matched: a guest has found photos")
    ERASE_DONE = "erase.done", _("erase.done: an album, or a withdrawn search, is erased with all its files")


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def of_owner_of(self, album_id: uuid.UUID) -> Self:
        """Whether there are any is asked first, of each photo: to ask for `listening` takes four times as long."""
        return self.filter(_SWITCHED_ON, owner__albums=album_id)

    def listening(self, kind: str, album_id: uuid.UUID) -> Self:
        """Those that are to be told, in the order of their ids.

        Locked, for their rows to be written: one that is deleted at this moment must not fail whoever has the news.
        """
        bound = Webhook.albums.through._default_manager.filter(webhook=OuterRef("pk"), album=album_id)
        owners = self.of_owner_of(album_id).filter(owner__is_active=True)
        told = owners.filter(Q(is_bound=False) | Exists(bound), events__contains=kind).order_by("pk")
        return told.select_for_update(of=("self",), no_key=True)


class Webhook(models.Model):
    class Ended(models.TextChoices):
        OWNER = "owner", _("You switched it off.")
        GONE = "gone", _("Its address answered 410: it is gone.")
        FAILING = "failing", _("Its address failed 40 times in a row.")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks")
    name = models.CharField(_("name"), max_length=60, blank=True, default="")
    # Some services' addresses are secrets themselves: in no log, and in no message.
    url = models.CharField(_("address"), max_length=1000)
    # With spaces between.
    events = models.CharField(max_length=200)
    albums = models.ManyToManyField(Album, blank=True, related_name="webhooks", verbose_name=_("albums"))
    # Of chosen albums that have all been deleted none are left, and it must not become one for all.
    is_bound = models.BooleanField(default=False, editable=False)
    sealed_secret = models.BinaryField(editable=False)
    # The one before it, with which deliveries are signed as well for a while.
    sealed_former_secret = models.BinaryField(null=True, editable=False)
    former_secret_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    # "" while it is on.
    switched_off_because = models.CharField(max_length=8, choices=Ended.choices, blank=True, default="", editable=False)
    switched_off_at = models.DateTimeField(null=True, editable=False)
    # Attempts since the last that succeeded, whichever delivery they were of; while its address is down or slow it is
    # left alone, so that it takes no time from the others.
    failures = models.PositiveSmallIntegerField(default=0, editable=False)
    rest_until = models.DateTimeField(null=True, editable=False)
    served_at = models.DateTimeField(null=True, editable=False)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(switched_off_because="", switched_off_at__isnull=True)
                | Q(switched_off_because__gt="", switched_off_at__isnull=False),
                name="webhook_off_since_and_because",
            )
        ]

    def __str__(self) -> str:
        return self.name or f"webhook {self.pk}"

    @property
    def is_on(self) -> bool:
        return not self.switched_off_because

    @staticmethod
    def seal(secret: str) -> bytes:
        return vault.seal(secret, _PURPOSE)

    def secrets(self) -> list[str]:
        """What deliveries are signed with. Raises cryptography.fernet.InvalidToken: the site's key is another."""
        sealed = [self.sealed_secret]
        if self.sealed_former_secret and self.former_secret_until and self.former_secret_until > timezone.now():
            sealed.append(self.sealed_former_secret)
        return [vault.unseal(bytes(each), _PURPOSE) for each in sealed]

    def event_list(self) -> list[str]:
        return self.events.split()


class DeliveryQuerySet(OutgoingQuerySet["Delivery"]):
    def due(self) -> Self:
        """Of one webhook one at a time, in order; those that rest wait with all that they are still to be told."""
        erasing = Erasure.objects.filter(subject=OuterRef("erasing"))
        under_way = Delivery.objects.waiting().filter(~is_free(), webhook=OuterRef("webhook"))
        rested = Q(webhook__rest_until__isnull=True) | Q(webhook__rest_until__lt=Now())
        on = super().due().filter(rested, webhook__switched_off_because="", webhook__owner__is_active=True)
        return on.filter(~Exists(erasing), ~Exists(under_way))

    def in_turn(self) -> Self:
        """The webhook that has waited longest, and of it what happened first."""
        turn = F("webhook__served_at").asc(nulls_first=True)
        return self.due().order_by(turn, "webhook", "created_at", "pk")

    def claim(self) -> "Delivery | None":
        if delivery := super().claim():
            Webhook.objects.filter(pk=delivery.webhook_id).update(served_at=Now())
        return delivery


class Delivery(Outgoing):
    """One event, told to one webhook: the very bytes, whose `id` is this row's, at every attempt."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    kind = models.CharField(max_length=20, choices=[*Event.choices, (TEST, _("test"))])
    body = models.TextField()
    # When it happened, and the order in which it is told.
    created_at = models.DateTimeField(editable=False)
    # Told once no file is left of the album or search with this id, which is no row any more.
    erasing = models.UUIDField(null=True, editable=False)
    answer_status = models.PositiveSmallIntegerField(null=True, editable=False)
    tried_at = models.DateTimeField(null=True, editable=False)

    objects = DeliveryQuerySet.as_manager()

    class Meta(Outgoing.Meta):
        ordering = ["-created_at"]
        indexes = [
            *Outgoing.Meta.indexes,
            models.Index(fields=["webhook", "created_at", "id"], name="delivery_log"),
            models.Index(fields=["created_at"], name="delivery_by_age"),
        ]
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"{self.kind} to {self.webhook_id}"

    @property
    def reason(self) -> str:
        """Why the last attempt failed, in the reader's language; `last_error` is English."""
        return in_words(self.last_error)

    @property
    def state(self) -> str:
        if self.sent_at:
            return "sent"
        return "given_up" if self.given_up_at else "waiting"
