"""So much and no more in a while: counted by one conditional UPDATE, so that the number is exact in any crowd.

The rows outlive what was asked for, so that nobody has a budget anew by withdrawing. Of an address they know a hash
that only this site can make, and they go when their time is over.
"""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Q, When
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.crypto import salted_hmac

from .lease import from_now
from .sharing import Guest, Link

HOUR_SECONDS = 3600
DAY_SECONDS = 24 * HOUR_SECONDS


def hashed(address: str, salt: str) -> str:
    return salted_hmac(salt, address, algorithm="sha256").hexdigest()


class BudgetQuerySet(models.QuerySet[Any]):
    def over(self) -> Self:
        """Those whose time is over."""
        return self.filter(self.model.is_over())


class Budget(models.Model):
    """How many there were in the time from `since`, which is SECONDS long."""

    SECONDS: ClassVar[int]

    since = models.DateTimeField(db_default=Now(), db_index=True)
    count = models.PositiveIntegerField(default=0)

    objects = BudgetQuerySet.as_manager()

    class Meta:
        abstract = True

    @classmethod
    def is_over(cls) -> Q:
        return Q(since__lt=from_now(-cls.SECONDS))

    @classmethod
    def take_one(cls, most: int, **whose: Any) -> int:
        """Count one more: 0, or in how many seconds there is room."""
        cls._default_manager.bulk_create([cls(**whose)], ignore_conflicts=True)
        rows = cls.objects.filter(**whose)
        begun_anew = {"count": Case(When(cls.is_over(), then=1), default=F("count") + 1)}
        begun_anew["since"] = Case(When(cls.is_over(), then=Now()), default=F("since"))
        if rows.filter(cls.is_over() | Q(count__lt=most)).update(**begun_anew):
            return 0
        age = timezone.now() - rows.values_list("since", flat=True)[0]
        return max(1, round(cls.SECONDS - age.total_seconds()) + 1)


class NewGuests(Budget):
    """How many new guests one link has had from one address."""

    SECONDS = HOUR_SECONDS

    link = models.ForeignKey(Link, on_delete=models.CASCADE, related_name="new_guests")
    address_hash = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["link", "address_hash"], name="new_guests_once")]

    def __str__(self) -> str:
        return f"{self.count} new guests of {self.link_id}"

    @classmethod
    def take(cls, link: Link, address: str, most: int) -> int:
        return cls.take_one(most, link=link, address_hash=hashed(address, "galleries.new_guests"))


class GuestSearches(Budget):
    """How many searches one guest has made, whatever became of them."""

    SECONDS = DAY_SECONDS

    guest = models.OneToOneField(Guest, on_delete=models.CASCADE, related_name="search_budget")

    def __str__(self) -> str:
        return f"{self.count} searches of {self.guest_id}"

    @classmethod
    def take(cls, guest: Guest, most: int) -> int:
        return cls.take_one(most, guest=guest)


class OwnerSearches(Budget):
    """How many searches there were in all albums of one photographer."""

    SECONDS = DAY_SECONDS

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="search_budget")

    def __str__(self) -> str:
        return f"{self.count} searches in albums of {self.user_id}"

    @classmethod
    def take(cls, user: int, most: int) -> int:
        return cls.take_one(most, user_id=user)


class AskedAddress(Budget):
    """An e-mail address that was asked whether it wants mail. Anybody may give anybody's, with every selfie."""

    SECONDS = HOUR_SECONDS

    address_hash = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return f"asked at {self.since}"

    @classmethod
    def take(cls, email: str) -> int:
        return cls.take_one(1, address_hash=cls._hash(email))

    @classmethod
    def give_back(cls, email: str) -> None:
        """The question was not sent, or its owner has answered it."""
        cls.objects.filter(address_hash=cls._hash(email)).delete()

    @staticmethod
    def _hash(email: str) -> str:
        return hashed(email.lower(), "galleries.asked_address")
