"""How much a photographer may keep. Counted in one row for each, exactly, whatever comes at once.

Room is reserved by one conditional UPDATE in the transaction that adds the photo, and given back in the one that
deletes it; so a transaction that fails costs nothing. Whoever locks more than one kind takes this row last: album,
searches, photos, usage.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from django.db import transaction
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Greatest

from galleries.errors import Refusal
from galleries.models import Album, OwnerSearches, Photo, Usage, User, site
from galleries.words import in_words


class Exceeded(Exception):
    """There is no room for a file. `code` is quota_photos or quota_bytes; `detail` says in English what to do, `reason`
    in the reader's language.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    @property
    def reason(self) -> str:
        return in_words(self.detail)


@dataclass
class Quota:
    """What a photographer keeps, and the limits, of which None is no limit."""

    photos: int
    bytes: int
    photo_limit: int | None
    byte_limit: int | None

    @classmethod
    def of(cls, user: int) -> Self:
        """Of the user with this id; one query, which pages ask."""
        names = "photo_limit", "byte_limit", "usage__photos", "usage__bytes"
        photo_limit, byte_limit, photos, size = User.objects.values_list(*names).get(pk=user)
        kept = {"photos": photos, "bytes": size} if photos is not None else _kept(Q(album__owner=user))
        return cls(kept["photos"], kept["bytes"], *_limits(photo_limit, byte_limit))

    @property
    def is_limited(self) -> bool:
        return self.photo_limit is not None or self.byte_limit is not None

    def take(self, size: int) -> Exceeded | None:
        """Count one more file of `size` bytes, or say why there is no room for it."""
        exceeded = self._exceeded_by(size)
        if exceeded is None:
            self.photos, self.bytes = self.photos + 1, self.bytes + size
        return exceeded

    def _exceeded_by(self, size: int) -> Exceeded | None:
        if self.photo_limit is not None and self.photos >= self.photo_limit:
            return Exceeded("quota_photos", _no_photos(self.photo_limit))
        if self.byte_limit is not None and self.bytes + size > self.byte_limit:
            return Exceeded("quota_bytes", _no_bytes(self.byte_limit))
        return None


def _no_photos(limit: int) -> str:
    return f"This account keeps {limit} photos at most. Delete some, or ask the administrator for more room."


def _no_bytes(limit: int) -> str:
    gigabytes = f"{limit / 2**30:.4g}"
    return f"This account keeps {gigabytes} GB at most. Delete some photos, or ask the administrator for more room."


def _limits(photos: int | None, size: int | None) -> tuple[int | None, int | None]:
    """The user's own, where they have some. 0 is none."""
    return _limit("photo_limit", photos), _limit("byte_limit", size)


def _limit(name: str, own: int | None) -> int | None:
    return (site.current().limit(name) if own is None else own) or None


def require_room_for_album(user: User) -> None:
    """In the transaction that makes the album. Raises Refusal 403 quota_albums. Deleted ones do not count."""
    limit = _limit("album_limit", user.album_limit)
    if limit is None:
        return
    # One after the other, so that two at once do not both take the last place.
    User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    if Album.objects.present().filter(owner=user).count() >= limit:
        words = f"This account has {limit} albums at most. Delete one, or ask the administrator for more room."
        raise Refusal("quota_albums", words, status=403)


def count_search(owner: User) -> None:
    """Raises Refusal 429 quota_searches. In the transaction that makes the search, as admission.count_search."""
    limit = _limit("search_limit", owner.search_limit)
    if limit and (wait := OwnerSearches.take(owner.pk, limit)):
        words = f"This photographer's albums take no more searches today. Try again in {max(1, round(wait / 3600))} h."
        raise Refusal("quota_searches", words, status=429, retry_after=wait)


def require_room(user: int, size: int) -> None:
    """Raises Exceeded. Only `reserve` is exact."""
    if exceeded := Quota.of(user).take(size):
        raise exceeded


def reserve(user: int, size: int) -> None:
    """Room for one file, in the transaction that adds it. Raises Exceeded, and the transaction is to be undone."""
    _have_row(user)
    quota, room = Quota.of(user), Usage.objects.filter(user=user)
    if quota.photo_limit is not None:
        room = room.filter(photos__lt=quota.photo_limit)
    if quota.byte_limit is not None:
        room = room.filter(bytes__lte=quota.byte_limit - size)
    while not room.update(photos=F("photos") + 1, bytes=F("bytes") + size):
        # Where it does not raise, room was given back in the meantime.
        require_room(user, size)


def give_back(photos: Iterable[Photo]) -> None:
    """What the photos keep. To be called in the transaction that deletes them, once they are locked and before."""
    kept = [photo for photo in photos if photo.original_key]
    owners = dict(Album.objects.filter(pk__in={photo.album_id for photo in kept}).values_list("pk", "owner"))
    counts: Counter[int] = Counter()
    sizes: Counter[int] = Counter()
    for photo in kept:
        counts[owners[photo.album_id]] += 1
        sizes[owners[photo.album_id]] += photo.size
    for owner in sorted(counts):
        _add(owner, -counts[owner], -sizes[owner])


def move(album: Album, before: int, after: int) -> None:
    """What an album's photos keep, to its new owner. The album is locked, and still the old one's."""
    kept = _kept(Q(album=album))
    for user, sign in sorted([(before, -1), (after, 1)]):
        _add(user, sign * kept["photos"], sign * kept["bytes"])


def _add(user: int, photos: int, size: int) -> None:
    """Never below nought: a count that is wrong shall not hold up a deletion. `manage.py verify` finds it."""
    _have_row(user)
    counted = {"photos": F("photos") + Value(photos), "bytes": F("bytes") + Value(size)}
    floor = {name: Greatest(number, Value(0)) for name, number in counted.items()}
    Usage.objects.filter(user=user).update(**floor)


def _have_row(user: int) -> None:
    """Whose first photo this is, or who had photos before they were counted, is counted now."""
    if Usage.objects.filter(user=user).exists():
        return
    # Seen by nobody before it is right.
    with transaction.atomic():
        if Usage.objects.get_or_create(user_id=user)[1]:
            recount(user)


@transaction.atomic
def recount(user: int) -> bool:
    """Set the count right. Locked first: whoever adds or deletes meanwhile has been counted, or counts after it."""
    if not Usage.objects.select_for_update(no_key=True).filter(user=user).first():
        return False
    return bool(Usage.objects.filter(user=user).update(**_kept(Q(album__owner=user))))


def _kept(which: Q) -> dict[str, int]:
    kept = Photo.objects.filter(which).exclude(original_key="")
    return kept.aggregate(photos=Count("pk"), bytes=Coalesce(Sum("size"), 0))


@dataclass(frozen=True, slots=True)
class Drift:
    user: int
    words: str


def drifted() -> list[Drift]:
    """Photographers whose count is not what they keep; asked in one statement, so that no upload comes between."""
    kept = (
        Photo.objects.exclude(original_key="").filter(album__owner=OuterRef("user")).order_by().values("album__owner")
    )
    counted: QuerySet[Any] = Usage.objects.annotate(
        photos_kept=Coalesce(Subquery(kept.annotate(number=Count("pk")).values("number")), 0),
        bytes_kept=Coalesce(Subquery(kept.annotate(number=Sum("size")).values("number")), 0),
    )
    wrong = counted.exclude(photos=F("photos_kept"), bytes=F("bytes_kept"))
    return [
        Drift(each.pk, f"{each} instead of {each.photos_kept} photos, {each.bytes_kept} bytes")
        for each in wrong.order_by("pk")
    ]
