"""The audit of searches, and a circuit breaker: strange patterns raise an alert, and slow their source and nobody else.

A source is a network by a link, or one guest. Guests who are known to search for themselves are never slowed with their
network: it may be the Wi-Fi of the whole party.
"""

from typing import Any

from django.db import transaction
from django.db.models import Count, Q
from django.db.models.functions import Now

from galleries.errors import Refusal
from galleries.models import Album, Alert, Guest, Link, SearchRecord, Selfie, SoughtPerson
from galleries.models.audit import label
from galleries.models.budget import DAY_SECONDS, HOUR_SECONDS
from galleries.models.lease import from_now
from galleries.models.site import limit
from galleries.models.webhook import Event

from . import event

# Faces that one guest tries in a day beside their own. A phone that is handed around a table makes one or two.
OTHER_FACES = 4
# The same of a network in an hour, and their share of its searches: of 300 guests some will try a friend's face.
MANY_REFUSED, REFUSED_SHARE = 10, 1 / 4
# New guests of a network in an hour, as a share of what it may bring at all, and the share of searches that are not
# their guest's first. Of a real crowd some are blurred, find nothing yet, or look again; scripts have no second try.
GUESTS_SHARE, REPEATED_SHARE = 1 / 2, 1 / 20
# Seconds between two searches of a source that is slowed: a guest who tries faces; a network's guests whom nobody
# knows yet, who thus come at 120 an hour, about the pace of a queue at the door.
GUEST_PACE, NETWORK_PACE = 600, 30

_ODD = Q(outcome__in=SearchRecord.REFUSED) | Q(began_anew=True)


# Web half


def require_turn(link: Link, guest: Guest, address: str) -> None:
    """Raises Refusal 429 slowed_down while the guest, or the network they come from, is to go slowly."""
    slowing = Alert.objects.slowing().filter(album=link.album_id).order_by("created_at", "pk")
    wait = _wait_for(slowing.filter(guest_label=label(link.album, str(guest.pk))), GUEST_PACE)
    if not wait and not SoughtPerson.objects.of(guest.pk, link.album_id).exists():
        network = {"link": link, "network_label": label(link.album, address), "guest_label": ""}
        wait = _wait_for(slowing.filter(**network), NETWORK_PACE)
    if wait:
        words = f"Searching is slowed down for a while. Try again in {wait} s."
        raise Refusal("slowed_down", words, status=429, retry_after=wait)


def _wait_for(slowing: Any, pace: int) -> int:
    alert = slowing.first()
    return alert.take_turn(pace) if alert else 0


def note(selfie: Selfie, address: str) -> None:
    """To be called in the transaction that makes the search."""
    SearchRecord.objects.create(
        album=selfie.album,
        link=selfie.link,
        selfie=selfie,
        guest_label=label(selfie.album, str(selfie.guest_id)),
        network_label=label(selfie.album, address),
        is_repeat=SearchRecord.objects.of_guest(selfie.album, selfie.guest).exists(),
    )


def settle(alert: Alert) -> None:
    """The owner knows who it is: it slows nobody any more, and is not raised again for a day."""
    Alert.objects.open().filter(pk=alert.pk).update(settled_at=Now())


# Worker half


def note_beginning(selfie: Selfie) -> None:
    """The guest is nobody known. If they were somebody before, they have withdrawn that."""
    before = SearchRecord.objects.of_guest(selfie.album, selfie.guest).filter(outcome=SearchRecord.DONE)
    if before.exists():
        SearchRecord.objects.filter(selfie=selfie).update(began_anew=True)


def note_end(selfie: Selfie, outcome: str, photos: int = 0) -> None:
    """Done, or failed with a code; a search that is brought up to date later says how many photos it shows now."""
    SearchRecord.objects.filter(selfie=selfie).update(outcome=outcome, photos=photos)
    if photos and selfie.state in Selfie.WAITING:
        event.happened(Event.SELFIE_MATCHED, selfie.album_id)
    record = SearchRecord.objects.filter(selfie=selfie, link__isnull=False).first()
    if record:
        _look_out(record)


def _look_out(record: SearchRecord) -> None:
    album = SearchRecord.objects.filter(album=record.album_id)
    if album.filter(_ODD, guest_label=record.guest_label).since(DAY_SECONDS).count() >= OTHER_FACES:
        _raise(record, Alert.Sign.OTHER_FACES, record.guest_label)
    network = album.filter(link=record.link_id, network_label=record.network_label).since(HOUR_SECONDS)
    repeated = Count("pk", filter=Q(is_repeat=True))
    sums = network.aggregate(all=Count("pk"), odd=Count("pk", filter=_ODD), repeated=repeated)
    if sums["odd"] >= MANY_REFUSED and sums["odd"] >= REFUSED_SHARE * sums["all"]:
        _raise(record, Alert.Sign.MANY_REFUSED)
    many_guests = GUESTS_SHARE * limit("guests_an_hour")
    if sums["all"] - sums["repeated"] >= many_guests and sums["repeated"] < REPEATED_SHARE * sums["all"]:
        _raise(record, Alert.Sign.MANY_GUESTS)


@transaction.atomic
def _raise(record: SearchRecord, sign: Alert.Sign, guest_label: str = "") -> None:
    source: dict[str, Any] = {"album_id": record.album_id, "link_id": record.link_id, "sign": sign}
    source |= {"network_label": record.network_label, "guest_label": guest_label}
    if Alert.objects.filter(**source, settled_at__gt=from_now(-DAY_SECONDS)).exists():
        return
    Alert.objects.bulk_create([Alert(**source)], ignore_conflicts=True)
    known = Alert.objects.open().filter(**source)
    # After a quiet hour it begins anew.
    known.filter(seen_at__lt=from_now(-HOUR_SECONDS)).update(created_at=Now())
    known.update(seen_at=Now())


def open_alerts(album: Album) -> int:
    return Alert.objects.open().filter(album=album).count()
