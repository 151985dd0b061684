"""Whom a guest may search for: the person of their first search in an album, and so many more as its owner allows."""

import uuid
from collections.abc import Iterable
from typing import Any

from django.db import transaction

import recognition
from galleries.models import Guest, Selfie, SoughtPerson
from recognition.types import Vector

from . import watch
from .search_index import SearchIndex


class Unsearchable(Exception):
    """There will be no search; `code` is one of the words of flows.selfie."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def require_own_face(selfie: Selfie, face: Vector, index: SearchIndex) -> None:
    """Raises Unsearchable album_photo or another_person."""
    if recognition.is_same_picture(face, index.vectors, index.engine):
        raise Unsearchable("album_photo")
    admit(selfie, face)


@transaction.atomic
def admit(selfie: Selfie, face: Vector) -> None:
    """Settle whom a claimed selfie shows. Raises Unsearchable another_person.

    Two selfies of one guest may be looked at at the same time, so the guest is locked: after searches, as everywhere.
    """
    if not Selfie.objects.held(selfie).select_for_update().first():
        raise Unsearchable("search_failed")
    _lock([selfie.guest_id])
    engine = selfie.album.engine
    # Another engine's vectors compare with nothing: whoever comes after the change is the person from now on.
    known = list(SoughtPerson.objects.of(selfie.guest_id, selfie.album_id).filter(engine=engine))
    person = _same(known, face, engine)
    if person is None and len(known) >= selfie.album.persons_a_guest:
        raise Unsearchable("another_person")
    if person is None:
        if not known:
            watch.note_beginning(selfie)
        whose = {"guest_id": selfie.guest_id, "album_id": selfie.album_id}
        person = SoughtPerson.objects.create(**whose, engine=engine, vector=face.tobytes())
    Selfie.objects.filter(pk=selfie.pk).update(person=person)
    selfie.person = person


def _same(known: list[SoughtPerson], face: Vector, engine: str) -> SoughtPerson | None:
    return next((each for each in known if recognition.is_same_person(each.face, face, engine)), None)


def sharpen(selfie: Selfie, face: Vector, centre: Vector) -> None:
    """The average of the first search that found photos tells a person better than their selfie does.

    Only the first one's: else a guest could move on from face to face.
    """
    unsharpened = SoughtPerson.objects.filter(searches=selfie.pk, vector=face.tobytes())
    unsharpened.update(vector=centre.tobytes())


@transaction.atomic
def forget_unsearched(guests: Iterable[Any]) -> None:
    """Nothing of a face is kept once no search is about it. To be called after the searches ended."""
    _lock(guests)
    SoughtPerson.objects.filter(guest__in=list(guests), searches=None).delete()


def is_kept_of(guest_id: uuid.UUID, album_id: uuid.UUID) -> bool:
    """Whether anything of a face is kept for this guest's searches of the album."""
    return SoughtPerson.objects.of(guest_id, album_id).exists()


def _lock(guests: Iterable[Any]) -> None:
    list(Guest.objects.select_for_update(no_key=True).filter(pk__in=list(guests)).order_by("pk").values_list("pk"))
