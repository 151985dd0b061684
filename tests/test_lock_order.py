"""Whoever locks many photos or searches locks them by primary key, so that no two wait for each other.

The rows are stored in the opposite order, in which an UPDATE of PostgreSQL would take them. And whoever has waited for
a row looks at it again.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from django.db import connection, transaction
from django.utils import timezone

import recognition
from galleries.flows import album as album_flow
from galleries.flows import lost, posted, reindex
from galleries.flows import photo as photo_flow
from galleries.flows import selfie as selfie_flow
from galleries.models import Album, EmbeddingBlock, Guest, Link, Photo, Selfie

pytestmark = pytest.mark.django_db(transaction=True)
LOW, HIGH = UUID(int=1), UUID(int=2)


@pytest.fixture
def photos(searchable: Album) -> Album:
    for pk in (HIGH, LOW):
        name = f"{pk.int}.jpg"
        Photo.objects.create(pk=pk, album=searchable, name=name, size=1, sha256=name, crc32=1, state="ready")
    return searchable


@pytest.fixture
def searches(photos: Album) -> Album:
    """Both are near to the one face that has just come."""
    engine = recognition.engine(photos.engine)
    vector = np.eye(1, engine.dimension, dtype="<f4")
    facts: dict[str, Any] = {"album": photos, "link": Link.make(photos), "guest": Guest.objects.create()}
    facts |= {"state": "done", "engine": engine.name, "vectors": np.vstack([vector, vector]).tobytes()}
    for pk in (HIGH, LOW):
        Selfie.objects.create(pk=pk, expires_at=timezone.now() + timedelta(days=1), **facts)
    block = {"photo_id": LOW, "engine": engine.name, "count": 1, "vectors": vector.tobytes(), "weak": b"\0"}
    EmbeddingBlock.objects.create(album=photos, **block)
    return photos


def move(album: Album) -> None:
    Album.objects.update(next_engine="another")
    reindex.advance(album)


def arrive(album: Album) -> None:
    EmbeddingBlock.objects.bulk_create(
        EmbeddingBlock(photo_id=pk, album=album, engine="another", count=0, vectors=b"", weak=b"") for pk in (LOW, HIGH)
    )
    move(album)


def beside_a_search(rows: Any, act: Callable[[], Any]) -> None:
    """While another transaction locks the first row, and then the second one."""
    if connection.vendor == "sqlite":
        act()  # one writer at a time: there is no order to hold to
        return
    has_first = threading.Event()

    def lock_both() -> None:
        try:
            with transaction.atomic():
                assert rows.select_for_update().get(pk=LOW)
                has_first.set()
                # Until the other one waits for this row, or has had time to take the next.
                time.sleep(0.5)
                assert rows.select_for_update().get(pk=HIGH)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(lock_both)
        assert has_first.wait(10)
        act()
        other.result()


ACTS: dict[str, Callable[[Album], Any]] = {
    "an album moves to another engine": move,
    "an album arrives at another engine": arrive,
    "faces are forgotten": album_flow.forget_faces,
    "photos are hidden": lambda album: photo_flow.hide_all(album.photos.all(), hidden=True),
    "an album is had back": lambda album: album_flow._want_faces(album),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_photos_are_locked_by_their_key(photos: Album, act: Callable[[Album], Any]) -> None:
    beside_a_search(Photo.objects, transaction.atomic(lambda: act(photos)))
    assert Photo.objects.count() == 2


def test_searches_are_locked_by_their_key(searches: Album) -> None:
    beside_a_search(Selfie.objects, lambda: posted.announce(searches.pk, searches.engine))
    assert Selfie.objects.filter(wanted=True).count() == 2


def claimed_after(change: Callable[[], Any], claim: Callable[[], Any]) -> Any:
    """What a worker takes that had to wait for the only row, which another transaction changes."""
    if connection.vendor == "sqlite":
        change()
        return claim()

    def wait_and_claim() -> Any:
        try:
            return claim()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            change()
            worker = pool.submit(wait_and_claim)
            # Until it waits, or has had time to take the row.
            time.sleep(0.5)
        return worker.result()


def test_a_photo_set_aside_while_a_worker_waits_for_it_is_not_taken(photos: Album) -> None:
    Photo.objects.filter(pk=HIGH).delete()
    Photo.objects.update(state="uploaded")
    photo = Photo.objects.get()
    assert claimed_after(lambda: lost.mark(photo, lost.ALTERED), Photo.objects.claim) is None
    photo.refresh_from_db()
    assert (photo.state, photo.fence) == ("quarantined", None)


def test_a_search_ended_while_a_worker_waits_for_it_is_not_taken(searches: Album) -> None:
    Selfie.objects.filter(pk=HIGH).delete()
    Selfie.objects.update(state="queued")
    assert claimed_after(lambda: selfie_flow.end(Selfie.objects.all()), Selfie.objects.claim) is None
    assert Selfie.objects.get().fence is None
