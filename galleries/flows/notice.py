"""Mail to a guest who gave an address: one that asks for a word from its owner, then one when new photos have come.

What is due stands in the rows, so that a lost ring or a worker killed midway delays a mail and loses none: that it was
told of is written with the mail (mail.py), or not at all. The address dies with the search.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Max, QuerySet
from django.db.models.functions import Now
from django.utils.translation import get_language, override

from galleries.errors import Refusal
from galleries.models import AskedAddress, Choice, Mail, Match, ReturnLink, Selfie, Topic, Unsubscribed
from galleries.models.lease import from_now
from galleries.models.photo import is_shown

from . import letter
from .doorbell import ring

# An address is not asked more often by one search.
ASKED_SECONDS = 300
# SQLite keeps times as text, to the millisecond, and Django leaves out the fraction of a full second: what was found at
# "12:00:00.000" would be later than "12:00:00" for ever, and be told of again and again.
_TICK = timedelta(milliseconds=1)


# Web half


def is_offered() -> bool:
    """Whether this site can send mail, and knows the address that a mail would lead to."""
    return bool(settings.PIXORA_MAILS_GUESTS)


def subscribe(selfie: Selfie, email: str) -> None:
    """Tell this address of later photos, once its owner agrees."""
    fresh: dict[str, Any] = {"email": email, "email_confirmed_at": None, "email_told_at": None}
    fresh["email_language"] = get_language()
    over = [Selfie.State.FAILED, Selfie.State.EXPIRED]
    wished = Selfie.objects.granting().filter(pk=selfie.pk, keep_me_posted=True).exclude(state__in=over)
    # What has ended has erased its address, and nobody would erase another.
    if not (is_offered() and wished.update(**fresh)):
        raise Refusal("mail_off", "This search sends no e-mails.", status=403)
    ring(work)


@transaction.atomic
def confirm(choice: Choice) -> None:
    """The address's owner agrees, which also takes back that they once did not."""
    choice.start()
    if selfie := choice.selfie:
        Selfie.objects.filter(pk=selfie.pk, email=selfie.email).update(email_confirmed_at=Now())
        AskedAddress.give_back(selfie.email)


@transaction.atomic
def stop(choice: Choice) -> None:
    """No more of these mails, whoever gives the address again. A search forgets it, and goes on."""
    choice.stop()
    if selfie := choice.selfie:
        forget(selfie)


@transaction.atomic
def forget(selfie: Selfie) -> None:
    """Its address, and what is on its way there."""
    Mail.objects.waiting().filter(selfie=selfie, kind__in=[Mail.Kind.ASK, Mail.Kind.PHOTOS]).delete()
    Selfie.objects.filter(pk=selfie.pk, email=selfie.email).update(email="", email_confirmed_at=None)


def drop_mails(selfies: Iterable[Selfie]) -> None:
    """Of searches that end: what is on its way to their guests, and their addresses with it."""
    Mail.objects.filter(selfie__in=selfies).delete()


# Worker half


@shared_task
def work() -> None:
    """One ring: the mail that is due first; and ring first, for there may be more."""
    due = Selfie.objects.mail_due()
    selfie = due.select_related("album", "guest").order_by("created_at", "pk").first()
    # Whoever makes it rest writes the mail, in one transaction. By a column of the row alone: of two at once PostgreSQL
    # has the second look at the row again, but not at what is joined to it.
    rested = Selfie.objects.rested()
    with transaction.atomic():
        if selfie and _lock_with(selfie) and rested.filter(pk=selfie.pk).update(**_rest(ASKED_SECONDS)):
            ring(work)
            _tell(selfie)


def _rest(seconds: int) -> dict[str, Any]:
    return {"email_rest_until": from_now(seconds)}


def _lock_with(selfie: Selfie) -> bool:
    """With those that one mail tells of, in an order of their own: two of them may be due at once."""
    together = Selfie.objects.filter(guest=selfie.guest_id, album=selfie.album_id, email=selfie.email)
    return bool(list(together.select_for_update(no_key=True).order_by("pk").values_list("pk")))


def _tell(selfie: Selfie) -> None:
    if Unsubscribed.covers(selfie.email, Topic.PHOTOS, _scope(selfie)):
        forget(selfie)
        return
    with override(selfie.email_language):
        if selfie.email_told_at:
            _tell_of_photos(selfie)
        else:
            _ask(selfie)


def _scope(selfie: Selfie) -> str:
    """Of an album that a guest has agreed to hear of, they stop the mails of this album."""
    return f"{Topic.PHOTOS}:{selfie.album_id}"


def _ask(selfie: Selfie) -> None:
    """Once an hour, whatever became of the search that gave the address before."""
    if wait := AskedAddress.take(selfie.email):
        _say(selfie, **_rest(wait))
        return
    # Whoever did not ask for it stops the questions of all albums.
    choice = Choice.about(Topic.PHOTOS, selfie.email, selfie)
    address = letter.absolute("mail", choice.mailed_token)
    letter.compose(Mail.Kind.ASK, selfie.email, address, choice=choice, selfie=selfie, album=selfie.album).send()
    _say(selfie, email_told_at=Now())


def _tell_of_photos(selfie: Selfie) -> None:
    """One mail for all that the guest's searches of the album have found since, and then quiet for a while."""
    told = _told_with(selfie)
    fresh = Match.objects.certain().filter(
        is_shown("photo__"), selfie__in=told, found_at__gt=F("selfie__email_told_at")
    )
    count = fresh.aggregate(count=Count("photo", distinct=True))["count"]
    if not count:
        # Hidden, judged or erased in the meantime.
        return
    choice = Choice.about(_scope(selfie), selfie.email, selfie)
    facts = {"album": selfie.album, "count": count}
    letter.compose(Mail.Kind.PHOTOS, selfie.email, _gallery(selfie), choice=choice, selfie=selfie, **facts).send()
    # Each up to its own newest: what another's worker is just committing may be older than that of this one.
    for pk, newest in fresh.order_by().values_list("selfie").annotate(Max("found_at")):
        Selfie.objects.filter(pk=pk, email=selfie.email).update(email_told_at=newest + _TICK)
    Selfie.objects.filter(pk__in=told).update(**_rest(settings.PIXORA_MAIL_QUIET_HOURS * 3600))


def _told_with(selfie: Selfie) -> list[Any]:
    """This search and the guest's others of the album that tell the same address."""
    agreed: QuerySet[Selfie] = Selfie.objects.granting().filter(
        guest=selfie.guest_id, album=selfie.album_id, email=selfie.email, email_confirmed_at__isnull=False
    )
    return list(agreed.filter(state=Selfie.State.DONE).order_by("pk").values_list("pk", flat=True))


def _say(selfie: Selfie, **told: Any) -> None:
    Selfie.objects.filter(pk=selfie.pk, email=selfie.email).update(**told)


def _gallery(selfie: Selfie) -> str:
    """Mail is often read in another browser than the one that searched; what an account keeps is for who signs in."""
    if selfie.guest.user_id:
        return letter.absolute("selfie", selfie.pk)
    return letter.absolute("return", ReturnLink.make(selfie, mailed=True))
