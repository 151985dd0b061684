"""The people of an album, for its photographer: off until the owner wants them, and gone at once when no longer.

A worker groups the faces of the whole album, always anew, so that it makes no difference in which order photos came.
What somebody has said stays: the faces of a person who was named, merged or put right are held together, and a face
that is not theirs is kept away. Each word takes the lease from a worker that began without knowing it.
"""

import logging
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from numpy.typing import NDArray

import recognition
from galleries.database import count_failure
from galleries.errors import Refusal
from galleries.images import PREVIEW_EDGE
from galleries.models import Album, EmbeddingBlock, Face, Grouping, Person, Photo, Sighting, User
from galleries.models.lease import from_now
from galleries.models.people import LEASE_SECONDS, PersonQuerySet

from .doorbell import ring
from .places import same_face
from .search_index import SearchIndex

logger = logging.getLogger(__name__)

# Photos come in bursts, and so does what a photographer says.
SETTLE_SECONDS = 10
# After a large album has been grouped, others have their turn for so many times as long.
_RESTS, _LONGEST_REST = 5, 300
_TIME_LIMIT = LEASE_SECONDS - 30
# Share of two boxes that makes them one face, seen by two engines.
_SAME_FACE = 0.25
# From this side in pixels of the preview, a larger face shows no better who it is.
_GOOD_SIDE = 150
_BATCH = 1000


# Web half: on and off, and who is who


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
    elif locked is None or not locked.face_search:
        raise Refusal("face_search_off", "Switch face search on first: people are found by their measured faces.")
    else:
        Grouping.objects.get_or_create(album=locked, defaults={"switched_on_by": by, "wanted_at": Now()})
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
    merged = list(
        person.album.people.filter(pk__in=[other.pk for other in others]).exclude(pk=person.pk).order_by("pk")
    )
    ranks = {Sighting.Said.IS: 0, Sighting.Said.NOTHING: 1, Sighting.Said.NOT: 2}
    every = Sighting.objects.filter(person__in=[person, *merged])
    # One face of each photo is theirs; their own before another's, and whom they are before whom they are not.
    ordered = sorted(every, key=lambda each: (ranks[Sighting.Said(each.said)], each.person_id != person.pk, each.pk))
    kept = {each.photo_id: each.pk for each in reversed(ordered)}
    every.exclude(pk__in=kept.values()).delete()
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


def hold(person: Person) -> None:
    """Until the end of the transaction whoever changes the people of this album waits."""
    Album.objects.locked().filter(pk=person.album_id).first()
    Grouping.objects.locked().filter(pk=person.album_id).first()


def _begin_to_say(person: Person) -> None:
    """A worker that has begun without this begins anew."""
    hold(person)
    if not Person.objects.filter(pk=person.pk).exists():
        raise Refusal("gone", "This person is not in the album any more.", status=410)
    person.refresh_from_db(fields=["name", "hidden"])
    settled = from_now(SETTLE_SECONDS)
    Grouping.objects.filter(pk=person.album_id).update(wanted_at=settled, fence=None, lease_until=None)


def _hold_together(person: Person) -> None:
    """Their faces, as somebody saw them and said so, stay theirs."""
    person.sightings.filter(said=Sighting.Said.NOTHING).update(said=Sighting.Said.IS)


def want(album_id: uuid.UUID, engine: str) -> None:
    """Faces have come: they are grouped soon, once for all that come meanwhile."""
    idle = Grouping.objects.filter(album=album_id, album__engine=engine, wanted_at=None)
    idle.update(wanted_at=from_now(SETTLE_SECONDS))


# Worker half: group


@shared_task(time_limit=_TIME_LIMIT, soft_time_limit=_TIME_LIMIT - 10)
def work() -> None:
    """One ring: group the faces of the album that has waited longest."""
    if grouping := Grouping.objects.claim():
        ring(work)
        group(grouping)


def group(grouping: Grouping) -> None:
    """Group the faces of a claimed album anew, and give it back."""
    began = time.monotonic()
    try:
        found = _find(grouping.album)
        _keep(grouping, found, rest_seconds=min(_RESTS * (time.monotonic() - began), _LONGEST_REST))
    except SoftTimeLimitExceeded:
        Grouping.objects.hand_back(grouping)
    except Exception as error:
        count_failure(error)
        logger.exception("The people of album %s could not be found.", grouping.album_id)
        Grouping.objects.release(grouping, rest_seconds=min(2**grouping.attempts, _LONGEST_REST))


@dataclass
class Seen:
    """An album's faces, and what is known of its people: `places` are the rows of the sightings among the faces."""

    index: SearchIndex
    boxes: list[recognition.Box]
    sightings: list[Sighting]
    places: list[int | None]


@dataclass
class Found:
    """`rows` says which faces are whose; the people of `new` were not there before."""

    engine: str
    seen: Seen
    rows: dict[uuid.UUID, list[int]]
    new: list[uuid.UUID]


def _find(album: Album) -> Found | None:
    """Heavy, and outside any transaction. None where nothing is to be found."""
    if not album.face_search or not _is_known(album.engine):
        return None
    seen = _seen(album)
    numbers, pinned = _grouped(album, seen)
    who = dict(enumerate(pinned))
    who |= _met_again(seen, numbers, set(pinned))
    new = {number: uuid.uuid4() for number in sorted(set(numbers.tolist()) - who.keys() - {-1})}
    who |= new
    rows: dict[uuid.UUID, list[int]] = defaultdict(list)
    for row in np.flatnonzero(numbers >= 0).tolist():
        rows[who[int(numbers[row])]].append(row)
    return Found(album.engine, seen, rows, list(new.values()))


def _is_known(engine: str) -> bool:
    try:
        return bool(recognition.engine(engine))
    except recognition.UnknownEngine:
        return False


def _seen(album: Album) -> Seen:
    """Not by the index that searches keep in memory: that one is another process's."""
    index = SearchIndex(recognition.engine(album.engine))
    index.refresh(EmbeddingBlock.objects.filter(album=album, engine=album.engine))
    faces = Face.objects.filter(photo__album=album, engine=album.engine)
    boxes = {
        (photo, ordinal): recognition.Box(*box)
        for photo, ordinal, *box in faces.values_list("photo", "ordinal", "x", "y", "width", "height").iterator()
    }
    nowhere = recognition.Box(0, 0, 0, 0)
    rows = [boxes.get(index.place(row), nowhere) for row in range(len(index))]
    sightings = list(Sighting.objects.filter(person__album=album).order_by("pk"))
    return Seen(index, rows, sightings, [_row_of(each, index, rows) for each in sightings])


def _row_of(sighting: Sighting, index: SearchIndex, boxes: list[recognition.Box]) -> int | None:
    """The row of the face that lies where somebody was seen, whichever engine saw them there."""
    rows = index.rows(sighting.photo_id)
    same = same_face([boxes[row] for row in rows], sighting, _SAME_FACE)
    return next((row for row in rows if boxes[row] is same), None)


def _grouped(album: Album, seen: Seen) -> tuple[NDArray[np.intp], list[uuid.UUID]]:
    """Each face's number, and who has the first numbers: the people whose faces are held together."""
    pinned = list(dict.fromkeys(each.person_id for each in seen.sightings if each.said == Sighting.Said.IS))
    number = {person: at for at, person in enumerate(pinned)}
    known, refused = np.full(len(seen.index), -1), []
    for each, row in zip(seen.sightings, seen.places, strict=True):
        if row is not None and each.said == Sighting.Said.IS and known[row] < 0:
            known[row] = number[each.person_id]
        elif row is not None and each.said == Sighting.Said.NOT and each.person_id in number:
            refused.append((row, number[each.person_id]))
    numbers = recognition.group(
        seen.index.vectors,
        weak=seen.index.weak,
        photos=seen.index.photo_numbers,
        known=known,
        refused=refused,
        engine_name=album.engine,
    )
    return numbers, pinned


def _met_again(seen: Seen, numbers: NDArray[np.intp], pinned: set[uuid.UUID]) -> dict[int, uuid.UUID]:
    """Groups that hold most of the faces of somebody who was there before."""
    shared: Counter[tuple[uuid.UUID, int]] = Counter()
    for each, row in zip(seen.sightings, seen.places, strict=True):
        if row is not None and each.person_id not in pinned and numbers[row] >= len(pinned):
            shared[each.person_id, int(numbers[row])] += 1
    who: dict[int, uuid.UUID] = {}
    for (person, number), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if number not in who and person not in who.values():
            who[number] = person
    return who


def _keep(grouping: Grouping, found: Found | None, *, rest_seconds: float) -> None:
    with transaction.atomic():
        album = Album.objects.present().locked().filter(pk=grouping.album_id).first()
        held = Grouping.objects.held(grouping).locked().first()
        if album is None or held is None:
            logger.info("The people of album %s: the lease went elsewhere.", grouping.album_id)
            return
        if found is None or found.engine != album.engine:
            # Face search is off for a moment, or another engine has come: it says so when its faces are there.
            Grouping.objects.release(grouping, attempts=0, wanted_at=None)
            return
        Person.objects.bulk_create((Person(pk=pk, album=album) for pk in found.new), batch_size=_BATCH)
        _write(album, found)
        _drop_who_is_gone(album)
        now = EmbeddingBlock.objects.filter(album=album, engine=album.engine).values_list("pk", flat=True)
        again = from_now(SETTLE_SECONDS) if set(now) != set(found.seen.index.blocks) else None
        Grouping.objects.release(grouping, rest_seconds=rest_seconds, attempts=0, wanted_at=again, grouped_at=Now())


def _write(album: Album, found: Found) -> None:
    """What differs from what is there: after a few more photos, little."""
    fresh = {(each.person_id, each.photo_id): each for each in _sightings(album, found)}
    stale, moved = [], []
    for each in found.seen.sightings:
        if each.said == Sighting.Said.NOT:
            continue
        now = fresh.pop((each.person_id, each.photo_id), None)
        if now is None and not each.said:
            stale.append(each.pk)
        elif now and _differs(each, now):
            now.pk, now.said = each.pk, each.said
            moved.append(now)
    Sighting.objects.filter(pk__in=stale).delete()
    Sighting.objects.bulk_update(moved, ["x", "y", "width", "height", "quality"], batch_size=_BATCH)
    there = set(album.photos.values_list("pk", flat=True))
    Sighting.objects.bulk_create((each for each in fresh.values() if each.photo_id in there), batch_size=_BATCH)


def _sightings(album: Album, found: Found) -> Iterator[Sighting]:
    """One of each person and photo."""
    sizes = {pk: (width, height) for pk, width, height in album.photos.values_list("pk", "width", "height")}
    index, boxes = found.seen.index, found.seen.boxes
    for person, rows in found.rows.items():
        total = index.vectors[rows].sum(axis=0)
        likeness = index.vectors[rows] @ (total / np.linalg.norm(total))
        for row, like in zip(rows, likeness.tolist(), strict=True):
            photo, box = index.place(row)[0], boxes[row]
            quality = like + _size(box, *sizes.get(photo, (1, 1))) - (1 if index.weak[row] else 0)
            yield Sighting(person_id=person, photo_id=photo, quality=quality, **asdict(box))


def _size(box: recognition.Box, width: int, height: int) -> float:
    """Of the face in the preview; at most 1."""
    shrunk = min(1.0, PREVIEW_EDGE / max(width, height, 1))
    return min(1.0, max(box.width * width, box.height * height) * shrunk / _GOOD_SIDE)


def _differs(before: Sighting, now: Sighting) -> bool:
    return (before.x, before.y, before.width, before.height) != (now.x, now.y, now.width, now.height)


def _drop_who_is_gone(album: Album) -> None:
    """Whoever is seen no more, unless somebody gave them a name."""
    seen = Sighting.objects.there().filter(person=OuterRef("pk"))
    album.people.filter(~Exists(seen), name="").delete()
