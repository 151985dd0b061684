"""A mail on its way, and who wants none: written with what it tells of, sent by a worker, and forgotten soon after.

Its words may be a secret (a link that sets a password, one that opens a guest's photos), so they lie sealed, and are
erased once it is sent. A guest's address goes with them.
"""

import json
import uuid
from dataclasses import dataclass
from typing import Any, Self

from django.conf import settings
from django.core import signing
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from . import vault
from .outgoing import Outgoing, OutgoingQuerySet
from .selfie import Selfie

_WORDS = b"pixora mails"
_MAILED_CHOICE = "galleries.mail.choice.mailed"
_ADDRESS = "galleries.mail.unsubscribed"


class MailQuerySet(OutgoingQuerySet["Mail"]):
    def mark_sent(self, row: "Mail", **changes: Any) -> bool:
        return super().mark_sent(row, **Mail.forgotten(row), **changes)

    def legible(self) -> Self:
        """Those whose words are still kept."""
        return self.exclude(sealed=b"")


class Mail(Outgoing):
    class Kind(models.TextChoices):
        VERIFY = "verify", _("address to be confirmed")
        RESET = "reset", _("new password")
        NO_ACCOUNT = "no_account", _("new password, no account")
        HAS_ACCOUNT = "has_account", _("sign-up, has an account")
        SHARED = "shared", _("album shared")
        INVITATION = "invitation", _("invitation")
        ASK = "ask", _("question to a guest")
        PHOTOS = "photos", _("new photos of a guest")
        LINK = "link", _("a guest's link")
        OTHER = "other", _("other")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.OTHER)
    # "" once a guest's is no longer needed.
    recipient = models.EmailField(blank=True)
    language = models.CharField(max_length=10)
    # A guest's mail dies with their search.
    selfie = models.ForeignKey(Selfie, null=True, blank=True, on_delete=models.CASCADE, related_name="mails")
    sealed = models.BinaryField(default=b"", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MailQuerySet.as_manager()

    class Meta(Outgoing.Meta):
        ordering = ["-created_at"]
        indexes = [*Outgoing.Meta.indexes, models.Index(fields=["created_at"], name="mail_made")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    def seal(self, words: dict[str, Any]) -> None:
        self.sealed = vault.seal(json.dumps(words), _WORDS)

    @property
    def words(self) -> dict[str, Any]:
        """Raises cryptography.fernet.InvalidToken where nothing is kept, or it was sealed by an unknown key."""
        return dict(json.loads(vault.unseal(bytes(self.sealed), _WORDS)))

    def forgotten(self) -> dict[str, Any]:
        """What becomes of it once it is sent. Where mail is only shown, that is all there is of it."""
        if settings.PIXORA_MAIL_IS_LOCAL:
            return {}
        return {"sealed": b""} | ({"recipient": ""} if self.selfie_id else {})


# RFC 5321, section 4.5.3.1.3, less the angle brackets; as Django's columns are, though its validator takes 320.
LONGEST_ADDRESS = 254


class Topic(models.TextChoices):
    """What can be unsubscribed from. What an account cannot do without cannot."""

    PHOTOS = "photos", _("new photos of me")
    LINK = "link", _("links that are sent to me")
    SHARED = "shared", _("albums that others share with me")
    INVITATION = "invitation", _("invitations")


class Unsubscribed(models.Model):
    """Whoever owns this address wants no mails of this kind. It outlives searches, albums and accounts, or it would
    not hold; the address cannot be read from it, nor tried out without the site's key.
    """

    address_hash = models.CharField(max_length=64)
    # A topic, or one album's part of it: "photos:<album>".
    scope = models.CharField(max_length=60)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["address_hash", "scope"], name="unsubscribed_once")]

    def __str__(self) -> str:
        return self.scope

    @classmethod
    def covers(cls, email: str, *scopes: str) -> bool:
        return cls.objects.filter(address_hash__in=_hashes(email), scope__in=scopes).exists()

    @classmethod
    def lift(cls, email: str, scope: str) -> None:
        cls.objects.filter(address_hash__in=_hashes(email), scope=scope).delete()

    @classmethod
    def scopes_of(cls, email: str) -> set[str]:
        return set(cls.objects.filter(address_hash__in=_hashes(email)).values_list("scope", flat=True))


def _hashes(email: str) -> list[str]:
    """With the key of today first, and with those before: a new key must not bring the mails back."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return [salted_hmac(_ADDRESS, email.lower(), secret=key, algorithm="sha256").hexdigest() for key in keys]


@dataclass(frozen=True)
class Choice:
    """What a mail's own link is about: mails of one scope to one address. It needs no account and opens no photo.

    Its token is all that tells an address's owner from whoever has typed the address in. So mails alone carry it.
    """

    scope: str
    address_hash: str
    selfie_id: str = ""

    @classmethod
    def about(cls, scope: str, email: str, selfie: Selfie | None = None) -> "Choice":
        return cls(scope, _hashes(email)[0], str(selfie.pk) if selfie else "")

    @classmethod
    def read(cls, token: str) -> "Choice | None":
        try:
            return cls(*signing.loads(token, salt=_MAILED_CHOICE))
        except (signing.BadSignature, TypeError):
            return None

    @property
    def mailed_token(self) -> str:
        """For a mail to this address, and no other place."""
        return signing.dumps([self.scope, self.address_hash, self.selfie_id], salt=_MAILED_CHOICE)

    @property
    def topic(self) -> str:
        return self.scope.partition(":")[0]

    @property
    def selfie(self) -> Selfie | None:
        """The search that still tells this address, or is to ask it."""
        searches = Selfie.objects.select_related("album").filter(email__gt="")
        selfie = searches.filter(pk=self.selfie_id).first() if self.selfie_id else None
        return selfie if selfie and self.address_hash in _hashes(selfie.email) else None

    @property
    def is_stopped(self) -> bool:
        return Unsubscribed.objects.filter(address_hash=self.address_hash, scope__in={self.scope, self.topic}).exists()

    def stop(self) -> None:
        row = Unsubscribed(address_hash=self.address_hash, scope=self.scope)
        Unsubscribed.objects.bulk_create([row], ignore_conflicts=True)

    def start(self) -> None:
        Unsubscribed.objects.filter(address_hash=self.address_hash, scope__in={self.scope, self.topic}).delete()
