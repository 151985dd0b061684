"""Numbers of the whole site, one row a day and name, written by upkeep: what the desk shows without counting rows."""

from datetime import date
from typing import Self

from django.db import models
from django.db.models import Max
from django.db.models.functions import Now


class DayCountQuerySet(models.QuerySet["DayCount"]):
    def latest_of_each(self) -> dict[str, "DayCount"]:
        """By name, of the last day on which each was written."""
        days = dict(self.order_by().values_list("name").annotate(Max("day")))
        found = self.filter(day__in=set(days.values()))
        return {row.name: row for row in found if row.day == days[row.name]}

    def since(self, day: date) -> Self:
        return self.filter(day__gte=day)


class DayCount(models.Model):
    """Of what flows (uploads, searches), how much came that day, and the reading of its counter when it was last
    noted; of what is there (photos, bytes), how much there was when it was last noted.
    """

    day = models.DateField()
    name = models.CharField(max_length=60)
    count = models.BigIntegerField(default=0)
    reading = models.FloatField(default=0)
    noted_at = models.DateTimeField(db_default=Now())

    objects = DayCountQuerySet.as_manager()

    class Meta:
        ordering = ["-day", "name"]
        indexes = [models.Index(fields=["name", "-day"], name="day_count_by_name")]
        constraints = [models.UniqueConstraint(fields=["day", "name"], name="day_count_once")]

    def __str__(self) -> str:
        return f"{self.name} on {self.day}: {self.count}"
