"""The faces of an album -> its people, by a worker.

The whole album, always anew, so that it makes no difference in which order photos came. Whoever says something of a
person (people.py) takes the lease from a worker that began without knowing it.
"""

import logging
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from numpy.typing import NDArray

import recognition
from galleries.database import count_failure
from galleries.images import PREVIEW_EDGE
from galleries.models import Album, EmbeddingBlock, Face, Grouping, Person, Photo, Sighting
from galleries.models.lease import from_now
from galleries.models.people import LEASE_SECONDS

from .doorbell import ring
from .places import same_face
from .search_index import SearchIndex

logger = logging.getLogger(__name__)

# Photos come in bursts, and so does what a photographer says.
SETTLE_SECONDS = 10
# After a large album has been grouped, others have their turn for so many times as long.
_RESTS, _LONGEST_REST = 5, 300
_TIME_LIMIT = LEASE_SECONDS - 30
_SOFT_LIMIT = _TIME_LIMIT - 10
# Of an album that took all of it: another try may find the machine idle, and it must not keep a worker from photos.
_TOO_LARGE_REST = 6 * 3600
# Share of two boxes that makes them one face, seen by two engines.
_SAME_FACE = 0.25
# From this side in pixels of the preview, a larger face shows no better who it is.
_GOOD_SIDE = 150
_BATCH = 1000


def want(album_id: uuid.UUID, engine: str) -> None:
    """Faces have come: they are grouped soon, once for all that come meanwhile."""
    idle = Grouping.objects.filter(album=album_id, album__engine=engine, wanted_at=None)
    idle.update(wanted_at=from_now(SETTLE_SECONDS))


@shared_task(time_limit=_TIME_LIMIT, soft_time_limit=_SOFT_LIMIT)
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
        _break_off(grouping, time.monotonic() - began)
    except Exception as error:
        count_failure(error)
        logger.exception("The people of album %s could not be found.", grouping.album_id)
        Grouping.objects.release(grouping, rest_seconds=min(2**grouping.attempts, _LONGEST_REST))


def _break_off(grouping: Grouping, seconds: float) -> None:
    """A worker that is asked to end gives it back as if it had not begun; one too large to be grouped in time rests."""
    if seconds < _SOFT_LIMIT - 1:
        Grouping.objects.hand_back(grouping)
        return
    logger.warning("The people of album %s take longer than %s s to group.", grouping.album_id, _SOFT_LIMIT)
    Grouping.objects.release(grouping, wanted_at=from_now(_TOO_LARGE_REST))


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

    album: uuid.UUID
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
    return Found(album.pk, seen, rows, list(new.values()))


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
    known, number = np.full(len(seen.index), -1), dict[uuid.UUID, int]()
    for each, row in _placed(seen, Sighting.Said.IS):
        if known[row] < 0:
            known[row] = number.setdefault(each.person_id, len(number))
    not_them = _placed(seen, Sighting.Said.NOT)
    refused = [(row, number[each.person_id]) for each, row in not_them if each.person_id in number]
    numbers = recognition.group(
        seen.index.vectors,
        weak=seen.index.weak,
        photos=seen.index.photo_numbers,
        known=known,
        refused=refused,
        engine_name=album.engine,
    )
    return numbers, list(number)


def _placed(seen: Seen, said: Sighting.Said) -> Iterator[tuple[Sighting, int]]:
    """Of what was said, that of faces which are there."""
    for each, row in zip(seen.sightings, seen.places, strict=True):
        if row is not None and each.said == said:
            yield each, row


def _met_again(seen: Seen, numbers: NDArray[np.intp], pinned: set[uuid.UUID]) -> dict[int, uuid.UUID]:
    """Groups that hold most of the faces of somebody who was there before."""
    shared: Counter[tuple[uuid.UUID, int]] = Counter()
    for each, row in _placed(seen, Sighting.Said.NOTHING):
        if each.person_id not in pinned and numbers[row] >= len(pinned):
            shared[each.person_id, int(numbers[row])] += 1
    who: dict[int, uuid.UUID] = {}
    for (person, number), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if number not in who and person not in who.values():
            who[number] = person
    return who


class _Lost(Exception):
    """The lease went elsewhere: somebody has said something, or no people are wanted any more."""


def _keep(grouping: Grouping, found: Found | None, *, rest_seconds: float) -> None:
    """In steps, or a large album would keep all other writers waiting; one that is cut short is made good anew."""
    try:
        if found:
            for step in _steps(found):
                with _held(grouping) as album:
                    step(album)
        with _held(grouping) as album:
            again = from_now(SETTLE_SECONDS) if _has_changed(album, found) else None
            Grouping.objects.release(grouping, rest_seconds=rest_seconds, attempts=0, wanted_at=again, grouped_at=Now())
    except _Lost:
        logger.info("The people of album %s: the lease went elsewhere.", grouping.album_id)


@contextmanager
def _held(grouping: Grouping) -> Iterator[Album]:
    """A transaction in which the lease is held, and no photo of the album is deleted. Raises _Lost."""
    with transaction.atomic():
        album = Album.objects.present().locked().filter(pk=grouping.album_id).first()
        if album is None or not Grouping.objects.held(grouping).locked().first():
            raise _Lost
        yield album


def _has_changed(album: Album, found: Found | None) -> bool:
    """Whether other faces are there now than those that were looked at, or another engine's."""
    if found is None:
        return False
    stored = EmbeddingBlock.objects.filter(album=album, engine=album.engine).values_list("pk", flat=True)
    return set(stored) != set(found.seen.index.blocks)


def _steps(found: Found) -> Iterator[Callable[[Album], None]]:
    """What differs from what is there: after a few more photos, little."""
    fresh = {(each.person_id, each.photo_id): each for each in _sightings(found)}
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
    yield partial(_change, found.new, stale, moved)
    # A row that points to a photo locks it; everybody locks photos by primary key.
    ordered = sorted(fresh.values(), key=lambda each: each.photo_id)
    yield from (partial(_add, ordered[at : at + _BATCH]) for at in range(0, len(ordered), _BATCH))
    yield _drop_who_is_gone


def _change(new: list[uuid.UUID], stale: list[int], moved: list[Sighting], album: Album) -> None:
    Person.objects.bulk_create((Person(pk=pk, album=album) for pk in new), batch_size=_BATCH)
    Sighting.objects.filter(pk__in=stale).delete()
    Sighting.objects.bulk_update(moved, ["x", "y", "width", "height", "quality"], batch_size=_BATCH)


def _add(sightings: list[Sighting], album: Album) -> None:
    there = set(album.photos.filter(pk__in={each.photo_id for each in sightings}).values_list("pk", flat=True))
    Sighting.objects.bulk_create(each for each in sightings if each.photo_id in there)


def _sightings(found: Found) -> Iterator[Sighting]:
    """One of each person and photo."""
    sizes = {pk: size for pk, *size in Photo.objects.filter(album=found.album).values_list("pk", "width", "height")}
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
