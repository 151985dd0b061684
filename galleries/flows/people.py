"""The people of an album, for its photographer: off until the owner wants them, and gone at once when no longer.

A worker finds them (grouping.py). What somebody says here stays whenever it does so: the faces of a person who was
named, merged or put right are held together, and a face that is not theirs is kept away.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from galleries.errors import Refusal
from galleries.models import Album, EmbeddingBlock, Grouping, Person, Photo, Sighting, User
from galleries.models.deed import Verb
from galleries.models.lease import from_now
from galleries.models.people import PersonQuerySet

from . import deed
from .doorbell import ring
from .grouping import SETTLE_SECONDS, work


@dataclass(frozen=True)
class Progress:
    """`scanned` photos of `total` have had their faces measured. `state`: off; working, also at sorting them; ready."""

    state: str
    scanned: int = 0
    total: int = 0


def progress(album: Album) -> Progress:
    grouping = Grouping.objects.filter(album=album.pk).first()
    if grouping is None:
        return Progress("off")
    coming = [Photo.State.READY, Photo.State.UPLOADED, Photo.State.PROCESSING]
    total = album.photos.filter(state__in=coming).count()
    scanned = min(EmbeddingBlock.objects.filter(album=album.pk, engine=album.engine).count(), total)
    done = grouping.wanted_at is None and grouping.grouped_at is not None and not _is_busy(album)
    return Progress("ready" if done else "working", scanned, total)


def _is_busy(album: Album) -> bool:
    waiting = Q(state__in=[Photo.State.UPLOADED, Photo.State.PROCESSING]) | Q(wanted_engine__gt="")
    return album.photos.filter(waiting).exists()


@transaction.atomic
def switch(album: Album, on: bool, *, by: User | None) -> None:
    """Off: every group and every name is deleted. Raises Refusal face_search_off."""
    locked = Album.objects.present().locked().filter(pk=album.pk).first()
    if not on:
        forget(album)
        deed.record(Verb.PEOPLE_OFF, album)
    elif locked is None or not locked.face_search:
        raise Refusal("face_search_off", "Switch face search on first: people are found by their measured faces.")
    else:
        Grouping.objects.get_or_create(album=locked, defaults={"switched_on_by": by, "wanted_at": Now()})
        deed.record(Verb.PEOPLE_ON, album)
        ring(work)


def forget(album: Album) -> None:
    """The caller has locked the album."""
    Grouping.objects.filter(album=album.pk).delete()
    Person.objects.filter(album=album.pk).delete()


def listed(album: Album, *, hidden: bool = False) -> PersonQuerySet:
    return album.people.all().listed().filter(hidden=hidden)


@transaction.atomic
def describe(person: Person, *, name: str | None = None, hidden: bool | None = None) -> None:
    """Give them a name, or hide them from the list."""
    _begin_to_say(person)
    person.name = person.name if name is None else name
    person.hidden = person.hidden if hidden is None else hidden
    person.save(update_fields=["name", "hidden"])
    _hold_together(person)


@transaction.atomic
def merge(person: Person, others: Iterable[Person]) -> None:
    """They are all the same person: this one, who takes the first name that there is."""
    _begin_to_say(person)
    album = Person.objects.filter(album=person.album_id)
    merged = list(album.filter(pk__in=[other.pk for other in others]).exclude(pk=person.pk).order_by("pk"))
    _leave_one_a_photo(person, merged)
    Sighting.objects.filter(person__in=merged).update(person=person)
    person.name = next((each.name for each in [person, *merged] if each.name), "")
    person.save(update_fields=["name"])
    Person.objects.filter(pk__in=[each.pk for each in merged]).delete()
    _hold_together(person)


def _leave_one_a_photo(person: Person, merged: list[Person]) -> None:
    """Said before found, their own before another's. Where they are seen, it is no longer said where they are not."""
    every = Sighting.objects.filter(person__in=[person, *merged])
    there = sorted(every.there(), key=lambda each: (not each.said, each.person_id != person.pk, each.pk))
    kept = {each.photo_id: each.pk for each in reversed(there)}
    every.there().exclude(pk__in=kept.values()).delete()
    every.filter(said=Sighting.Said.NOT, photo__in=kept.keys()).delete()


@transaction.atomic
def remove(person: Person, photos: Iterable[uuid.UUID]) -> int:
    """In these photos it is not this person. Returns in how many; raises Refusal not_in_photos where in none."""
    _begin_to_say(person)
    count = person.sightings.there().filter(photo__in=list(photos)).update(said=Sighting.Said.NOT)
    if not count:
        raise Refusal("not_in_photos", "This person is not seen in these photos.", status=404)
    _hold_together(person)
    return count


def best_face(person: Person) -> Sighting | None:
    """Where their face is best to be seen."""
    return person.sightings.there().select_related("photo").order_by("-quality", "pk").first()


def hold(album_id: uuid.UUID) -> None:
    """Until the end of the transaction whoever changes the people of this album waits."""
    Album.objects.locked().filter(pk=album_id).first()
    Grouping.objects.locked().filter(pk=album_id).first()


def _begin_to_say(person: Person) -> None:
    """A worker that has begun without this begins anew."""
    hold(person.album_id)
    if not Person.objects.filter(pk=person.pk).exists():
        raise Refusal("gone", "This person is not in the album any more.", status=410)
    person.refresh_from_db(fields=["name", "hidden"])
    settled = from_now(SETTLE_SECONDS)
    Grouping.objects.filter(pk=person.album_id).update(wanted_at=settled, fence=None, lease_until=None)


def _hold_together(person: Person) -> None:
    """Their faces, as somebody saw them and said so, stay theirs."""
    person.sightings.filter(said=Sighting.Said.NOTHING).update(said=Sighting.Said.IS)
