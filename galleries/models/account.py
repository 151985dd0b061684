"""Who signs in: users by e-mail address, and the tokens of the API."""

import uuid
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.core import signing
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from knox.models import AbstractAuthToken

SCOPES = ("read", "upload", "manage")
_FIRST_ADMIN = "galleries.first-admin"
_FIRST_ADMIN_SECONDS = 24 * 3600


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractUser):  # type: ignore[django-manager-missing]  # of knox, which has no types
    username = None  # type: ignore[assignment]  # people sign in by e-mail
    email = models.EmailField(_("e-mail address"), unique=True)
    # Empty: as the site's settings say. 0: no limit.
    photo_limit = models.PositiveBigIntegerField(_("photos kept at most"), null=True, blank=True)
    byte_limit = models.PositiveBigIntegerField(_("bytes kept at most"), null=True, blank=True)
    album_limit = models.PositiveBigIntegerField(_("albums at most"), null=True, blank=True)
    search_limit = models.PositiveBigIntegerField(_("searches a day in their albums at most"), null=True, blank=True)
    # Its owner has ended it; what it had is being erased.
    closed_at = models.DateTimeField(null=True, editable=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []

    objects = UserManager()  # type: ignore[misc, assignment]

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once_in_any_case")]
        indexes = [models.Index(fields=["closed_at"], condition=models.Q(closed_at__isnull=False), name="user_closed")]

    def __str__(self) -> str:
        return self.email


class Usage(models.Model):
    """What a photographer keeps in all their albums, also in those that can still be had back: originals, not previews.

    In a row of its own, which flows/quota.py alone writes: a form that saves a user would write old numbers back.
    """

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="usage")
    photos = models.PositiveBigIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.photos} photos, {self.bytes} bytes"


class ApiToken(AbstractAuthToken):
    """A hashed token of the API. Knox stores its SHA-512; the token itself is shown once.

    `is_bound` says that it reaches `albums` only: of a token bound to one album, which is deleted, none are left, and
    it must not become one for all.
    """

    # What pages call it by: its primary key is the hash of the secret.
    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=60, blank=True, default="")
    scopes = models.CharField(max_length=60, default=" ".join(SCOPES))
    albums = models.ManyToManyField("galleries.Album", blank=True, related_name="tokens", verbose_name=_("albums"))
    is_bound = models.BooleanField(default=False, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    def __str__(self) -> str:
        return f"{self.token_key}… ({self.scopes})"

    def scope_set(self) -> frozenset[str]:
        return frozenset(self.scopes.split())

    def album_ids(self) -> frozenset[UUID] | None:
        """The albums that it reaches; None: all of its user's."""
        chosen = frozenset(self.albums.values_list("pk", flat=True))
        return chosen if chosen or self.is_bound else None

    def bind(self, albums: Iterable[Any]) -> None:
        """To these albums; to none of them: all of its user's, made and to be made."""
        chosen = list(albums)
        self.albums.set(chosen)
        self.is_bound = bool(chosen)
        self.save(update_fields=["is_bound"])


def first_admin_token() -> str:
    """The secret of the one-time link that makes the first administrator; it works for a day."""
    return signing.dumps("first", salt=_FIRST_ADMIN)


def first_admin_wanted(token: str) -> bool:
    """Whether the link is ours, fresh, and nobody has become administrator yet."""
    try:
        signing.loads(token, salt=_FIRST_ADMIN, max_age=_FIRST_ADMIN_SECONDS)
    except signing.BadSignature:
        return False
    return not User.objects.filter(is_superuser=True).exists()


@transaction.atomic
def make_first_admin(token: str, email: str, password: str) -> User | None:
    """The administrator, or None when the link has been used in the meantime."""
    return User.objects.create_superuser(email, password) if first_admin_wanted(token) else None
