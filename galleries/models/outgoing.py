"""Something to be sent to the outside: a mail, a webhook. Written with what it tells of, sent later by a worker.

The row is the queue, as everywhere here. It is claimed before it is sent and marked after; where a worker dies between
the two, it is sent once more: at least once, never not at all.
"""

from typing import Any, ClassVar, Self, TypeVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from .lease import Leased, LeaseQuerySet, from_now, is_free

_Row = TypeVar("_Row", bound="Outgoing")
# Above what one attempt may take, or it would be sent by two.
LEASE_SECONDS = 60
_HOUR = 3600
_WAITING = Q(sent_at__isnull=True, given_up_at__isnull=True)


class OutgoingQuerySet(LeaseQuerySet[_Row]):
    def waiting(self) -> Self:
        """Those that are still to be sent, now or later."""
        return self.filter(_WAITING)

    def due(self) -> Self:
        return self.filter(_WAITING, is_free(), due_at__lte=Now())

    def in_turn(self) -> Self:
        """Those that are due, in the order in which they are sent."""
        return self.due().order_by("due_at", "pk")

    def claim(self) -> _Row | None:
        """The next due row, or None. Whoever claims it sends it, and says `mark_sent` or `mark_failed`."""
        while row := self.filter(_WAITING, due_at__lte=Now()).claim_first(self.in_turn(), LEASE_SECONDS):
            if row.attempts <= row.most_attempts():
                return row
            # Whoever held it last has died of it, and so would the next.
            self.give_up(row, "No attempt came to an end.")
        return None

    def mark_sent(self, row: _Row, **changes: Any) -> bool:
        """False: its lease ran out, and another may have sent it as well."""
        return self.release(row, sent_at=Now(), last_error="", **changes)

    def mark_failed(self, row: _Row, error: str, **changes: Any) -> bool:
        """To be tried again after a while, or given up when that was the last attempt. `error` names no address."""
        if row.attempts >= row.most_attempts():
            return self.give_up(row, error, **changes)
        due_at = from_now(row.back_off_seconds[max(row.attempts, 1) - 1])
        return self.release(row, due_at=due_at, last_error=_short(error), **changes)

    def give_up(self, row: _Row, error: str, **changes: Any) -> bool:
        return self.release(row, given_up_at=Now(), last_error=_short(error), **changes)

    def send_again(self) -> int:
        """Take those up from the beginning, whatever became of them; returns how many."""
        fresh = {"due_at": Now(), "attempts": 0, "sent_at": None, "given_up_at": None, "last_error": ""}
        return self.update_in_order(**fresh, fence=None, lease_until=None)

    def over(self, days: int) -> Self:
        """Those that came to an end so many days ago."""
        before = from_now(-days * 24 * _HOUR)
        return self.filter(Q(sent_at__lt=before) | Q(given_up_at__lt=before))


def _short(error: str) -> str:
    return error[: Outgoing.LONGEST_ERROR]


class Outgoing(Leased):
    LONGEST_ERROR = 300
    # How long it rests after the first failed attempt, after the second, and so on; after one more it is given up.
    back_off_seconds: ClassVar[tuple[int, ...]] = (30, 120, 600, _HOUR, 6 * _HOUR, 24 * _HOUR)

    due_at = models.DateTimeField(db_default=Now(), editable=False)
    sent_at = models.DateTimeField(null=True, blank=True, editable=False)
    given_up_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_error = models.CharField(max_length=LONGEST_ERROR, blank=True, default="", editable=False)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(given_up_at__isnull=True), name="%(class)s_sent_or_given_up"
            )
        ]
        indexes = [models.Index(fields=["due_at"], condition=_WAITING, name="%(class)s_waiting")]

    @classmethod
    def most_attempts(cls) -> int:
        return len(cls.back_off_seconds) + 1
