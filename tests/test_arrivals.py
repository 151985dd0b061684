"""A stored file has its row, its arrival or its erasure at every moment: a crash leaves no orphan and loses nothing."""

import hashlib
import time
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from django.db import OperationalError

from galleries import storage
from galleries.errors import Refusal
from galleries.flows import brand, check, upkeep
from galleries.flows import photo as photo_flow
from galleries.models import Album, Arrival, Erasure, Photo
from galleries.models.lease import from_now
from tests import pictures
from tests.conftest import add, ready_photo

pytestmark = pytest.mark.django_db(transaction=True)


def stored() -> list[str]:
    return sorted(each.key for each in storage.walk())


def died(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def long_after() -> None:
    for rows in (Arrival, Erasure):
        rows.objects.update(created_at=from_now(-upkeep.ARRIVAL_SECONDS - 1))
    upkeep.sweep()


def test_what_was_received_without_its_row_is_erased(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as crash:
        crash.setattr(photo_flow, "_add", died)
        with pytest.raises(KeyboardInterrupt):
            add(album, pictures.jpeg(pictures.quadrants()))
    assert len(stored()) == 1
    upkeep.sweep()
    assert len(stored()) == 1, "somebody may still be at it"
    long_after()
    assert stored() == []
    assert not Arrival.objects.exists()


def test_a_commit_whose_answer_was_lost_keeps_its_file(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection breaks at the commit: the row is there, so the next check calls the file a duplicate."""
    really = photo_flow._add

    def lose_the_answer(*facts: Any) -> NoReturn:
        really(*facts)
        raise OperationalError("server closed the connection unexpectedly")

    data = pictures.jpeg(pictures.quadrants())
    with monkeypatch.context() as crash:
        crash.setattr(photo_flow, "_add", lose_the_answer)
        with pytest.raises(OperationalError):
            add(album, data)
    long_after()
    sha256 = hashlib.sha256(data).hexdigest()
    assert check.missing_of(album, [sha256]) == ([], [sha256])
    assert storage.read(Photo.objects.get().original_key) == data


def test_one_that_comes_too_late_is_refused_and_not_half_kept(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    really = photo_flow._add

    def fall_asleep(*facts: Any) -> None:
        long_after()
        really(*facts)

    data = pictures.jpeg(pictures.quadrants())
    with monkeypatch.context() as slow:
        slow.setattr(photo_flow, "_add", fall_asleep)
        with pytest.raises(Refusal) as refused:
            add(album, data)
    assert (refused.value.status, refused.value.code) == (503, "too_late")
    assert not Photo.objects.exists()
    assert stored() == []
    assert add(album, data).outcome == "accepted"


@pytest.mark.parametrize("send", [add, lambda album, data: brand.change(album, logo=[data])], ids=["photo", "logo"])
def test_a_file_stored_after_its_arrival_was_erased_goes_too(
    album: Album, send: Callable[[Album, bytes], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that slept, or a bucket that took the bytes very slowly."""
    really = storage.adopt

    def fall_asleep(*facts: Any) -> None:
        long_after()
        really(*facts)

    with monkeypatch.context() as slow:
        slow.setattr(storage, "adopt", fall_asleep)
        with pytest.raises(Refusal, match="too long"):
            send(album, pictures.jpeg(pictures.quadrants()))
    assert stored() == []
    assert not Erasure.objects.exists()


def test_a_photo_and_a_logo_leave_no_arrival(album: Album) -> None:
    ready_photo(album)
    brand.change(album, logo=[pictures.jpeg(pictures.quadrants())])
    assert not Arrival.objects.exists()
    long_after()
    assert len(stored()) == 4


def test_a_store_that_is_away_holds_up_no_other_duty(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def be_away(keys: Any) -> NoReturn:
        asked.append(keys)
        time.sleep(0.1)
        raise storage.Unavailable("the bucket did not answer")

    monkeypatch.setattr(storage, "delete", be_away)
    monkeypatch.setattr(upkeep, "DELETING_SECONDS", 0.25)
    Erasure.objects.bulk_create(Erasure(keys=["a"], created_at=from_now(-60)) for _ in range(20))
    upkeep.erase_left()
    assert 0 < len(asked) < 10
    assert Erasure.objects.count() == 20


def test_renditions_of_a_worker_that_outlived_its_photo_are_erased(album: Album) -> None:
    add(album, pictures.jpeg(pictures.quadrants()))
    photo = Photo.objects.claim()
    assert photo is not None
    photo_flow.delete([photo])
    assert stored() == []
    storage.write(photo.thumb_key, b"thumb")
    storage.write(photo.preview_key, b"preview")
    upkeep.sweep()
    assert len(stored()) == 2, "it is not due before the lease is over"
    long_after()
    assert stored() == []
    assert not Erasure.objects.exists()
