"""How an album is shared: links, the guests who came by one, and their visits.

A link's token has 256 random bits. The row keeps its SHA-256 for finding it and a copy encrypted with the site's key,
so that the owner can be shown the address, and its QR code, again. A guest is one secret too, kept as a hash only.
"""

import hashlib
import secrets
import uuid
from typing import Any, Literal, Self

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .album import Album
from .vault import seal, unseal

_SEALED_TOKENS = b"pixora link tokens"


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class LinkQuerySet(models.QuerySet["Link"]):
    def open(self) -> Self:
        return self.filter(OPEN_LINK)

    def with_token(self, token: str) -> Self:
        return self.filter(token_hash=digest(token))


class Link(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    album = models.ForeignKey(Album, on_delete=models.CASCADE, related_name="links")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    token_sealed = models.BinaryField(editable=False)
    can_browse = models.BooleanField(_("guests may see all photos"), default=False)
    can_download = models.BooleanField(_("guests may download"), default=True)
    password_hash = models.CharField(max_length=160, blank=True, default="", editable=False)
    expires_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    max_uses = models.PositiveIntegerField(_("new guests at most"), null=True, blank=True)
    uses = models.PositiveIntegerField(default=0, editable=False)
    # What became of it, as bare numbers: who it was stays unknown.
    opened_count = models.PositiveIntegerField(default=0, editable=False)
    zip_count = models.PositiveIntegerField(default=0, editable=False)
    original_count = models.PositiveIntegerField(default=0, editable=False)
    enabled = models.BooleanField(_("switched on"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = LinkQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"link of {self.album_id}"

    @classmethod
    def make(cls, album: Album, *, password: str = "", **fields: Any) -> "Link":
        token = secrets.token_urlsafe(32)
        link = cls(album=album, token_hash=digest(token), token_sealed=seal(token, _SEALED_TOKENS), **fields)
        link.set_password(password)
        link.save()
        return link

    @property
    def token(self) -> str:
        return unseal(bytes(self.token_sealed), _SEALED_TOKENS)

    @property
    def needs_password(self) -> bool:
        return bool(self.password_hash)

    def is_open(self) -> bool:
        is_over = self.expires_at is not None and self.expires_at <= timezone.now()
        album = self.album
        stands = album.deleted_at is None and album.suspended_at is None and album.owner.is_active
        return self.enabled and not is_over and stands

    def set_password(self, password: str) -> None:
        self.password_hash = make_password(self._of_this_link(password)) if password else ""

    def accepts(self, password: str) -> bool:
        return not self.password_hash or check_password(self._of_this_link(password), self.password_hash)

    def _of_this_link(self, password: str) -> str:
        """What is hashed names the link, so that a hash copied to another row opens nothing."""
        return f"{self.pk}:{password}"

    def take_use(self) -> bool:
        """Count one new guest, unless the link has had all it may: one conditional UPDATE, exact in any crowd."""
        room = Q(max_uses__isnull=True) | Q(uses__lt=F("max_uses"))
        return bool(Link.objects.filter(room, pk=self.pk).update(uses=F("uses") + 1))

    def count(self, what: Literal["opened_count", "zip_count", "original_count"]) -> None:
        """One more of these; exact in any crowd."""
        Link.objects.filter(pk=self.pk).update(**{what: F(what) + 1})


# The same rule as Link.is_open, in the database's clock; `prefix` reaches the link from another model.
def open_link(prefix: str = "") -> Q:
    not_over = Q(**{f"{prefix}expires_at__isnull": True}) | Q(**{f"{prefix}expires_at__gt": Now()})
    album = f"{prefix}album__"
    stands = Q(**{f"{album}deleted_at__isnull": True, f"{album}suspended_at__isnull": True})
    # A photographer who is suspended is not active: what they shared is shut for as long.
    return Q(**{f"{prefix}enabled": True, f"{album}owner__is_active": True}) & stands & not_over


OPEN_LINK = open_link()


class Guest(models.Model):
    """Whoever holds one of its keys: a browser in a cookie, an API client as its guest key. No name, no address."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="guests"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"guest {self.pk}"

    @classmethod
    def make(cls, user: Any = None) -> tuple["Guest", str]:
        """A new guest and its first key."""
        guest = cls.objects.create(user=user)
        return guest, GuestKey.make(guest)

    @classmethod
    def with_key(cls, key: str) -> "Guest | None":
        return cls.objects.filter(keys__key_hash=digest(key)).first()


class GuestKey(models.Model):
    """A guest's secret on one device, kept as a hash."""

    guest = models.ForeignKey(Guest, on_delete=models.CASCADE, related_name="keys")
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"key of {self.guest_id}"

    @classmethod
    def make(cls, guest: Guest) -> str:
        """A new key, which is shown this once."""
        key = secrets.token_urlsafe(32)
        cls.objects.create(guest=guest, key_hash=digest(key))
        return key


class Visit(models.Model):
    """A guest came by a link. `unlocked` once the link's password was given, or it has none."""

    guest = models.ForeignKey(Guest, on_delete=models.CASCADE, related_name="visits")
    link = models.ForeignKey(Link, on_delete=models.CASCADE, related_name="visits")
    unlocked = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["guest", "link"], name="visit_once")]

    def __str__(self) -> str:
        return f"visit of {self.guest_id}"
