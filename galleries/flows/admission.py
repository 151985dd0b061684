"""Who is let in when very many come at once: the others are told how long to wait, and what they did is not lost."""

from math import ceil

from django.conf import settings

from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.models import Guest, GuestSearches, Link, NewGuests, Selfie, User
from galleries.models.lease import from_now
from galleries.models.site import limit

from . import quota

# Of one guest, so that who presses again and again holds up nobody else for long.
SEARCHES_A_GUEST = 3
_PACE_SECONDS = 60
# Where nothing was searched lately, so that no pace is known.
_UNKNOWN_WAIT = 30


def count_new_guest(link: Link, viewer: Viewer) -> None:
    """One address may be a whole venue, or one who makes up guests. Raises Refusal 429 too_many_guests.

    To be called in the transaction that makes the guest, so that whoever is refused for another reason is not counted.
    """
    wait = viewer.address and NewGuests.take(link, viewer.address, limit("guests_an_hour"))
    if wait:
        words = (
            "Very many guests have come from your network by this link. "
            f"Try again in {ceil(wait / 60)} min, or at once with mobile data instead of the Wi-Fi."
        )
        raise Refusal("too_many_guests", words, status=429, retry_after=wait)


def require_room_to_search() -> None:
    """Raises Refusal 429 queue_full while as many searches wait as PIXORA_SELFIES_WAITING allows."""
    waiting = Selfie.objects.waiting().count()
    if waiting >= settings.PIXORA_SELFIES_WAITING:
        # Until a tenth of the queue is worked off, or all who ask again would meet at one free place.
        wait = _seconds_for(waiting - settings.PIXORA_SELFIES_WAITING * 9 // 10)
        words = f"Very many guests are searching right now. Try again in {wait} s."
        raise Refusal("queue_full", words, status=429, retry_after=wait)


def require_few_searches(guest: Guest) -> None:
    """Raises Refusal 429 too_many_searches. Exact for one album, which is locked while a selfie is added to it."""
    waiting = Selfie.objects.waiting()
    # Read at once: a worker may end them between two questions.
    own = list(waiting.filter(guest=guest).order_by("created_at").values_list("created_at", flat=True))
    if len(own) >= SEARCHES_A_GUEST:
        wait = _seconds_for(waiting.filter(created_at__lte=own[0]).count())
        words = f"Your last searches are still under way. Try again in {wait} s."
        raise Refusal("too_many_searches", words, status=429, retry_after=wait)


def count_search(guest: Guest, owner: User) -> None:
    """Raises Refusal 429 searches_used_up, quota_searches. Withdrawn searches count too.

    To be called in the transaction that makes the search, so that whoever is refused for another reason is not counted.
    """
    if wait := GuestSearches.take(guest, limit("guest_searches")):
        words = f"You have searched as often as a day allows. Try again in {max(1, round(wait / 3600))} h."
        raise Refusal("searches_used_up", words, status=429, retry_after=wait)
    quota.count_search(owner)


def _seconds_for(searches: int) -> int:
    """How long so many will take, by the pace of the last minute."""
    lately = Selfie.objects.filter(finished_at__gt=from_now(-_PACE_SECONDS)).count()
    return max(1, ceil(searches * _PACE_SECONDS / lately)) if lately else _UNKNOWN_WAIT
