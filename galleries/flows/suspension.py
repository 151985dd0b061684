"""A user or an album is stopped at once, and can be let go on: nothing is deleted, and nobody's link is changed.

What it shuts is said where it is asked at every request: models/sharing.py for what guests come by, access/ for users.
"""

from django.db import transaction
from django.utils import timezone

from galleries.errors import Refusal
from galleries.models import Album, User
from galleries.models.deed import Verb

from . import deed


@transaction.atomic
def suspend_user(user: User, *, by: User) -> None:
    """Their sessions, tokens and links stop at the next request. Raises Refusal for oneself and one's superiors."""
    if user.pk == by.pk or ((user.is_staff or user.is_superuser) and not by.is_superuser):
        raise Refusal("not_suspended", "Only another administrator can suspend this account.", status=403)
    if User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        deed.record(Verb.USER_SUSPENDED, user)


@transaction.atomic
def resume_user(user: User, *, by: User) -> None:
    """Whoever may not suspend somebody may not let them go on either."""
    if (user.is_staff or user.is_superuser) and not by.is_superuser:
        raise Refusal("not_resumed", "Only an administrator can lift this suspension.", status=403)
    # Whose owner has ended it is being erased.
    if User.objects.filter(pk=user.pk, is_active=False, closed_at=None).update(is_active=True):
        deed.record(Verb.USER_RESUMED, user)


@transaction.atomic
def suspend_album(album: Album) -> None:
    """Its links open nothing from the next request on; its owner and collaborators only look on."""
    if Album.objects.filter(pk=album.pk, suspended_at=None).update(suspended_at=timezone.now()):
        deed.record(Verb.ALBUM_SUSPENDED, album)


@transaction.atomic
def resume_album(album: Album) -> None:
    if Album.objects.filter(pk=album.pk, suspended_at__isnull=False).update(suspended_at=None):
        deed.record(Verb.ALBUM_RESUMED, album)
