"""The row is the queue: claims, fences, attempts, strikes, fairness and the sweeper."""

import signal
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest
import redis
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings as live
from django.core import mail
from django.db import connection, transaction
from django.db.models.functions import Now

from galleries import storage
from galleries.flows import doorbell, notice, upkeep
from galleries.flows import photo as photo_flow
from galleries.models import Album, EmbeddingBlock, Erasure, Face, Link, Photo, Selfie, User
from galleries.models.lease import from_now
from tests import pictures, services
from tests.conftest import add, ready_photo, search, work_off
from tests.test_races import beginning_at

pytestmark = pytest.mark.django_db(transaction=True)


def a_photo(album: Album, shade: int = 0) -> Photo:
    picture = pictures.quadrants().copy()
    picture[0, 0] = shade
    return add(album, pictures.png(picture), f"{shade}.png").photo


def let_the_lease_run_out(photo: Photo) -> None:
    Photo.objects.filter(pk=photo.pk).update(lease_until=from_now(-1))


def claimed() -> Photo:
    photo = Photo.objects.claim()
    assert photo is not None
    return photo


def test_a_claimed_photo_is_nobody_elses_until_its_lease_runs_out(album: Album) -> None:
    a_photo(album)
    first = claimed()
    assert (first.state, first.attempts) == ("processing", 1)
    assert Photo.objects.filter(lease_until__gt=from_now(55), lease_until__lt=from_now(61)).exists()
    assert Photo.objects.claim() is None
    let_the_lease_run_out(first)
    second = claimed()
    assert (second.pk, second.attempts) == (first.pk, 2)
    assert second.fence != first.fence


def test_a_lease_that_no_clock_can_have_given_is_free(album: Album) -> None:
    """The clock of a machine is set back by an hour: what was leased just before would wait as long."""
    a_photo(album)
    first = claimed()
    Photo.objects.filter(pk=first.pk).update(lease_until=from_now(3600))
    assert claimed().pk == first.pk


def test_work_that_is_given_back_was_never_begun(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is asked to end interrupts what takes long: no attempt is counted, and another may take it."""
    photo = a_photo(album)
    with monkeypatch.context() as ending:
        ending.setattr(photo_flow.images, "decode", interrupted)
        photo_flow.work()
    photo.refresh_from_db()
    assert (photo.state, photo.attempts, photo.lease_until, photo.fence) == ("uploaded", 0, None, None)
    work_off()
    photo.refresh_from_db()
    assert photo.state == "ready"


def interrupted(*_: Any) -> NoReturn:
    raise SoftTimeLimitExceeded


def test_who_lost_the_lease_changes_nothing(searchable: Album) -> None:
    a_photo(searchable)
    slow = claimed()
    let_the_lease_run_out(slow)
    quick = claimed()
    photo_flow.examine(slow)
    quick.refresh_from_db()
    assert (quick.state, quick.fence is None) == ("processing", False)
    photo_flow.examine(quick)
    quick.refresh_from_db()
    assert quick.state == "ready"


def test_examining_twice_doubles_nothing(searchable: Album) -> None:
    photo = ready_photo(searchable)
    before = list(Face.objects.values_list("pk", flat=True).order_by("ordinal"))
    Photo.objects.update(state="uploaded", wanted_engine=searchable.engine)
    work_off()
    assert Face.objects.filter(photo=photo).count() == len(before) == 1
    assert EmbeddingBlock.objects.count() == 1


def test_a_photo_deleted_under_its_worker_leaves_no_file(album: Album) -> None:
    a_photo(album)
    photo = claimed()
    Photo.objects.filter(pk=photo.pk).delete()
    found = photo_flow._look_at(photo)
    photo_flow._keep(photo, found)
    assert not any(storage.exists(key) for key in photo.stored_keys())


def test_albums_are_served_in_turn(owner: User) -> None:
    large, small = (Album.objects.create(owner=owner, title=title) for title in ("large", "small"))
    for shade in range(6):
        a_photo(large, shade)
    for shade in range(2):
        a_photo(small, shade)
    order = [claimed().album.title for _ in range(8)]
    assert order[:4] in (["large", "small"] * 2, ["small", "large"] * 2)
    assert Counter(order) == {"large": 6, "small": 2}


def test_parallel_workers_claim_every_row_once(album: Album) -> None:
    for shade in range(40):
        a_photo(album, shade)

    def claim_all() -> list[uuid.UUID]:
        mine: list[uuid.UUID] = []
        while photo := Photo.objects.claim():
            mine.append(photo.pk)
        connection.close()
        return mine

    if connection.vendor == "sqlite":
        # In memory one connection serves all threads; several processes on a file are tried in test_end_to_end.
        assert sorted(claim_all()) == sorted(Photo.objects.values_list("pk", flat=True))
        return
    with ThreadPoolExecutor(4) as pool:
        claims = [pk for mine in pool.map(lambda _: claim_all(), range(4)) for pk in mine]
    assert Counter(claims) == Counter(Photo.objects.values_list("pk", flat=True))


def test_a_fault_of_the_machine_is_no_strike_and_the_photo_rests(album: Album) -> None:
    photo = a_photo(album)
    storage.path(photo.original_key).rename(storage.path("elsewhere"))
    photo_flow.work()
    photo.refresh_from_db()
    assert (photo.state, photo.strikes, photo.attempts) == ("uploaded", 0, 1)
    assert not Photo.objects.due().exists()
    storage.path("elsewhere").rename(storage.path(photo.original_key))
    let_the_lease_run_out(photo)
    work_off()
    photo.refresh_from_db()
    assert (photo.state, photo.attempts) == ("ready", 0)


@pytest.fixture
def crashing_decoder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A decoder child that dies of a real signal, as one with a bug in its C code would."""
    crash = tmp_path / "sitecustomize.py"
    crash.write_text(f"import os\nos.kill(os.getpid(), {int(signal.SIGSEGV)})\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_a_photo_that_kills_a_worker_and_two_decoders_is_quarantined(album: Album, crashing_decoder: None) -> None:
    photo = a_photo(album)
    claimed()
    fates = []
    for _ in range(2):
        let_the_lease_run_out(photo)
        photo_flow.work()
        photo.refresh_from_db()
        fates.append((photo.state, photo.strikes))
    assert fates == [("uploaded", 2), ("quarantined", 2)]
    assert (photo.state, photo.code) == ("quarantined", "decoder_fault")
    assert "3 times" in photo.detail


def test_a_quarantined_photo_can_be_tried_again(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = a_photo(album)
    Photo.objects.update(attempts=10)
    photo_flow.work()
    photo.refresh_from_db()
    assert (photo.state, photo.code) == ("quarantined", "gave_up")
    assert photo_flow.retry(album.photos.all()) == 1
    work_off()
    photo.refresh_from_db()
    assert photo.state == "ready"


def test_the_second_attempt_decodes_apart_and_finds_the_same_faces(searchable: Album) -> None:
    photo = add(searchable, pictures.jpeg(pictures.portrait())).photo
    claimed()
    let_the_lease_run_out(photo)
    work_off()
    apart = bytes(EmbeddingBlock.objects.get().vectors)
    Photo.objects.update(state="uploaded", wanted_engine=searchable.engine)
    work_off()
    assert bytes(EmbeddingBlock.objects.get().vectors) == apart


@pytest.fixture
def broker(tmp_path: Path, settings: Any) -> Iterator[redis.Redis]:
    """A real Redis for the doorbell, nobody listening."""
    from pixora_site.celery import app

    with services.redis(tmp_path) as url:
        settings.REDIS_URL = url
        doorbell._broker.cache_clear()
        app.conf.update(broker_url=url.replace("unix://", "redis+socket://"))
        yield redis.Redis.from_url(url)
        app.conf.update(broker_url=settings.CELERY_BROKER_URL)
    doorbell._broker.cache_clear()


def test_rings_never_pile_up_beyond_twice_the_workers(album: Album, broker: redis.Redis) -> None:
    for shade in range(2 * live.PIXORA_WORKERS + 5):
        a_photo(album, shade)
    assert broker.llen("ingest") == 2 * live.PIXORA_WORKERS
    for _ in range(3):
        upkeep.sweep()
    assert broker.llen("ingest") == 2 * live.PIXORA_WORKERS


def test_the_sweeper_makes_good_for_lost_rings(album: Album, broker: redis.Redis) -> None:
    a_photo(album)
    broker.flushall()
    upkeep.sweep()
    assert broker.llen("ingest") == 1
    assert broker.llen("selfie") == 0


def test_a_beat_that_starts_has_a_sweep_made_at_once(broker: redis.Redis) -> None:
    from pixora_site.celery import sweep_at_once

    sweep_at_once()
    assert broker.llen("upkeep") == 1
    broker.shutdown(nosave=True)
    sweep_at_once()


def test_without_redis_an_upload_is_kept_all_the_same(album: Album, caplog: pytest.LogCaptureFixture) -> None:
    photo = a_photo(album)
    assert "the sweeper will ring again" in caplog.text
    assert Photo.objects.due().get() == photo


def test_the_sweeper_finishes_what_a_crash_left(searchable: Album, link: Any) -> None:
    found = search(link, keep_me_posted="true")
    photo = ready_photo(searchable)
    EmbeddingBlock.objects.update(announced=False, created_at=from_now(-60))
    found.selfie.matches.all().delete()
    storage.write("selfies/left", b"of a process that died")
    Erasure.objects.create(keys=["selfies/left"])
    Erasure.objects.update(created_at=from_now(-60))
    upkeep.sweep()
    work_off()
    assert found.selfie.matches.get().photo == photo
    assert not storage.exists("selfies/left")
    assert not Erasure.objects.exists()


def test_a_search_that_ran_out_is_erased(link: Any, searchable: Album) -> None:
    ready_photo(searchable)
    found = search(link, keep_me_posted="true")
    found.selfie.refresh_from_db()
    assert found.selfie.vectors
    type(found.selfie).objects.update(expires_at=Now())
    upkeep.sweep()
    found.selfie.refresh_from_db()
    assert (found.selfie.state, found.selfie.vectors) == ("expired", None)
    assert not found.selfie.matches.exists()
    answer = found.api.get(f"/api/v1/selfies/{found.selfie.pk}/")
    assert (answer.status_code, answer.json()["state"], answer.json()["photos"]) == (200, "expired", [])


def test_one_broken_duty_holds_up_no_other(searchable: Album, link: Any) -> None:
    """An erasure that cannot be carried out, and a search that has run out: the second goes all the same."""
    found = search(link)
    Erasure.objects.create(keys=["../outside"])
    Erasure.objects.update(created_at=from_now(-60))
    type(found.selfie).objects.update(expires_at=Now())
    upkeep.sweep()
    found.selfie.refresh_from_db()
    assert found.selfie.state == "expired"
    assert Erasure.objects.count() == 1


def test_two_workers_at_once_send_one_mail(
    searchable: Album, link: Link, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    if connection.vendor == "sqlite":
        return
    settings.PIXORA_PUBLIC_URL = "https://photos.example.org"
    search(link, keep_me_posted="true")
    Selfie.objects.update(email="gina@example.org")
    thread, errors = beginning_at(monkeypatch, notice, "_tell", notice.work)
    with transaction.atomic():
        notice.work()
    thread.join()
    assert errors == []
    assert len(mail.outbox) == 1
