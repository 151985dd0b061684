"""What is going on in an album right now, for its photographer: in numbers that name no guest and show no face."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q
from django.utils import timezone

from galleries.models import Album, Selfie
from galleries.models.photo import is_shown
from galleries.models.selfie import certain

ARRIVING_MINUTES = 10


@dataclass(frozen=True)
class Live:
    """`coverage`: how many guests with an open search have no photo, one, two, and more. None without face search."""

    arrived: int
    searched_today: int = 0
    searching: int = 0
    coverage: tuple[int, int, int, int] | None = None


def live(album: Album) -> Live:
    lately = timezone.now() - timedelta(minutes=ARRIVING_MINUTES)
    arrived = album.photos.filter(received_at__gte=lately).count()
    if not album.face_search:
        return Live(arrived)
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    waiting = Q(state__in=Selfie.WAITING)
    searches = album.selfies.aggregate(
        all=Count("pk"), today=Count("pk", filter=Q(created_at__gte=midnight)), waiting=Count("pk", filter=waiting)
    )
    coverage = _coverage(album) if searches["all"] else (0, 0, 0, 0)
    return Live(arrived, searches["today"], searches["waiting"], coverage)


def _coverage(album: Album) -> tuple[int, int, int, int]:
    """Of each guest all open searches together, and of them only photos that are surely theirs, and shown."""
    theirs = certain("matches__") & is_shown("matches__photo__")
    found = Count("matches__photo", distinct=True, filter=theirs)
    open_searches = Selfie.objects.granting().filter(album=album, state=Selfie.State.DONE).order_by()
    guests = Counter(min(count, 3) for _, count in open_searches.values_list("guest").annotate(found=found))
    return guests[0], guests[1], guests[2], guests[3]
