"""What became of an album and of its links, as numbers; who it was stays unknown."""

from collections import defaultdict
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone

from galleries.models import Album, Link, Selfie, Visit

from . import live

DAYS = 30


def of_album(album: Album) -> dict[str, Any]:
    tally = album.photos.all().tally()
    faces, hidden, indexing = tally.pop("faces"), tally.pop("hidden"), tally.pop("indexing")
    size = album.photos.exclude(original_key="").aggregate(sum=Coalesce(Sum("size"), 0))["sum"]
    guests = _let_in(album).aggregate(count=Count("guest", distinct=True))["count"]
    return {
        "photos": tally | {"hidden": hidden, "indexing": indexing},
        "faces": faces,
        "bytes": size,
        "guests": guests,
        "searches": _searches(album),
        "downloads": _downloads(album),
        "live": _live(album),
        "days": _days(album),
    }


def _let_in(album: Album) -> QuerySet[Visit]:
    return Visit.objects.filter(link__album=album, unlocked=True)


def _searches(album: Album) -> dict[str, int]:
    """Of the last 30 days, for which they are noted."""
    done = Q(outcome="done")
    return album.search_records.aggregate(
        all=Count("pk"), done=Count("pk", filter=done), found=Count("pk", filter=done & Q(photos__gt=0))
    )


def _downloads(album: Album) -> dict[str, int]:
    counted = {name: Coalesce(Sum(f"{name}_count"), 0) for name in ("opened", "zip", "original")}
    sums = album.links.aggregate(**counted)
    return {"opened": sums["opened"], "zips": sums["zip"], "originals": sums["original"]}


def _live(album: Album) -> dict[str, Any]:
    now = asdict(live.live(album))
    return now | {"coverage": list(now["coverage"]) if now["coverage"] else None}


def _days(album: Album) -> list[dict[str, Any]]:
    """The last 30 days on which something happened, the latest first."""
    days: dict[date, dict[str, int]] = defaultdict(lambda: {"photos": 0, "guests": 0, "searches": 0})
    rows = [("photos", "received_at", album.photos.all()), ("guests", "created_at", _let_in(album))]
    for name, column, found in [*rows, ("searches", "created_at", album.search_records.all())]:
        for day, count in _by_day(found, column):
            days[day][name] = count
    return [{"day": day, **counts} for day, counts in sorted(days.items(), reverse=True)]


def _by_day(rows: QuerySet[Any], column: str) -> QuerySet[Any]:
    begin = timezone.now() - timedelta(days=DAYS)
    dated = rows.filter(**{f"{column}__gte": begin}).order_by().annotate(day=TruncDate(column))
    return dated.values_list("day").annotate(Count("pk"))


def of_link(link: Link) -> dict[str, int]:
    """Guests who were let in by it, who searched, and who found photos."""
    let_in = link.visits.filter(unlocked=True).count()
    searched = Count("guest", distinct=True)
    found = Count("guest", distinct=True, filter=Q(state=Selfie.State.DONE, matches__isnull=False))
    return {"guest_count": let_in} | link.selfies.aggregate(searched_count=searched, found_count=found)
