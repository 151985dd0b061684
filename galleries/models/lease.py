"""A lease: the right to work on a row for a while. The row is the queue; its worker holds it by a fence only it knows.

All times are the database's clock, so that a worker with a wrong clock can take nothing early and keep nothing long.
"""

import uuid
from datetime import timedelta
from typing import Any, Self, TypeVar

from django.db import models, transaction
from django.db.models import F, Q, Subquery, Value
from django.db.models.functions import Now

from galleries import logs

_Row = TypeVar("_Row", bound="Leased")
# Losing the race for a row this often in a row means that others are busy doing the work.
_RACES = 5
# A lease lasts for a minute, and a photo rests for five at most.
_LONGEST_SECONDS = 600


def from_now(seconds: float) -> models.expressions.CombinedExpression:
    return Now() + Value(timedelta(seconds=seconds))


def is_free() -> Q:
    """Also where it ends later than any that is given: its machine's clock has since been set back."""
    later_than_given = Q(lease_until__gt=from_now(_LONGEST_SECONDS))
    return Q(lease_until__isnull=True) | Q(lease_until__lt=Now()) | later_than_given


class LeaseQuerySet(models.QuerySet[_Row]):
    @transaction.atomic
    def update_in_order(self, **changes: Any) -> int:
        """For many rows: everybody locks them by primary key, while an UPDATE has an order of its own, and two that
        lock the same rows in two orders may wait for each other.
        """
        list(self.select_for_update(of=("self",), no_key=True).order_by("pk").values_list("pk"))
        return self.update(**changes)

    def claim_first(self, candidates: models.QuerySet[_Row], seconds: float, **changes: Any) -> _Row | None:
        """Take the first of `candidates` by one conditional UPDATE, or None when there is none left to take.

        This QuerySet says what a row must be like to be taken. PostgreSQL asks that again of a row it had to wait for,
        and not whether it still is among the candidates.
        """
        for _ in range(_RACES):
            fence = uuid.uuid4()
            taken = self.filter(is_free(), pk=Subquery(candidates.values("pk")[:1])).update(
                lease_until=from_now(seconds), fence=fence, attempts=F("attempts") + 1, **changes
            )
            if taken:
                # None: deleted between the two statements.
                row = self.model._default_manager.filter(fence=fence).first()
                logs.note(**{str(self.model._meta.model_name): row.pk} if row else {})
                return row
            if not candidates.exists():
                return None
        return None

    def held(self, row: _Row) -> Self:
        """The row while its worker still holds it; empty once the lease went to another, or the row is gone."""
        return self.filter(pk=row.pk, fence=row.fence)

    def release(self, row: _Row, *, rest_seconds: float = 0, **changes: Any) -> bool:
        """Give the row back with its changes, not to be taken before it has rested. False: it was no longer held."""
        until = from_now(rest_seconds) if rest_seconds else None
        return bool(self.held(row).update(fence=None, lease_until=until, **changes))

    def hand_back(self, row: _Row, **changes: Any) -> bool:
        """Give the row back as if it had not been claimed: its worker was asked to end in the middle of the work."""
        return self.release(row, attempts=F("attempts") - 1, **changes)


class Leased(models.Model):
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    fence = models.UUIDField(null=True, blank=True, editable=False, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta:
        abstract = True
