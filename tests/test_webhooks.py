"""Webhooks: told what happened, once it is true, from rows; at least once, in order, and signed."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as live
from django.core import mail
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from galleries import storage
from galleries.errors import Refusal
from galleries.flows import album as album_flow
from galleries.flows import delivery as delivery_flow
from galleries.flows import event as event_flow
from galleries.flows import photo as photo_flow
from galleries.flows import selfie as selfie_flow
from galleries.flows import upkeep
from galleries.flows import webhook as webhook_flow
from galleries.models import Album, Delivery, Erasure, Link, Photo, Selfie, User, Webhook
from galleries.models.lease import from_now
from galleries.models.webhook import Event
from tests import pictures
from tests.conftest import add, ready_photo, search, work_off
from tests.receiver import NETWORKS, Receiver, receiver

pytestmark = pytest.mark.django_db(transaction=True)
ALL = [event.value for event in Event]


@pytest.fixture(autouse=True)
def a_site_that_reaches_this_machine(settings: Settings) -> None:
    settings.PIXORA_WEBHOOK_NETWORKS = NETWORKS
    settings.PIXORA_PUBLIC_URL = "https://photos.example.org"


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as here:
        yield here


def listening(owner: User, server: Receiver, *events: str, albums: Any = ()) -> Webhook:
    return webhook_flow.make(owner, url=server.url, events=events or ALL, albums=albums)[0]


def deliver() -> None:
    """What upkeep's worker does of it."""
    while Delivery.objects.due().exists():
        delivery_flow.work()


def pause_over(album: Album) -> None:
    """Half a minute in which nobody sent a photo; and a sweep."""
    Photo.objects.filter(album=album).update(received_at=timezone.now() - timedelta(seconds=31))
    upkeep.tell_of_ready_albums()


def events() -> list[str]:
    return list(Delivery.objects.order_by("created_at").values_list("kind", flat=True))


def rested(delivery: Delivery) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(due_at=from_now(-1))
    Webhook.objects.update(rest_until=None)


# What happened


def test_an_upload_is_told_photo_by_photo_and_once_as_a_whole(owner: User, album: Album, server: Receiver) -> None:
    listening(owner, server)
    photos = [add(album, pictures.jpeg(pictures.quadrants(edge)), f"{edge}.jpg").photo for edge in (60, 70)]
    add(album, b"no photo", "notes.txt")
    work_off()
    pause_over(album)
    pause_over(album)
    deliver()
    told = server.said
    assert sorted(each["kind"] for each in told) == [
        "album.ready", "photo.ready", "photo.ready", "photo.rejected",
    ]  # fmt: skip
    assert told[-1]["kind"] == "album.ready"
    ready = {each["photo"]["id"] for each in told if each["kind"] == "photo.ready"}
    assert ready == {str(photo.pk) for photo in photos}


def test_what_is_said_is_ids_and_addresses_and_nothing_else(owner: User, album: Album, server: Receiver) -> None:
    listening(owner, server, "photo.ready", "photo.rejected")
    photo = ready_photo(album)
    add(album, b"no photo", "Gina Guest.txt")
    deliver()
    site = "https://photos.example.org/api/v1"
    here = {"id": str(album.pk), "url": f"{site}/albums/{album.pk}/"}
    ready, rejected = server.said
    assert uuid.UUID(ready.pop("id"))
    assert timezone.now() - datetime.fromisoformat(ready.pop("created")) < timedelta(minutes=1)
    assert ready == {
        "kind": "photo.ready",
        "api_version": "1",
        "album": here,
        "photo": {"id": str(photo.pk), "url": f"{site}/photos/{photo.pk}/"},
    }
    assert rejected["photo"]["code"] == "not_a_photo"
    assert "Gina" not in str(server.received)
    assert album.title not in str(server.received)


def test_a_photo_that_cannot_be_decoded_is_told_when_a_worker_finds_out(
    owner: User, album: Album, server: Receiver
) -> None:
    listening(owner, server, "photo.rejected")
    broken = pictures.jpeg(pictures.portrait())
    photo = add(album, broken[: len(broken) // 2]).photo
    assert events() == []
    work_off()
    photo.refresh_from_db()
    assert photo.state == "rejected"
    assert events() == ["photo.rejected"]


def test_a_photo_that_is_indexed_again_has_been_ready_before(owner: User, album: Album, server: Receiver) -> None:
    ready_photo(album)
    pause_over(album)
    listening(owner, server)
    album_flow.switch_face_search(album, True, by=owner, basis="contract", attested=True)
    work_off()
    pause_over(album)
    assert events() == []


def test_an_album_is_not_ready_while_a_photo_waits_or_has_just_come(
    owner: User, album: Album, server: Receiver
) -> None:
    listening(owner, server, "album.ready")
    ready_photo(album)
    upkeep.tell_of_ready_albums()
    assert events() == [], "somebody may still be sending"
    late = add(album, pictures.jpeg(pictures.quadrants(70)), "late.jpg").photo
    pause_over(album)
    assert events() == [], "one waits"
    photo_flow.delete([late])
    pause_over(album)
    assert events() == ["album.ready"]
    add(album, pictures.jpeg(pictures.quadrants(72)), "next day.jpg")
    work_off()
    pause_over(album)
    assert events() == ["album.ready"] * 2


def test_a_guest_s_find_says_no_more_than_that(owner: User, searchable: Album, link: Link, server: Receiver) -> None:
    photo = ready_photo(searchable)
    listening(owner, server, "selfie.matched")
    found = search(link, keep_me_posted="true")
    deliver()
    (told,) = server.said
    assert sorted(told) == ["album", "api_version", "created", "id", "kind"]
    text = json.dumps(told)
    for secret in (photo.pk, found.selfie.pk, found.selfie.guest_id, found.key, link.pk, link.token):
        assert str(secret) not in text
    # Nor is it told again when the search is brought up to date.
    ready_photo(searchable, pictures.jpeg(pictures.portrait(), quality=60), "later.jpg")
    assert found.selfie.matches.count() == 2
    assert events() == ["selfie.matched"]


def test_a_search_that_finds_nothing_is_not_told(owner: User, searchable: Album, link: Link, server: Receiver) -> None:
    listening(owner, server, "selfie.matched")
    search(link)
    assert events() == []


def test_an_erased_search_is_told_once_its_files_are_gone(
    owner: User, searchable: Album, link: Link, server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening(owner, server, "erase.done")
    found = search(link)
    with monkeypatch.context() as failing:
        failing.setattr(storage, "delete", _unavailable)
        selfie_flow.withdraw(found.selfie)
    assert Erasure.objects.filter(subject=found.selfie.pk).exists() or Erasure.objects.exists()
    deliver()
    assert server.said == []
    Erasure.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    upkeep.erase_left()
    deliver()
    (told,) = server.said
    assert (told["erased"], told["album"]["id"]) == ("search", str(searchable.pk))
    assert str(found.selfie.guest_id) not in str(told)


def _unavailable(*_: Any) -> None:
    raise storage.Unavailable


def test_an_album_deleted_for_good_is_told_once_nothing_is_left(owner: User, album: Album, server: Receiver) -> None:
    listening(owner, server, "erase.done", albums=[album])
    photo = ready_photo(album)
    pk = album.pk
    # As if a worker still had it in hand: what it may write is erased once more, a minute later.
    Photo.objects.filter(pk=photo.pk).update(fence=uuid.uuid4())
    album_flow.delete_for_good(album)
    assert not Album.objects.filter(pk=pk).exists()
    deliver()
    assert server.said == []
    Erasure.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    upkeep.erase_left()
    deliver()
    (told,) = server.said
    assert (told["erased"], told["album"]["id"]) == ("album", str(pk))
    assert not storage.exists(photo.original_key)


# Who is told


def test_only_who_listens_to_this_event_of_this_owner_and_album_is_told(
    owner: User, other_owner: User, album: Album, server: Receiver
) -> None:
    other = Album.objects.create(owner=owner, title="Other")
    hears = [listening(owner, server), listening(owner, server, "photo.ready", albums=[album, other])]
    listening(owner, server, "album.ready")
    listening(owner, server, "photo.ready", albums=[other])
    listening(other_owner, server)
    off = listening(owner, server)
    webhook_flow.switch(off, on=False)
    bound = listening(owner, server, "photo.ready", albums=[other])
    bound.albums.clear()
    ready_photo(album)
    assert {each.webhook_id for each in Delivery.objects.all()} == {each.pk for each in hears}
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert Delivery.objects.waiting().exists()
    assert not Delivery.objects.due().exists()
    Photo.objects.update(state="uploaded")
    work_off()
    assert Delivery.objects.count() == 2


def test_what_is_rolled_back_is_told_to_nobody(owner: User, album: Album, server: Receiver) -> None:
    listening(owner, server)
    with transaction.atomic():
        event_flow.happened(Event.ALBUM_READY, album.pk)
        transaction.set_rollback(True)
    assert events() == []


def test_where_nobody_listens_it_is_one_query_that_writes_nothing(owner: User, album: Album) -> None:
    with (
        CaptureQueriesContext(
            connection,
        ) as asked,
        transaction.atomic(),
    ):
        event_flow.happened(Event.PHOTO_READY, album.pk)
    selects = [each["sql"] for each in asked.captured_queries if each["sql"].startswith("SELECT")]
    assert len(selects) == 1
    assert not any(each["sql"].startswith(("INSERT", "UPDATE")) for each in asked.captured_queries)


# How it is told


def is_genuine(secret: str, header: str, body: bytes) -> bool:
    """As the page tells receivers to do it: its very lines."""
    told: dict[str, Any] = {}
    exec((live.BASE_DIR / "templates" / "webhooks" / "is_genuine.txt").read_text(), told)
    return bool(told["is_genuine"](secret, header, body))


def test_a_delivery_is_signed_and_for_a_day_by_the_former_secret_too(owner: User, server: Receiver) -> None:
    webhook, secret = webhook_flow.make(owner, url=server.url, events=ALL)
    assert secret.encode() not in bytes(webhook.sealed_secret)
    webhook_flow.send_test(webhook)
    deliver()
    newer = webhook_flow.rotate(webhook)
    webhook_flow.send_test(webhook)
    deliver()
    Webhook.objects.update(former_secret_until=from_now(-1))
    webhook_flow.send_test(webhook)
    deliver()
    genuine = [
        [is_genuine(key, got.headers["Pixora-Signature"], got.body) for key in (secret, newer)]
        for got in server.received
    ]
    assert genuine == [[True, False], [True, True], [False, True]]
    upkeep.drop_old()
    assert Webhook.objects.filter(sealed_former_secret=None).exists()
    one = server.received[0]
    assert not is_genuine(secret, one.headers["Pixora-Signature"], one.body + b" ")
    late = delivery_flow.signature(int(time.time()) - 400, one.body, [secret])
    assert not is_genuine(secret, late, one.body)
    assert [one.headers["Pixora-Event"], one.headers["Pixora-Delivery"]] == ["test", one.said["id"]]


def test_a_failed_delivery_is_sent_again_with_the_same_id_and_bytes(
    owner: User, album: Album, server: Receiver
) -> None:
    listening(owner, server, "photo.ready")
    server.status = 503
    ready_photo(album)
    deliver()
    (delivery,) = Delivery.objects.all()
    assert (delivery.state, delivery.attempts, delivery.answer_status) == ("waiting", 1, 503)
    assert delivery.last_error == "It answered 503."
    server.status = 204
    rested(delivery)
    deliver()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.answer_status) == ("sent", 2, 204)
    first, second = server.received
    assert first.body == second.body
    assert Webhook.objects.get().failures == 0


def test_it_is_given_up_after_the_last_attempt(owner: User, server: Receiver) -> None:
    webhook = listening(owner, server)
    delivery = webhook_flow.send_test(webhook)
    server.status = 500
    for _ in range(Delivery.most_attempts()):
        rested(delivery)
        deliver()
    delivery.refresh_from_db()
    assert (delivery.state, len(server.received)) == ("given_up", 7)
    webhook_flow.send_again(delivery)
    server.status = 200
    deliver()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("sent", 1)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_and_nobody_is_asked_there(owner: User, server: Receiver, status: int) -> None:
    with receiver() as private:
        server.status, server.location = status, private.url
        delivery = webhook_flow.send_test(listening(owner, server))
        deliver()
        assert private.received == []
    delivery.refresh_from_db()
    assert (delivery.state, delivery.answer_status) == ("waiting", status)


def test_an_address_that_comes_to_lead_into_a_private_network_is_not_asked(
    owner: User, server: Receiver, settings: Settings
) -> None:
    delivery = webhook_flow.send_test(listening(owner, server))
    settings.PIXORA_WEBHOOK_NETWORKS = []
    deliver()
    delivery.refresh_from_db()
    assert (server.received, delivery.last_error) == ([], "This address leads into a private network.")


def test_an_address_that_is_gone_is_switched_off(owner: User, server: Receiver) -> None:
    webhook = listening(owner, server)
    first, second = webhook_flow.send_test(webhook), webhook_flow.send_test(webhook)
    server.status = 410
    deliver()
    webhook.refresh_from_db()
    assert (webhook.is_on, webhook.switched_off_because, len(server.received)) == (False, "gone", 1)
    (notice,) = mail.outbox
    assert notice.to == [owner.email]
    assert f"https://photos.example.org/webhooks/{webhook.pk}/" in notice.body
    assert server.url not in notice.body
    for each in (first, second):
        each.refresh_from_db()
        assert each.state == "given_up"
        with pytest.raises(Refusal, match="switched off"):
            webhook_flow.send_again(each)
    webhook_flow.switch(webhook, on=True)
    server.status = 200
    webhook_flow.send_again(second)
    deliver()
    assert server.said[-1]["id"] == str(second.pk)


def test_an_address_that_fails_for_ever_is_switched_off(owner: User, server: Receiver) -> None:
    webhook = listening(owner, server)
    server.status = 500
    Webhook.objects.update(failures=delivery_flow.MOST_FAILURES - 2)
    delivery = webhook_flow.send_test(webhook)
    deliver()
    webhook.refresh_from_db()
    assert webhook.is_on
    rested(delivery)
    deliver()
    webhook.refresh_from_db()
    assert webhook.switched_off_because == "failing"
    assert "40 times" in mail.outbox[0].body
    assert not Delivery.objects.waiting().exists()


# In turn, in order, in time


def test_deliveries_of_one_address_come_in_order_and_in_turn_with_the_others(owner: User, server: Receiver) -> None:
    large, small = listening(owner, server), listening(owner, server)
    wanted: dict[uuid.UUID, list[str]] = {large.pk: [], small.pk: []}
    for webhook in [large] * 6 + [small] * 2:
        wanted[webhook.pk].append(str(event_flow.try_out(webhook).pk))
    order: list[Delivery] = []
    while delivery := Delivery.objects.claim():
        Delivery.objects.mark_sent(delivery)
        order.append(delivery)
    assert {each.webhook_id for each in order[:2]} == {each.webhook_id for each in order[2:4]} == {large.pk, small.pk}
    for webhook in (large, small):
        assert [str(each.pk) for each in order if each.webhook_id == webhook.pk] == wanted[webhook.pk]


def test_while_an_address_fails_what_waits_for_it_is_not_tried_and_stays_in_order(
    owner: User, server: Receiver
) -> None:
    webhook = listening(owner, server)
    sent = [event_flow.try_out(webhook) for _ in range(3)]
    server.status = 500
    deliver()
    assert len(server.received) == 1
    server.status = 200
    rested(sent[0])
    deliver()
    assert [each["id"] for each in server.said] == [str(sent[0].pk), *(str(each.pk) for each in sent)]


def test_one_address_is_told_one_thing_at_a_time(owner: User, server: Receiver) -> None:
    webhook = listening(owner, server)
    for _ in range(3):
        event_flow.try_out(webhook)
    first = Delivery.objects.claim()
    assert first is not None
    assert Delivery.objects.claim() is None
    Delivery.objects.mark_sent(first)
    assert Delivery.objects.claim() is not None


def waits_for(event: threading.Event) -> Callable[[Any], None]:
    def wait(_: Any) -> None:
        event.wait(20)

    return wait


def test_addresses_that_never_answer_hold_up_neither_the_others_nor_the_queue(
    owner: User, server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_flow, "ATTEMPT_SECONDS", 0.5)
    ended = threading.Event()
    with receiver() as silent:
        silent.before = waits_for(ended)
        dead = [listening(owner, silent) for _ in range(5)]
        alive = listening(owner, server)
        for webhook in [*dead, *dead, alive, alive]:
            event_flow.try_out(webhook)
        deliver()
        ended.set()
    assert len(server.received) == 2
    states = [each.state for each in alive.deliveries.all()]
    assert states == ["sent", "sent"]
    # All at once, and then left alone.
    assert len(silent.received) == 5
    assert {each.last_error for each in Delivery.objects.filter(attempts=1, sent_at=None)} == {
        "There was no answer in time."
    }


def test_a_slow_address_has_a_fifth_of_the_time(owner: User, server: Receiver) -> None:
    webhook = listening(owner, server)
    delivery = event_flow.try_out(webhook)
    attempt = delivery_flow._Attempt(delivery, webhook.url, {}, status=200, seconds=5)
    delivery_flow._note(attempt)
    assert Webhook.objects.filter(rest_until__gt=from_now(18), rest_until__lt=from_now(21)).exists()


# Nothing is lost


def test_a_lost_ring_is_made_good_by_a_sweep(
    owner: User, album: Album, server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No Redis runs beside this test: every ring of it is lost, and the sweeper's word is what counts."""
    rung: list[str] = []
    listening(owner, server, "photo.ready")
    ready_photo(album)
    monkeypatch.setattr(upkeep, "ring", lambda task: rung.append(task.name))
    upkeep.ring_for_due()
    assert rung == ["galleries.flows.delivery.work"]
    deliver()
    assert len(server.said) == 1
    rung.clear()
    upkeep.ring_for_due()
    assert rung == []


def test_who_died_between_sending_and_noting_has_it_sent_once_more(owner: User, server: Receiver) -> None:
    """As tests/faults does with a real process: the row is claimed, the receiver has it, and nobody noted it."""
    delivery = webhook_flow.send_test(listening(owner, server))
    (attempt,) = delivery_flow._begun()
    attempt.thread.join()
    assert len(server.received) == 1
    deliver()
    assert len(server.received) == 1, "somebody may still be at it"
    Delivery.objects.update(lease_until=from_now(-1))
    deliver()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("sent", 2)
    assert [each["id"] for each in server.said] == [str(delivery.pk)] * 2
    delivery_flow._note(attempt)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("sent", 2)


def test_a_webhook_that_is_deleted_while_something_happens_fails_nobody(
    owner: User, album: Album, server: Receiver
) -> None:
    """Who deletes it waits for the news to be committed, and then takes that away too."""
    webhook, told, deleted = listening(owner, server), threading.Event(), threading.Event()

    def delete() -> None:
        told.wait(10)
        webhook_flow.delete(webhook)
        deleted.set()
        connection.close()

    # In memory one connection of SQLite serves all threads: there it is one after the other.
    deleter = threading.Thread(target=delete) if connection.vendor == "postgresql" else None
    if deleter:
        deleter.start()
    with transaction.atomic():
        event_flow.happened(Event.ALBUM_READY, album.pk)
        told.set()
        assert not deleted.wait(0.5)
    if deleter:
        deleter.join()
    else:
        webhook_flow.delete(webhook)
    assert not Delivery.objects.exists()
    assert not Webhook.objects.exists()


def test_the_log_is_kept_for_a_month(owner: User, server: Receiver) -> None:
    webhook = listening(owner, server)
    kept, old = webhook_flow.send_test(webhook), webhook_flow.send_test(webhook)
    deliver()
    long_ago = timezone.now() - timedelta(days=31)
    Delivery.objects.filter(pk=old.pk).update(sent_at=long_ago, created_at=long_ago)
    upkeep.drop_old()
    assert list(Delivery.objects.all()) == [kept]


def test_a_webhook_deleted_under_its_worker_is_no_error(owner: User, server: Receiver) -> None:
    webhook = listening(owner, server)
    webhook_flow.send_test(webhook)
    (attempt,) = delivery_flow._begun()
    webhook_flow.delete(webhook)
    attempt.thread.join()
    delivery_flow._note(attempt)
    assert not Delivery.objects.exists()


def test_a_secret_of_another_key_says_so_and_holds_up_nobody(owner: User, server: Receiver) -> None:
    lost, sound = listening(owner, server), listening(owner, server)
    Webhook.objects.filter(pk=lost.pk).update(sealed_secret=b"of another key")
    first, _ = webhook_flow.send_test(lost), webhook_flow.send_test(sound)
    deliver()
    first.refresh_from_db()
    assert (first.state, len(server.received)) == ("given_up", 1)
    assert "Make a new one" in first.last_error


# What may be typed in


@pytest.mark.parametrize(
    "url", ["http://example.org/", "https://10.0.0.1/", "https://2130706433/", "https://[::1]/", "https://a:b@c.org/"]
)
def test_what_can_be_seen_to_lead_nowhere_is_refused_at_once(owner: User, settings: Settings, url: str) -> None:
    settings.PIXORA_WEBHOOK_NETWORKS = []
    with pytest.raises(Refusal):
        webhook_flow.make(owner, url=url, events=ALL)
    webhook, _ = webhook_flow.make(owner, url="https://example.org/hook", events=ALL)
    with pytest.raises(Refusal):
        webhook_flow.change(webhook, url=url, events=ALL, albums=[], name="")
    webhook.refresh_from_db()
    assert webhook.url == "https://example.org/hook"


def test_there_are_not_more_than_twenty(owner: User, server: Receiver) -> None:
    for _ in range(20):
        listening(owner, server)
    with pytest.raises(Refusal, match="20"):
        listening(owner, server)


def test_the_log_names_no_address(owner: User, server: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    server.status = 500
    webhook_flow.send_test(listening(owner, server))
    deliver()
    assert server.url not in caplog.text
    assert Selfie.objects.count() == 0
