"""Deliveries: what happened is told to its webhook by a worker, from rows.

A delivery is sent at least once: where a worker dies between sending and noting it, the same bytes with the same id are
sent again. Whoever does not answer in time, or answers anything but 2xx, is tried again later, and left alone for a
while with all that waits for them; so what they get is in order, as far as that can be.
"""

import hashlib
import hmac
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from celery import shared_task
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from galleries import metrics, outside
from galleries.models import Delivery, Webhook
from galleries.models.lease import from_now

from .doorbell import ring

SIGNATURE_HEADER = "Pixora-Signature"
# A name that takes long to look up, a slow handshake and a slow answer together.
ATTEMPT_SECONDS = 6.0
# Of one ring, which upkeep's other duties wait behind: with its last attempts, 8 s.
RING_SECONDS = 2.0
AT_ONCE = 8
# With rests of up to an hour, these are a day and a half.
MOST_FAILURES = 40
_FIRST_REST_SECONDS, _LONGEST_REST_SECONDS = 30, 3600
# An answer that takes longer is slow; its address may then have a fifth of the time.
_SLOW_SECONDS, _SLOW_RESTS = 1.0, 4
_GONE = 410


def trust() -> outside.Trust:
    return outside.Trust(tuple(settings.PIXORA_WEBHOOK_NETWORKS), plain_http=settings.DEBUG)


@transaction.atomic
def switch_off(webhook: Webhook, because: str) -> None:
    """What waits to be told is given up."""
    off = Webhook.objects.filter(pk=webhook.pk, switched_off_because="")
    off.update(switched_off_because=because, switched_off_at=Now(), failures=0, rest_until=None)
    ended = {"given_up_at": Now(), "last_error": gettext_noop("The webhook was switched off.")}
    webhook.deliveries.all().waiting().update_in_order(**ended, fence=None, lease_until=None)


@dataclass
class _Attempt:
    """All that it needs is read before, and its thread asks no database."""

    delivery: Delivery
    url: str
    headers: dict[str, str]
    status: int | None = None
    error: str = ""
    seconds: float = ATTEMPT_SECONDS
    thread: threading.Thread = field(init=False)

    def begin(self) -> None:
        # Of a name that nobody resolves, the thread outlives the attempt, and must not keep the process.
        self.thread = threading.Thread(target=self._send, daemon=True)
        self.thread.start()

    def _send(self) -> None:
        started = time.monotonic()
        try:
            place = outside.Place.of(self.url)
            body = self.delivery.body.encode()
            self.status = outside.post(place, body, self.headers, trust=trust(), seconds=ATTEMPT_SECONDS)
        except outside.Unsent as unsent:
            self.error = str(unsent)
        self.seconds = time.monotonic() - started

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def words(self) -> str:
        if self.status is None:
            return self.error or gettext_noop("There was no answer in time.")
        if 300 <= self.status < 400:
            return gettext_noop("It answered with another address, and is not followed there.")
        return f"It answered {self.status}."


@shared_task
def work() -> None:
    """One ring: as much as can be told in a moment, to several addresses at once."""
    enough = time.monotonic() + RING_SECONDS
    while time.monotonic() < enough and (attempts := _begun()):
        finished_by = time.monotonic() + ATTEMPT_SECONDS
        for attempt in attempts:
            attempt.thread.join(max(0.0, finished_by - time.monotonic()))
            _note(attempt)
    if Delivery.objects.due().exists():
        ring(work)


def _begun() -> list[_Attempt]:
    attempts: list[_Attempt] = []
    while len(attempts) < AT_ONCE and (delivery := Delivery.objects.claim()):
        try:
            attempt = _Attempt(delivery, delivery.webhook.url, _headers(delivery))
        except InvalidToken:
            Delivery.objects.give_up(delivery, gettext_noop("The secret can no longer be read. Make a new one."))
            continue
        attempt.begin()
        attempts.append(attempt)
    return attempts


def _headers(delivery: Delivery) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "User-Agent": "Pixora-Webhook/1",
        "Pixora-Event": delivery.kind,
        "Pixora-Delivery": str(delivery.pk),
        SIGNATURE_HEADER: signature(int(time.time()), delivery.body.encode(), delivery.webhook.secrets()),
    }


def signature(seconds: int, body: bytes, keys: Iterable[str]) -> str:
    """`t=<seconds>,v1=<hex>`, and one more v1 for each further key."""
    signed = str(seconds).encode() + b"." + body
    sums = (hmac.new(key.encode(), signed, hashlib.sha256).hexdigest() for key in keys)
    return ",".join([f"t={seconds}", *(f"v1={each}" for each in sums)])


@transaction.atomic
def _note(attempt: _Attempt) -> None:
    delivery = attempt.delivery
    webhook = Webhook.objects.select_for_update(no_key=True).filter(pk=delivery.webhook_id).first()
    if webhook is None:
        return
    tried = {"answer_status": attempt.status, "tried_at": Now()}
    if attempt.is_taken:
        Delivery.objects.mark_sent(delivery, **tried)
        slow = attempt.seconds > _SLOW_SECONDS
        _rest(webhook, attempt.seconds * _SLOW_RESTS if slow else 0, failures=0)
    elif attempt.status == _GONE:
        Delivery.objects.give_up(delivery, attempt.words, **tried)
        switch_off(webhook, Webhook.Ended.GONE)
    else:
        Delivery.objects.mark_failed(delivery, attempt.words, **tried)
        _count_failure(webhook)
    metrics.count("deliveries", outcome="sent" if attempt.is_taken else "failed")


def _count_failure(webhook: Webhook) -> None:
    failures = webhook.failures + 1
    if failures >= MOST_FAILURES:
        switch_off(webhook, Webhook.Ended.FAILING)
    else:
        rest = min(_FIRST_REST_SECONDS * 2 ** (failures - 1), _LONGEST_REST_SECONDS)
        _rest(webhook, rest, failures=failures)


def _rest(webhook: Webhook, seconds: float, *, failures: int) -> None:
    if seconds or webhook.rest_until or failures != webhook.failures:
        until = from_now(seconds) if seconds else None
        Webhook.objects.filter(pk=webhook.pk).update(failures=failures, rest_until=until)
