"""Upkeep, every 5 seconds: rings again where work is due, finishes what a crash left, and ends what has run out."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.contrib.sessions.models import Session
from django.db.models.functions import Now
from django.utils import timezone

from galleries import storage
from galleries.database import count_failure
from galleries.models import (
    Album,
    Alert,
    Archive,
    Arrival,
    AskedAddress,
    Deed,
    Delivery,
    EmbeddingBlock,
    Erasure,
    Grouping,
    Guesses,
    Guest,
    GuestSearches,
    IdempotencyKey,
    Invitation,
    NewGuests,
    OwnerSearches,
    Photo,
    SearchRecord,
    Selfie,
    User,
    Webhook,
)
from galleries.models.lease import from_now

from . import account, album, day, delivery, grouping, mail, notice, photo, posted, reindex, selfie
from .doorbell import ring
from .takedown import meet_late_ones

logger = logging.getLogger(__name__)

# An announcement or erasure this old was left by a process that died; younger ones are still in somebody's hands.
LEFT_SECONDS = 30
# Longer than any request lives between storing a photo and its row; a later one finds that its file is erased.
ARRIVAL_SECONDS = 600
INCOMING_SECONDS = 6 * 3600
SCRATCH_SECONDS = 300
ARCHIVE_DAYS = 2
# In one sweep, which has other duties too, and 50 s for all.
DELETING_SECONDS = 10
# An ended search is kept this long, to say so to its guest.
ENDED_DAYS = 30
# How long their owner can look up what webhooks were told.
DELIVERY_DAYS = 30


@shared_task
def sweep() -> None:
    """Each duty by itself: one that fails is logged and tried again in 5 seconds, and holds up no other."""
    for duty in (
        ring_for_due,
        announce_left,
        advance_albums,
        tell_of_ready_albums,
        erase_left,
        erase_scratch,
        end_selfies,
        meet_late_ones,
        end_albums,
        end_accounts,
        drop_old,
        day.note,
    ):
        _carry_out(duty)


def end_what_ran_out() -> None:
    """Before the site is served: after a pause or a restore, nothing is shown for a moment that should be gone."""
    for duty in (erase_left, erase_scratch, end_selfies, end_albums, end_accounts, drop_old):
        _carry_out(duty)


def _carry_out(duty: Callable[..., Any], *arguments: Any, **said: Any) -> None:
    try:
        duty(*arguments, **said)
    except Exception as error:
        count_failure(error)
        logger.exception("Upkeep: %s failed.", duty.__name__)


def ring_for_due() -> None:
    if Photo.objects.due().exists():
        ring(photo.work)
    if Selfie.objects.due().exists():
        ring(selfie.work)
    if Selfie.objects.mail_due().exists():
        ring(notice.work)
    if Delivery.objects.due().exists():
        ring(delivery.work)
    if mail.is_due():
        ring(mail.work)
    if Grouping.objects.due().exists():
        ring(grouping.work)


def announce_left() -> None:
    left = EmbeddingBlock.objects.filter(announced=False, created_at__lt=from_now(-LEFT_SECONDS))
    # The few rows themselves: for DISTINCT, SQLite would read all blocks in the order of another index.
    for album_id, engine in set(left.order_by("created_at").values_list("album", "engine")):
        posted.announce(album_id, engine)


def advance_albums() -> None:
    for moving in Album.objects.moving():
        reindex.advance(moving)


def tell_of_ready_albums() -> None:
    for album_id in Album.objects.in_work().values_list("pk", flat=True):
        album.tell_if_ready(album_id)


def erase_left() -> None:
    """In no order, so that those which fail for minutes, at a bucket that is away, hold up no others for ever."""
    storage.sweep_incoming(INCOMING_SECONDS)
    deadline = time.monotonic() + DELETING_SECONDS
    erasures = Erasure.objects.filter(created_at__lt=from_now(-LEFT_SECONDS)).order_by("?")
    arrivals = Arrival.objects.filter(created_at__lt=from_now(-ARRIVAL_SECONDS)).order_by("?")
    for duty in (*(each.carry_out for each in erasures), *(each.erase for each in arrivals)):
        if time.monotonic() > deadline:
            return
        _carry_out(duty)


def erase_scratch() -> None:
    """Pictures of selfies that no search waits for: of a process that died before their row was there, or went."""
    wanted = {selfie.scratch_key for selfie in Selfie.objects.waiting().only("pk")}
    storage.delete(key for key in storage.older_than("selfies", SCRATCH_SECONDS) if key not in wanted)


def end_selfies() -> None:
    overdue = Selfie.objects.overdue().order_by("expires_at").values_list("pk", flat=True)
    selfie.end(Selfie.objects.filter(pk__in=list(overdue)))


def end_albums() -> None:
    for over in Album.objects.run_out():
        _carry_out(album.delete, over)
    deadline = time.monotonic() + DELETING_SECONDS
    for left in Album.objects.overdue().order_by("deleted_at"):
        if time.monotonic() > deadline:
            return
        _carry_out(album.delete_for_good, left, patience=deadline - time.monotonic())


def end_accounts() -> None:
    for closed in User.objects.filter(closed_at__isnull=False).order_by("closed_at"):
        # One that fails holds up no other's erasure.
        _carry_out(account.finish, closed, patience=DELETING_SECONDS)


def drop_old() -> None:
    days = timezone.now() - timedelta(days=ENDED_DAYS)
    Selfie.objects.ended(ENDED_DAYS).delete()
    Archive.objects.filter(created_at__lt=timezone.now() - timedelta(days=ARCHIVE_DAYS)).delete()
    Guest.objects.filter(visits=None, user=None, created_at__lt=days).delete()
    for budget in (NewGuests, GuestSearches, OwnerSearches, AskedAddress, Guesses):
        budget.objects.over().delete()
    IdempotencyKey.objects.over().delete()
    SearchRecord.objects.too_old().delete()
    Alert.objects.too_old().delete()
    # By its index: those that are over are old, too.
    Delivery.objects.filter(created_at__lt=from_now(-DELIVERY_DAYS * 24 * 3600)).over(DELIVERY_DAYS).delete()
    Webhook.objects.filter(former_secret_until__lt=Now()).update(sealed_former_secret=None, former_secret_until=None)
    Deed.objects.too_old().delete()
    Invitation.objects.too_old().delete()
    mail.tidy()
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
