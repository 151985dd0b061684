"""Webhooks: which are told what, once it is true, and in which words; and what may be typed in."""

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from galleries import storage
from galleries.errors import Refusal
from galleries.flows import album as album_flow
from galleries.flows import event as event_flow
from galleries.flows import photo as photo_flow
from galleries.flows import selfie as selfie_flow
from galleries.flows import upkeep
from galleries.flows import webhook as webhook_flow
from galleries.models import Album, Delivery, Erasure, Link, Photo, Selfie, User
from galleries.models.webhook import Event
from tests import pictures
from tests.conftest import add, ready_photo, search, work_off
from tests.receiver import ALL, Receiver, deliver, listening

pytestmark = pytest.mark.django_db(transaction=True)


def pause_over(album: Album) -> None:
    """Half a minute in which nobody sent a photo; and a sweep."""
    Photo.objects.filter(album=album).update(received_at=timezone.now() - timedelta(seconds=31))
    upkeep.tell_of_ready_albums()


def events() -> list[str]:
    return list(Delivery.objects.order_by("created_at").values_list("kind", flat=True))


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


def test_what_is_said_is_ids_and_addresses_and_nothing_else(
    owner: User, album: Album, server: Receiver, settings: Settings
) -> None:
    settings.PIXORA_PUBLIC_URL = "https://photos.example.org"
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
