"""Rows to be sent to the outside: claimed once, tried again, given up."""

import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, models
from django.db.models.functions import Now
from django.utils import timezone

from galleries.models.lease import from_now
from galleries.models.outgoing import LEASE_SECONDS, Outgoing, OutgoingQuerySet

pytestmark = pytest.mark.django_db(transaction=True)


class LetterQuerySet(OutgoingQuerySet["Letter"]):
    pass


class Letter(Outgoing):
    """What has nothing but what all have that are sent."""

    back_off_seconds = (30, 600)
    objects = LetterQuerySet.as_manager()

    class Meta(Outgoing.Meta):
        app_label = "tests"

    def __str__(self) -> str:
        return f"letter {self.pk}"


@pytest.fixture(autouse=True)
def letters(transactional_db: None) -> Iterator[None]:
    with connection.schema_editor() as editor:
        editor.create_model(Letter)
    yield
    with connection.schema_editor() as editor:
        editor.delete_model(Letter)


def claimed() -> Letter:
    letter = Letter.objects.claim()
    assert letter is not None
    return letter


def come(letter: Letter, **times: models.expressions.Combinable) -> None:
    Letter.objects.filter(pk=letter.pk).update(**times)


def wait_of(letter: Letter) -> timedelta:
    return Letter.objects.annotate(wait=models.F("due_at") - Now()).values_list("wait", flat=True).get(pk=letter.pk)


def test_a_new_row_is_due_and_claimed_once() -> None:
    letter = Letter.objects.create()
    first = claimed()
    assert (first.pk, first.attempts) == (letter.pk, 1)
    assert Letter.objects.claim() is None
    assert Letter.objects.waiting().count() == 1
    assert not Letter.objects.due().exists()


def test_a_row_for_later_is_left_alone() -> None:
    Letter.objects.create(due_at=timezone.now() + timedelta(hours=1))
    assert Letter.objects.claim() is None


def test_two_senders_claim_every_row_once() -> None:
    Letter.objects.bulk_create(Letter() for _ in range(40))

    def claim_all() -> list[int]:
        mine: list[int] = []
        while letter := Letter.objects.claim():
            mine.append(letter.pk)
        connection.close()
        return mine

    if connection.vendor == "sqlite":
        # In memory one connection serves all threads; between two of its claims another's is tried below.
        assert sorted(claim_all()) == sorted(Letter.objects.values_list("pk", flat=True))
        return
    with ThreadPoolExecutor(4) as pool:
        claims = [pk for mine in pool.map(lambda _: claim_all(), range(4)) for pk in mine]
    assert Counter(claims) == Counter(Letter.objects.values_list("pk", flat=True))


def test_who_chose_a_row_that_another_has_just_taken_takes_the_next() -> None:
    one, two = Letter.objects.create(), Letter.objects.create()
    # The same choice by two: the one update finds a row that is free, the other does not.
    chosen = Letter.objects.filter(pk=one.pk)
    assert Letter.objects.waiting().claim_first(chosen, LEASE_SECONDS) is not None
    assert Letter.objects.waiting().claim_first(chosen, LEASE_SECONDS) is None
    assert claimed().pk == two.pk


def test_a_row_whose_sender_died_is_taken_up_again() -> None:
    letter = Letter.objects.create()
    dead = claimed()
    come(letter, lease_until=from_now(-1))
    again = claimed()
    assert (again.pk, again.attempts) == (dead.pk, 2)
    assert Letter.objects.mark_sent(dead) is False
    assert Letter.objects.waiting().exists()
    assert Letter.objects.mark_sent(again) is True
    assert not Letter.objects.waiting().exists()


def test_a_failed_attempt_rests_longer_each_time_and_is_given_up_after_the_last() -> None:
    letter = Letter.objects.create()
    for seconds in (30, 600):
        assert Letter.objects.mark_failed(claimed(), "It is away.")
        assert timedelta(seconds=seconds - 10) < wait_of(letter) <= timedelta(seconds=seconds)
        assert Letter.objects.claim() is None
        come(letter, due_at=from_now(-1))
    assert Letter.objects.mark_failed(claimed(), "x" * 1000)
    letter.refresh_from_db()
    assert letter.given_up_at is not None
    assert (letter.attempts, len(letter.last_error)) == (3, 300)
    assert not Letter.objects.waiting().exists()
    assert Letter.objects.claim() is None


def test_a_row_that_kills_its_senders_is_given_up_and_the_next_goes_on() -> None:
    deadly = Letter.objects.create(attempts=3)
    harmless = Letter.objects.create()
    assert claimed().pk == harmless.pk
    deadly.refresh_from_db()
    assert deadly.given_up_at is not None


def test_what_was_given_up_or_sent_is_sent_again_from_the_beginning() -> None:
    Letter.objects.create(attempts=3, given_up_at=timezone.now(), last_error="away")
    Letter.objects.create(attempts=1, sent_at=timezone.now())
    assert Letter.objects.all().send_again() == 2
    assert (claimed().attempts, claimed().attempts) == (1, 1)


def test_who_sends_it_again_takes_it_from_who_holds_it() -> None:
    Letter.objects.create()
    held = claimed()
    Letter.objects.all().send_again()
    assert Letter.objects.mark_failed(held, "late") is False
    assert claimed().fence not in (None, held.fence, uuid.UUID(int=0))


def test_only_what_came_to_an_end_long_ago_is_over() -> None:
    Letter.objects.create()
    Letter.objects.create(sent_at=timezone.now())
    old = Letter.objects.create(sent_at=timezone.now() - timedelta(days=31))
    lost = Letter.objects.create(given_up_at=timezone.now() - timedelta(days=31))
    assert set(Letter.objects.over(30)) == {old, lost}


def test_no_row_is_both_sent_and_given_up() -> None:
    with pytest.raises(IntegrityError):
        Letter.objects.create(sent_at=timezone.now(), given_up_at=timezone.now())
