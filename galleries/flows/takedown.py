"""A photo is taken down everywhere: all copies of its file in all albums, with whatever was made of them.

Known by the hash of the file that was sent. Renditions, vectors and results die with the rows, stored files with them;
a zip that lists a copy is refused from then on as stale.
"""

import re
from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from galleries.models import Photo, Takedown, User
from galleries.models.deed import Verb
from galleries.models.lease import from_now
from galleries.models.photo import PhotoQuerySet

from . import deed

CODE = "taken_down"
WORDS = gettext_noop("An administrator has taken this photo down, and it may not be uploaded again.")
# Longer than any transaction that adds a photo.
_LATE_SECONDS = 600
_HASH = re.compile(r"\b[0-9a-f]{64}\b")
_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


class Barred(Exception):
    """A file that may not be uploaded again."""

    code = CODE
    detail = WORDS


def require_allowed(sha256: str) -> None:
    """Raises Barred."""
    if Takedown.objects.filter(sha256=sha256, is_barred=True).exists():
        raise Barred


def copies_of(sha256: str) -> PhotoQuerySet:
    return Photo.objects.filter(sha256=sha256)


def hash_of(text: str) -> str:
    """The SHA-256 that is meant by a hash, a photo's id, or any address that names the photo; "" for none."""
    text = text.strip().lower()
    if found := _HASH.search(text):
        return found[0]
    ids = [UUID(each) for each in _ID.findall(text)]
    # An address may name an album or a search before its photo.
    hashes = Photo.objects.filter(pk__in=ids).exclude(sha256="").values_list("sha256", flat=True)
    return hashes.first() or ""


@transaction.atomic
def take_down(sha256: str, *, reason: str, is_barred: bool, by: User | None) -> int:
    """Returns how many copies there were. Nothing is left half done; a file that is just coming in is met by
    `meet_late_ones`.
    """
    facts = {"reason": reason, "is_barred": is_barred, "made_by": by, "made_at": Now()}
    takedown, _ = Takedown.objects.update_or_create(sha256=sha256, defaults=facts)
    copies = _delete(copies_of(sha256))
    takedown.copies += copies
    takedown.save(update_fields=["copies"])
    deed.record(Verb.PHOTO_TAKEN_DOWN, takedown, copies=copies, reason=reason, is_barred=is_barred)
    return copies


def _delete(photos: Iterable[Photo]) -> int:
    # Here, as receiving a photo asks this module.
    from . import photo

    doomed = list(photos)
    photo.delete(doomed)
    return len(doomed)


@transaction.atomic
def allow_again(takedown: Takedown) -> None:
    if Takedown.objects.filter(pk=takedown.pk, is_barred=True).update(is_barred=False):
        deed.record(Verb.PHOTO_ALLOWED, takedown)


def meet_late_ones() -> None:
    """For upkeep: a file whose transaction had begun before its takedown was committed, and ended after."""
    lately = Takedown.objects.filter(is_barred=True, made_at__gt=from_now(-_LATE_SECONDS)).values_list("sha256")
    late = Photo.objects.filter(sha256__in=[sha256 for (sha256,) in lately]).exclude(original_key="")
    if late.exists():
        _delete(late)
