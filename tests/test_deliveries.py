"""Deliveries: what a webhook is told, signed, in order and in turn, again where it fails, and lost by no death."""

import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as live
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from galleries.errors import Refusal
from galleries.flows import delivery as delivery_flow
from galleries.flows import event as event_flow
from galleries.flows import upkeep
from galleries.flows import webhook as webhook_flow
from galleries.models import Album, Delivery, User, Webhook
from galleries.models.lease import from_now
from galleries.models.webhook import Event
from tests.conftest import ready_photo
from tests.receiver import ALL, Receiver, deliver, listening, receiver

pytestmark = pytest.mark.django_db(transaction=True)


def rested(delivery: Delivery) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(due_at=from_now(-1))
    Webhook.objects.update(rest_until=None)


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


def test_an_address_that_is_gone_is_switched_off(owner: User, server: Receiver, settings: Settings) -> None:
    settings.PIXORA_PUBLIC_URL = "https://photos.example.org"
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
