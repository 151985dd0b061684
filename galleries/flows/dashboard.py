"""What an administrator sees first: how the site does, in some twenty small queries, however many photos there are.

Totals are rows that upkeep keeps (flows/day.py); what waits, is overdue or strange is found by indexes of the few.
"""

import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from celery import current_app
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

import recognition
from galleries.models import Album, Alert, DayCount, EmbeddingBlock, Erasure, Photo, Selfie
from galleries.models.lease import from_now

from . import day, gauges, readiness

PLOT_DAYS = 30
# A sweep comes every 5 s.
_STALE_SECONDS = 90
_PING_SECONDS, _PING_KEPT_SECONDS = 0.5, 15.0
_LATE_SECONDS = 600
_MOVING_SHOWN = 5
# Of a plot, in units of its view box: from bar to bar, and the highest bar.
STEP, HEIGHT = 10, 60
_TITLES = {
    "uploads": _("Photos uploaded"),
    "searches": _("Searches"),
    "downloads": _("Zips"),
    "failures": _("Failures"),
}


@dataclass(frozen=True)
class Bar:
    day: date
    count: int
    x: int
    y: int
    height: int


@dataclass(frozen=True)
class Plot:
    name: str
    title: Any
    total: int
    most: int
    bars: list[Bar]
    width: int = PLOT_DAYS * STEP
    height: int = HEIGHT


@dataclass(frozen=True)
class Health:
    name: Any
    ok: bool
    words: Any


@dataclass(frozen=True)
class Queue:
    name: str
    due: int
    # Seconds that the oldest has waited.
    age: int


@dataclass(frozen=True)
class Moving:
    album: Album
    moved: int
    photos: int


def look() -> dict[str, Any]:
    latest = DayCount.objects.latest_of_each()
    plots = _plots()
    noted = latest.get(day.STOCK)
    return {
        "counts": {name.replace(".", "_"): row.count for name, row in latest.items()},
        "noted_at": noted.noted_at if noted else None,
        "reasons": day.reasons(latest),
        "plots": plots,
        "searches_today": next(plot.bars[-1].count for plot in plots if plot.name == "searches"),
        "queues": queues(),
        "health": health(latest),
        "engine": recognition.engine().name,
        "moving": moving(),
        "overdue": overdue(),
        "alerts": Alert.objects.open().count(),
    }


def _plots() -> list[Plot]:
    today = timezone.localdate()
    days = [today - timedelta(days=back) for back in reversed(range(PLOT_DAYS))]
    rows = DayCount.objects.since(days[0]).filter(name__in=day.FLOWS).order_by()
    counts = {(name, when): count for name, when, count in rows.values_list("name", "day", "count")}
    return [plot(name, {when: counts.get((name, when), 0) for when in days}) for name in day.FLOWS]


def plot(name: str, counts: dict[date, int]) -> Plot:
    most = max(counts.values(), default=0)
    bars = []
    for place, (when, count) in enumerate(counts.items()):
        # What there was is seen, however little.
        height = max(2, round(HEIGHT * count / most)) if count else 0
        bars.append(Bar(when, count, place * STEP, HEIGHT - height, height))
    return Plot(name, _TITLES[name], sum(counts.values()), most, bars)


def queues() -> list[Queue]:
    readings = {name: numbers for name, _help, _label, numbers in gauges.waiting()}
    ages = readings["oldest_due_seconds"]
    return [Queue(name, int(due), round(ages.get(name, 0))) for name, due in readings["due"].items()]


def health(latest: dict[str, DayCount]) -> list[Health]:
    checks = [Health(answer.name, answer.ok, answer.words) for answer in readiness.check()]
    return [*checks, _upkeep(latest.get(day.SWEEPS)), _workers(has_redis=_is_ok(checks, "redis"))]


def _is_ok(checks: list[Health], name: str) -> bool:
    return any(check.ok for check in checks if check.name == name)


def _upkeep(row: DayCount | None) -> Health:
    if row is None:
        return Health("upkeep", False, _("It has not run yet."))
    ago = _seconds_since(row.noted_at)
    return Health("upkeep", ago < _STALE_SECONDS, _("Ran %(n)s s ago.") % {"n": ago})


def _seconds_since(moment: datetime) -> int:
    return max(0, round((timezone.now() - moment).total_seconds()))


_answered: tuple[float, int] = (float("-inf"), 0)


def _workers(*, has_redis: bool) -> Health:
    """Asked over Redis, at most every quarter of a minute: each asking takes half a second."""
    global _answered
    if not has_redis:
        return Health("workers", False, _("Unknown: Redis does not answer."))
    if time.monotonic() - _answered[0] > _PING_KEPT_SECONDS:
        try:
            count = len(current_app.control.ping(timeout=_PING_SECONDS) or [])
        except Exception:  # noqa: BLE001 (whatever it is, no worker was heard)
            count = 0
        _answered = time.monotonic(), count
    count = _answered[1]
    return Health("workers", count > 0, _("%(n)s answer.") % {"n": count})


def moving() -> list[Moving]:
    """Albums on the way to another engine, the first of them."""
    albums = list(Album.objects.moving().select_related("owner").order_by("pk")[:_MOVING_SHOWN])
    found = []
    for album in albums:
        blocks = EmbeddingBlock.objects.filter(album=album, engine=album.next_engine)
        ready = Photo.objects.filter(album=album, state=Photo.State.READY).aggregate(all=Count("pk"))
        found.append(Moving(album, blocks.count(), ready["all"]))
    return found


def overdue() -> list[tuple[Any, int]]:
    """What should be gone by now, and is not; upkeep takes up each within seconds."""
    erasures = Erasure.objects.filter(created_at__lt=from_now(-_LATE_SECONDS)).count()
    counts = [
        (_("searches past their end"), Selfie.objects.overdue().count()),
        (_("albums past their last day"), Album.objects.run_out().count()),
        (_("deleted albums still there"), Album.objects.overdue().count()),
        (_("files that could not be deleted"), erasures),
    ]
    return [(name, count) for name, count in counts if count]
