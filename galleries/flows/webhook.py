"""Webhooks, by their owner: made and shown their secret once, changed, switched on and off, tried out."""

import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from galleries import outside
from galleries.errors import Refusal
from galleries.models import Album, Delivery, User, Webhook
from galleries.models.deed import Verb

from . import deed, delivery, event
from .doorbell import ring

MOST_WEBHOOKS = 20
FORMER_SECRET_SECONDS = 24 * 3600


@transaction.atomic
def make(
    owner: User, *, url: str, events: Iterable[str], albums: Iterable[Album] = (), name: str = ""
) -> tuple[Webhook, str]:
    """The row and its secret, which nobody is shown again. No albums: all of the owner's."""
    require_address(url)
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)
    if owner.webhooks.count() >= MOST_WEBHOOKS:
        raise Refusal("too_many_webhooks", "This account has 20 webhooks already. Delete one first.")
    secret = _new_secret()
    made = Webhook(owner=owner, name=name, url=url, events=_once(events), sealed_secret=Webhook.seal(secret))
    made.save(force_insert=True)
    _bind(made, albums)
    deed.record(Verb.WEBHOOK_MADE, made)
    return made, secret


@transaction.atomic
def change(webhook: Webhook, *, events: Iterable[str] = (), albums: Iterable[Album] | None = None, **said: str) -> None:
    """What is said of its `name` and `url`, of its events and albums; all else stays."""
    if "url" in said:
        require_address(said["url"])
    if chosen := list(events):
        said["events"] = _once(chosen)
    for field, value in said.items():
        setattr(webhook, field, value)
    webhook.save(update_fields=list(said))
    if albums is not None:
        _bind(webhook, albums)
    deed.record(Verb.WEBHOOK_CHANGED, webhook, fields=sorted(said))


def _once(events: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(events))


def _bind(webhook: Webhook, albums: Iterable[Album]) -> None:
    chosen = list(albums)
    webhook.albums.set(chosen)
    webhook.is_bound = bool(chosen)
    webhook.save(update_fields=["is_bound"])


def require_address(url: str) -> None:
    """Raises Refusal for what can be seen to be wrong. What a name means is asked each time it is sent to."""
    try:
        place = outside.Place.of(url)
        trust = delivery.trust()
        trust.require(place, outside.numbers(place.host))
        if place.scheme != "https" and not (trust.plain_http or trust.networks):
            raise outside.NotAllowed(gettext_noop("The address must begin with https://."))
    except outside.NotAllowed as refused:
        raise Refusal("webhook_address", str(refused)) from None


@transaction.atomic
def switch(webhook: Webhook, *, on: bool) -> None:
    """Off: what waits to be told is given up. On: from now on, as if it had never failed."""
    if on:
        fresh = {"switched_off_because": "", "switched_off_at": None, "failures": 0, "rest_until": None}
        Webhook.objects.filter(pk=webhook.pk).update(**fresh)
    else:
        delivery.switch_off(webhook, Webhook.Ended.OWNER)
    deed.record(Verb.WEBHOOK_CHANGED, webhook, on=on)
    webhook.refresh_from_db()


@transaction.atomic
def rotate(webhook: Webhook) -> str:
    """A new secret. For a day deliveries are signed with the one before as well."""
    secret = _new_secret()
    webhook.sealed_former_secret, webhook.sealed_secret = webhook.sealed_secret, Webhook.seal(secret)
    webhook.former_secret_until = timezone.now() + timedelta(seconds=FORMER_SECRET_SECONDS)
    webhook.save(update_fields=["sealed_former_secret", "sealed_secret", "former_secret_until"])
    deed.record(Verb.WEBHOOK_CHANGED, webhook, fields=["secret"])
    return secret


def _new_secret() -> str:
    return f"whsec_{secrets.token_urlsafe(32)}"


@transaction.atomic
def delete(webhook: Webhook) -> None:
    # Locked first: what it is just being told is then there to be deleted with it.
    Webhook.objects.select_for_update().filter(pk=webhook.pk).first()
    deed.record(Verb.WEBHOOK_DELETED, webhook)
    webhook.delete()


@transaction.atomic
def send_test(webhook: Webhook) -> Delivery:
    _wake(webhook)
    return event.try_out(webhook)


@transaction.atomic
def send_again(sent: Delivery) -> None:
    """The very same once more, by the same id."""
    _wake(sent.webhook)
    Delivery.objects.filter(pk=sent.pk).send_again()
    ring(delivery.work)
    sent.refresh_from_db()


def _wake(webhook: Webhook) -> None:
    """Its owner says that its address is well. Raises Refusal where it is switched off."""
    if not Webhook.objects.filter(pk=webhook.pk, switched_off_because="").update(rest_until=None):
        raise Refusal("webhook_off", "This webhook is switched off. Switch it on first.", status=409)
