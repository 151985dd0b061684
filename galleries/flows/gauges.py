"""What the database can tell about the whole site, in six queries; the large sums at most once a minute."""

from collections.abc import Iterator

from django.core.cache import cache
from django.db.models import Count, Min, Q, Sum
from django.utils import timezone

from galleries.metrics import Gauge
from galleries.models import Album, Archive, Delivery, Grouping, Mail, Photo, Selfie

# With 100,000 photos, 2,000 of them waiting, these take 40 ms on PostgreSQL and the others 10.
TOTALS_SECONDS = 60


def gauges() -> Iterator[Gauge]:
    yield from waiting()
    yield from _deliveries()
    yield from cache.get_or_set("gauges", _totals, TOTALS_SECONDS) or ()


def waiting() -> Iterator[Gauge]:
    """By indexes of the few that wait."""
    arriving = Q(state__in=[Photo.State.UPLOADED, Photo.State.PROCESSING])
    asking = Q(state__in=Selfie.WAITING)
    due = {
        "ingest": Photo.objects.due().aggregate(rows=Count("pk"), oldest=Min("received_at", filter=arriving)),
        "selfie": Selfie.objects.due().aggregate(rows=Count("pk"), oldest=Min("created_at", filter=asking)),
    }
    now = timezone.now()
    ages = {
        queue: max(0.0, (now - found["oldest"]).total_seconds()) if found["oldest"] else 0.0
        for queue, found in due.items()
    }
    depth = {queue: float(found["rows"]) for queue, found in due.items()}
    depth["mail"] = float(Selfie.objects.mail_due().count() + Mail.objects.due().count())
    depth["people"] = float(Grouping.objects.due().count())
    yield "due", "Rows that wait for a worker; those that rest after a failure are not among them.", "queue", depth
    yield "oldest_due_seconds", "Age of the longest waiting photo or selfie, re-indexing left out.", "queue", ages


def _deliveries() -> Iterator[Gauge]:
    """What webhooks are still to be told, what rests after a failure included."""
    found = Delivery.objects.waiting().aggregate(rows=Count("pk"), oldest=Min("created_at"))
    age = max(0.0, (timezone.now() - found["oldest"]).total_seconds()) if found["oldest"] else 0.0
    yield "deliveries_waiting", "Deliveries that webhooks are still to be told.", "", {"": float(found["rows"])}
    yield "oldest_delivery_seconds", "Age of the longest waiting delivery.", "", {"": age}


def _totals() -> list[Gauge]:
    photos = Photo.objects.order_by().values_list("state").annotate(Count("pk"), Sum("size"), Sum("preview_size"))
    rows = {state: (count, size or 0, preview or 0) for state, count, size, preview in photos}
    by_state = {state: float(rows.get(state, (0,))[0]) for state in Photo.State.values}
    stored = [row for state, row in rows.items() if state != Photo.State.REJECTED]
    sizes = {"originals": float(sum(row[1] for row in stored)), "previews": float(sum(row[2] for row in stored))}
    searches = dict(Selfie.objects.order_by().values_list("state").annotate(Count("pk")))
    albums = Album.objects.aggregate(present=Count("pk", filter=Q(deleted_at=None)), deleted=Count("deleted_at"))
    return [
        ("photos", "Photos by state.", "state", by_state),
        ("stored_bytes", "Bytes of stored photos, thumbs left out.", "kind", sizes),
        (
            "search_rows",
            "Searches that are kept, by state; done ones are open.",
            "state",
            {s: float(searches.get(s, 0)) for s in Selfie.State.values},
        ),
        (
            "albums",
            "Albums; deleted ones can still be had back.",
            "state",
            {name: float(n) for name, n in albums.items()},
        ),
        ("zip_rows", "Zips that can be fetched.", "", {"": float(Archive.objects.count())}),
    ]
