"""The numbers of each day, kept by upkeep, so that the desk counts nothing while somebody waits for it.

What flows is read from the counters that Prometheus is told too: the gain since the last reading goes to today's row.
What is there is summed at most every ten minutes, in one pass over the photos: 0.4 s for 200,000 of them on SQLite.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.db.models import Count, F, Sum
from django.db.models.functions import Now
from django.utils import timezone
from redis import RedisError

from galleries import metrics
from galleries.models import Album, DayCount, Photo, Usage, User
from galleries.models.lease import from_now

STOCK_SECONDS = 600
KEPT_DAYS = 400
SWEEPS, STOCK = "sweeps", "photos"
_REASON = "reason."
_Rows = dict[tuple[str, ...], dict[str, float]]


def _all(rows: _Rows) -> float:
    return sum(parts.get("", 0.0) for parts in rows.values())


def _of(label: str) -> Callable[[_Rows], float]:
    return lambda rows: rows.get((label,), {}).get("", 0.0)


# Name of a row -> the measures it adds up.
FLOWS: dict[str, list[tuple[str, Callable[[_Rows], float]]]] = {
    "uploads": [("uploads", _of("accepted"))],
    "searches": [("searches", _all)],
    "downloads": [("zips", _all)],
    "failures": [("uploads", _of("rejected")), ("quarantines", _all), ("server_errors", _all)],
}


def note() -> None:
    """A duty of upkeep."""
    _gain(SWEEPS, 1, 0)
    note_stock()
    try:
        counted = metrics.counted()
    except (RedisError, OSError):
        # The counters keep what they have counted until the next time.
        return
    for name, parts in FLOWS.items():
        note_flow(name, sum(read(counted[measure]) for measure, read in parts))


@transaction.atomic
def note_flow(name: str, reading: float) -> None:
    """Counters begin anew where Redis lost them. The first reading of all says nothing of the day."""
    last = DayCount.objects.select_for_update().filter(name=name).order_by("-day").first()
    gained = 0.0 if last is None else reading - last.reading if reading >= last.reading else reading
    if gained or last is None:
        _gain(name, round(gained), reading)


def _gain(name: str, gained: int, reading: float) -> None:
    today = timezone.localdate()
    DayCount.objects.get_or_create(day=today, name=name)
    changes = {"count": F("count") + gained, "reading": reading, "noted_at": Now()}
    DayCount.objects.filter(day=today, name=name).update(**changes)


def note_stock() -> None:
    """What there is, unless it was summed a short while ago."""
    if DayCount.objects.filter(name=STOCK, noted_at__gt=from_now(-STOCK_SECONDS)).exists():
        return
    stock = _stock()
    today = timezone.localdate()
    with transaction.atomic():
        # A reason that is no more.
        DayCount.objects.filter(day=today, name__startswith=_REASON).exclude(name__in=stock).delete()
        for name, count in stock.items():
            DayCount.objects.update_or_create(day=today, name=name, defaults={"count": count, "noted_at": Now()})
        DayCount.objects.filter(day__lt=today - timedelta(days=KEPT_DAYS)).delete()


def _stock() -> Counter[str]:
    stock: Counter[str] = Counter({STOCK: 0, "faces": 0, "bytes.previews": 0})
    groups = Photo.objects.order_by().values_list("state", "code")
    sums = groups.annotate(Count("pk"), Sum("face_count"), Sum("preview_size"), Sum("thumb_size"))
    for state, code, count, faces, previews, thumbs in sums:
        stock[STOCK] += count
        stock[f"photos.{state}"] += count
        stock["faces"] += faces or 0
        stock["bytes.previews"] += (previews or 0) + (thumbs or 0)
        if state in (Photo.State.REJECTED, Photo.State.QUARANTINED):
            stock[f"{_REASON}{code or 'unknown'}"] += count
    stock["users"] = User.objects.filter(is_active=True).count()
    stock["albums"] = Album.objects.present().count()
    # Counted exactly as the quotas need it.
    stock["bytes.originals"] = Usage.objects.aggregate(all=Sum("bytes"))["all"] or 0
    return stock


def reasons(latest: dict[str, DayCount]) -> list[tuple[str, int]]:
    """Failures by reason, the most frequent first, as they were last summed."""
    summed = latest.get(STOCK)
    named = {
        name.removeprefix(_REASON): row.count
        for name, row in latest.items()
        if name.startswith(_REASON) and summed and row.day == summed.day and row.count
    }
    return sorted(named.items(), key=lambda each: (-each[1], each[0]))
