"""Webhooks by API and on their owner's pages."""

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from galleries.flows import delivery as delivery_flow
from galleries.flows import event as event_flow
from galleries.flows import webhook as webhook_flow
from galleries.models import Album, ApiToken, Delivery, User, Webhook
from tests.conftest import PASSWORD, api_of, browser_of
from tests.pages import text_of
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db
V1 = "/api/v1/webhooks/"


@pytest.fixture
def webhook(owner: User, server: Receiver) -> Webhook:
    return webhook_flow.make(owner, url=server.url, events=["photo.ready"], name="Studio")[0]


def post(client: APIClient, path: str, **said: Any) -> Any:
    return client.post(path, said, format="json")


# The API


def test_a_webhook_is_made_shown_changed_and_deleted(owner_api: APIClient, album: Album, server: Receiver) -> None:
    sent = {"name": "Studio", "url": server.url, "events": ["album.ready", "photo.ready"], "albums": [str(album.pk)]}
    made = post(owner_api, V1, **sent)
    assert made.status_code == 201
    told = made.json()
    secret = told.pop("secret")
    assert secret.startswith("whsec_")
    assert {name: told[name] for name in sent} == sent
    assert (told["active"], told["switched_off_because"]) == (True, "")
    one = f"{V1}{told['id']}/"
    assert owner_api.get(one).json() == told
    assert owner_api.get(V1).json()["results"] == [told]
    changed = owner_api.patch(one, {"events": ["erase.done"], "active": False, "albums": None}, format="json").json()
    assert changed["events"] == ["erase.done"]
    assert (changed["albums"], changed["active"], changed["switched_off_because"]) == (None, False, "owner")
    assert changed["url"] == server.url
    assert owner_api.patch(one, {"active": True}, format="json").json()["active"] is True
    fresh = owner_api.post(f"{one}secret/").json()["secret"]
    assert fresh != secret
    assert owner_api.delete(one).status_code == 204
    assert owner_api.get(one).status_code == 404


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"url": "https://example.org/", "events": []}, "events"),
        ({"url": "https://example.org/", "events": ["photo.liked"]}, "events"),
        ({"url": "https://example.org/"}, "events"),
        ({"events": ["photo.ready"]}, "url"),
        ({"url": "https://example.org/", "events": ["photo.ready"], "albums": ["no id"]}, "albums"),
    ],
)
def test_what_does_not_fit_is_named(owner_api: APIClient, said: dict[str, Any], field: str) -> None:
    answer = post(owner_api, V1, **said)
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_what_was_read_of_a_bound_webhook_and_is_sent_back_does_not_widen_it(
    owner_api: APIClient, webhook: Webhook, album: Album
) -> None:
    one = f"{V1}{webhook.pk}/"
    assert owner_api.get(one).json()["albums"] is None
    webhook_flow.change(webhook, albums=[album])
    album.delete()
    told = owner_api.get(one).json()
    assert told["albums"] == []
    for answer in (owner_api.patch(one, told, format="json"), post(owner_api, V1, **told)):
        assert answer.status_code == 400
        assert "null for all" in answer.json()["errors"]["albums"][0]
    assert owner_api.patch(one, {"name": "A"}, format="json").json()["albums"] == []
    # Who wants all says so.
    assert owner_api.patch(one, {"albums": None}, format="json").json()["albums"] is None
    webhook.refresh_from_db()
    assert not webhook.is_bound
    assert post(owner_api, V1, url=webhook.url, events=["photo.ready"], albums=None).json()["albums"] is None


def test_an_album_of_another_s_is_none(owner_api: APIClient, other_owner: User, server: Receiver) -> None:
    foreign = Album.objects.create(owner=other_owner, title="Foreign")
    said = {"url": server.url, "events": ["photo.ready"]}
    answers = [post(owner_api, V1, albums=[pk], **said) for pk in (str(foreign.pk), "0" * 8 + str(foreign.pk)[8:])]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert not Webhook.objects.exists()


def test_a_bad_address_is_refused_in_words(owner_api: APIClient, settings: Settings) -> None:
    settings.PIXORA_WEBHOOK_NETWORKS = []
    for url in ("http://example.org/", "https://192.168.0.1/", "https://0x7f.1/"):
        answer = post(owner_api, V1, url=url, events=["photo.ready"])
        assert (answer.status_code, answer.json()["code"]) == (400, "webhook_address")


def test_a_test_is_sent_and_logged_and_sent_again(owner_api: APIClient, webhook: Webhook, server: Receiver) -> None:
    made = owner_api.post(f"{V1}{webhook.pk}/test/")
    assert made.status_code == 202
    assert made.json()["state"] == "waiting"
    delivery_flow.work()
    (logged,) = owner_api.get(f"{V1}{webhook.pk}/deliveries/").json()["results"]
    assert (logged["state"], logged["answer_status"], logged["kind"]) == ("sent", 200, "test")
    assert logged["payload"] == server.said[0]
    again = owner_api.post(logged["retry_url"])
    assert (again.status_code, again.json()["state"], again.json()["id"]) == (202, "waiting", logged["id"])
    delivery_flow.work()
    assert [each["id"] for each in server.said] == [logged["id"]] * 2


def test_what_is_switched_off_sends_nothing(owner_api: APIClient, webhook: Webhook) -> None:
    webhook_flow.switch(webhook, on=False)
    answer = owner_api.post(f"{V1}{webhook.pk}/test/")
    assert (answer.status_code, answer.json()["code"]) == (409, "webhook_off")


def test_a_token_for_one_album_knows_no_webhook(owner: User, album: Album, webhook: Webhook) -> None:
    token, secret = ApiToken.objects.create(user=owner)
    token.bind([album])
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {secret}")
    assert client.get(V1).json()["results"] == []
    assert client.get(f"{V1}{webhook.pk}/").status_code == 404
    assert post(client, V1, url="https://example.org/", events=["photo.ready"]).status_code == 403


def test_another_owner_finds_neither_webhook_nor_delivery(other_owner: User, webhook: Webhook) -> None:
    delivery, client = event_flow.try_out(webhook), api_of(other_owner)
    assert client.get(f"{V1}{webhook.pk}/deliveries/").status_code == 404
    assert client.post(f"/api/v1/deliveries/{delivery.pk}/retry/").status_code == 404


def test_a_session_changes_what_is_told_after_its_password_only(
    desk: Client, webhook: Webhook, server: Receiver
) -> None:
    """As on the pages; the switch, a test and the end of it want none."""
    one = f"{V1}{webhook.pk}/"
    kind: dict[str, Any] = {"content_type": "application/json"}
    made = {"url": server.url, "events": ["photo.ready"]}

    def answers() -> list[tuple[int, str]]:
        asked = [desk.post(V1, made, **kind), desk.patch(one, {"url": f"{server.url}new"}, **kind)]
        asked += [desk.patch(one, {"events": ["erase.done"]}, **kind), desk.post(f"{one}secret/")]
        return [(answer.status_code, answer.json().get("code", "")) for answer in asked]

    before = Webhook.objects.values().get()
    assert answers() == [(403, "reauthenticate")] * 4
    assert Webhook.objects.values().get() == before
    assert desk.patch(one, {"active": False}, **kind).status_code == 200
    assert desk.post(reverse("account_reauthenticate"), {"password": PASSWORD}).status_code == 302
    assert [status for status, _ in answers()] == [201, 200, 200, 200]
    assert desk.delete(one).status_code == 204


# The pages


@pytest.fixture
def signed_in(desk: Client) -> Client:
    """Who has just given their password once more."""
    assert desk.post(reverse("account_reauthenticate"), {"password": PASSWORD}).status_code == 302
    return desk


def test_the_secret_is_shown_once(signed_in: Client, server: Receiver, album: Album) -> None:
    said = {"name": "Studio", "url": server.url, "events": ["photo.ready"], "albums": [str(album.pk)]}
    shown = signed_in.post(reverse("webhook-new"), said)
    webhook = Webhook.objects.get()
    (secret,) = webhook.secrets()
    assert secret in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    for name in ("webhook", "webhook-change"):
        assert secret not in signed_in.get(reverse(name, args=[webhook.pk])).content.decode()
    assert "Studio" in text_of(signed_in.get(reverse("webhooks")))
    newer = signed_in.post(reverse("webhook-secret", args=[webhook.pk]), {"confirmed": "yes"})
    webhook.refresh_from_db()
    assert webhook.secrets()[0] in newer.content.decode()
    assert webhook.secrets()[1] == secret


def test_a_bad_address_is_told_at_the_form(signed_in: Client, settings: Settings) -> None:
    settings.PIXORA_WEBHOOK_NETWORKS = []
    shown = signed_in.post(reverse("webhook-new"), {"url": "https://10.0.0.1/", "events": ["photo.ready"]})
    assert "leads into a private network" in text_of(shown)
    assert not Webhook.objects.exists()


def test_a_bound_webhook_does_not_become_one_for_all(signed_in: Client, webhook: Webhook, album: Album) -> None:
    webhook_flow.change(webhook, albums=[album])
    said = {"name": "", "url": webhook.url, "events": ["photo.ready"]}
    shown = signed_in.post(reverse("webhook-change", args=[webhook.pk]), said)
    assert "Tick an album" in text_of(shown)
    signed_in.post(reverse("webhook-change", args=[webhook.pk]), said | {"albums": [str(album.pk)]})
    webhook.refresh_from_db()
    assert (webhook.name, webhook.is_bound) == ("", True)


def test_the_log_says_what_came_of_each(owner: User, webhook: Webhook, server: Receiver) -> None:
    desk, page = browser_of(owner), reverse("webhook", args=[webhook.pk])
    sent = desk.post(page, {"do": "test"})
    assert "on its way" in str(next(iter(get_messages(sent.wsgi_request))))
    server.status = 500
    delivery_flow.work()
    shown = text_of(desk.get(page))
    assert "1 attempt · It answered 500." in shown
    assert "failed once" in shown
    delivery = Delivery.objects.get()
    shown = text_of(desk.get(reverse("delivery", args=[delivery.pk])))
    assert str(delivery.pk) in shown
    assert "Tried again at" in shown
    server.status = 200
    desk.post(reverse("delivery", args=[delivery.pk]))
    delivery_flow.work()
    assert "taken" in text_of(desk.get(page))


def test_what_was_switched_off_says_since_when_and_why(owner: User, webhook: Webhook, server: Receiver) -> None:
    desk, page = browser_of(owner), reverse("webhook", args=[webhook.pk])
    desk.post(page, {"do": "test"})
    server.status = 410
    delivery_flow.work()
    assert "Its address answered 410: it is gone." in text_of(desk.get(page))
    assert "switched off" in text_of(desk.get(reverse("webhooks")))
    desk.post(page, {"do": "on"})
    webhook.refresh_from_db()
    assert webhook.is_on
    desk.post(page, {"do": "off"})
    assert "You switched it off." in text_of(desk.get(page))
    assert desk.post(reverse("webhook-delete", args=[webhook.pk])).status_code == 200
    assert Webhook.objects.exists()
    desk.post(reverse("webhook-delete", args=[webhook.pk]), {"confirmed": "yes"})
    assert not Webhook.objects.exists()
