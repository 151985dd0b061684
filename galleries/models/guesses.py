"""Passwords tried in vain, against one thing from one place: a few at once, then one at a time at a pace.

Whoever guesses is slowed down and never shut out: waiting for one step gives one try. Counted before the password is
looked at, by one conditional UPDATE, so that no crowd gets more tries; a right password is taken back from the count.
"""

from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.crypto import salted_hmac

from .lease import from_now

KNOWN_DAYS = 30


class GuessesQuerySet(models.QuerySet["Guesses"]):
    def over(self) -> Self:
        """Those that tell nothing any more."""
        return self.filter(Q(known_until__isnull=True) | Q(known_until__lt=Now()), used_until__lt=Now())

    def about(self, *what: str) -> Self:
        return self.filter(key_hash=hashed(*what))


def hashed(*what: str) -> str:
    """Neither address nor account can be read from it, nor tried out without the site's key."""
    return salted_hmac("galleries.guesses", "\0".join(what), algorithm="sha256").hexdigest()


class Guesses(models.Model):
    """`used_until`: each try moves it one step of the pace ahead; it may lie `at_once` steps ahead of now.

    `known_until`: the right password came from there lately, so a flood of guesses from elsewhere is not its affair.
    """

    key_hash = models.CharField(max_length=64, unique=True)
    used_until = models.DateTimeField(db_default=Now())
    known_until = models.DateTimeField(null=True)

    objects = GuessesQuerySet.as_manager()

    def __str__(self) -> str:
        return f"guesses until {self.used_until}"

    @classmethod
    def take(cls, what: tuple[str, ...], at_once: int, pace: float) -> int:
        """Count one try: 0, or in how many seconds there is one. `pace` is seconds for each beyond `at_once`."""
        Guesses.objects.bulk_create([Guesses(key_hash=hashed(*what))], ignore_conflicts=True)
        rows = cls.objects.about(*what)
        further = Case(When(used_until__lt=Now(), then=from_now(pace)), default=F("used_until") + _seconds(pace))
        if rows.filter(used_until__lt=from_now((at_once - 1) * pace)).update(used_until=further):
            return 0
        ahead = rows.values_list("used_until", flat=True)[0] - timezone.now()
        return max(1, round(ahead.total_seconds() - (at_once - 1) * pace) + 1)

    @classmethod
    def give_back(cls, what: tuple[str, ...], pace: float) -> None:
        cls.objects.about(*what).update(used_until=F("used_until") - _seconds(pace))

    @classmethod
    def make_known(cls, what: tuple[str, ...]) -> None:
        cls.objects.about(*what).update(known_until=from_now(KNOWN_DAYS * 24 * 3600))

    @classmethod
    def is_known(cls, what: tuple[str, ...]) -> bool:
        return cls.objects.about(*what).filter(known_until__gt=Now()).exists()


def _seconds(count: float) -> Value:
    return Value(timedelta(seconds=count))
