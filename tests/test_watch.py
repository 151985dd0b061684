"""Searching under watch: budgets, the owner's audit, alerts, and a breaker that slows the source and nobody else.

The engine looks at each distinct picture once (`quick_eyes`); what is decided of its vectors is the workers' own code.
"""

import os
from collections import Counter
from collections.abc import Iterable
from itertools import cycle, islice
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

import recognition
from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.flows import selfie as selfie_flow
from galleries.flows import upkeep, watch
from galleries.models import Album, Alert, Guest, GuestSearches, Link, Match, NewGuests, Photo, SearchRecord, Selfie
from galleries.models.lease import from_now
from tests import pictures
from tests.conftest import add, browser_of, guest_api, search, work_off
from tests.pages import text_of

LONG = os.environ.get("FUZZ") == "long"
# How many strangers' selfies an enumerator brings.
MANY = 1000 if LONG else 45
SEEN: dict[tuple[bytes, str], Any] = {}
HOME, ELSEWHERE = "203.0.113.7", "198.51.100.9"


@pytest.fixture
def quick_eyes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Embeds by the real engine, and remembers it by the pixels; FUZZ=long embeds each picture anew."""
    if LONG:
        return
    embed = recognition.embed_selfie

    def remembering(pixels: Any, engine: str = "") -> Any:
        key = pixels.tobytes(), engine
        if key not in SEEN:
            SEEN[key] = embed(pixels, engine)
        return SEEN[key]

    monkeypatch.setattr(recognition, "embed_selfie", remembering)


@pytest.fixture
def party(searchable: Album) -> Album:
    """One photo of each of fifteen strangers, whom nothing but chance made guests of this album."""
    for number in pictures.STRANGERS:
        add(searchable, pictures.stranger_jpeg(number), f"{number}.jpg")
    work_off()
    assert Photo.objects.filter(state="ready", face_count=1).count() == len(pictures.STRANGERS)
    return searchable


def strangers(count: int) -> Iterable[bytes]:
    selfies = [pictures.stranger_jpeg(number, selfie=True) for number in pictures.STRANGERS]
    return islice(cycle(selfies), count)


def attempt(link: Link, viewer: Viewer, data: bytes) -> str:
    """A selfie by the flow that page and API share, and what becomes of it: an outcome or a refusal's code."""
    try:
        selfie, _ = selfie_flow.receive(link, viewer, [data], consent=True, keep_me_posted=False)
    except Refusal as refusal:
        return refusal.code
    work_off()
    selfie.refresh_from_db()
    return selfie.code or selfie.state


def photos_shown() -> set[str]:
    return set(Match.objects.in_result().values_list("photo__name", flat=True))


# Enumeration


def test_strangers_selfies_by_one_guest_show_at_most_one_strangers_photos(
    party: Album, link: Link, settings: Any, quick_eyes: None
) -> None:
    """Without the budget of a day and without being slowed, that the person alone is seen to hold."""
    settings.PIXORA_SEARCHES_A_DAY = 10 * MANY
    viewer = Viewer(guest=Guest.make()[0], address=HOME)
    told: Counter[str] = Counter()
    for data in strangers(MANY):
        Alert.objects.update(next_search_at=from_now(-1))
        told[attempt(link, viewer, data)] += 1
    first = f"{pictures.STRANGERS[0]}.jpg"
    assert photos_shown() == {first}
    assert set(told) == {"done", "another_person"}
    assert told["done"] == -(-MANY // len(pictures.STRANGERS))
    assert Alert.objects.filter(sign=Alert.Sign.OTHER_FACES, guest_label__gt="").count() == 1


def test_with_its_budget_and_slowed_one_guest_gets_no_further(party: Album, link: Link, quick_eyes: None) -> None:
    viewer = Viewer(guest=Guest.make()[0], address=HOME)
    told = Counter(attempt(link, viewer, data) for data in strangers(40))
    assert told == {"done": 1, "another_person": 5, "slowed_down": 34}
    Alert.objects.all().delete()
    SearchRecord.objects.all().delete()
    told = Counter(attempt(link, viewer, data) for data in strangers(40))
    assert told["searches_used_up"] == 40 - 4


def test_withdrawing_after_each_search_is_no_way_around(party: Album, link: Link, quick_eyes: None) -> None:
    viewer = Viewer(guest=Guest.make()[0], address=HOME)
    told: Counter[str] = Counter()
    for data in strangers(40):
        Alert.objects.update(next_search_at=from_now(-1))
        told[attempt(link, viewer, data)] += 1
        for selfie in Selfie.objects.all():
            selfie_flow.withdraw(selfie)
    assert told == {"done": 10, "searches_used_up": 30}
    assert SearchRecord.objects.filter(began_anew=True).count() == 9
    assert Alert.objects.get().sign == Alert.Sign.OTHER_FACES


def test_a_new_guest_each_time_is_bounded_and_raises_the_alert(
    party: Album, link: Link, settings: Any, quick_eyes: None
) -> None:
    """A thousand against the budget as it is; the short form some against a smaller one."""
    settings.PIXORA_GUESTS_AN_HOUR = most = 300 if LONG else 20
    told = Counter(attempt(link, Viewer(address=HOME), data) for data in strangers(MANY))
    assert told == {"done": most, "too_many_guests": MANY - most}
    assert Guest.objects.count() == most
    alert = Alert.objects.get()
    assert (alert.sign, alert.guest_label, alert.is_slowing) == (Alert.Sign.MANY_GUESTS, "", False)
    # Elsewhere, and by another link, nobody notices.
    data = pictures.stranger_jpeg(pictures.STRANGERS[0], selfie=True)
    assert attempt(link, Viewer(address=ELSEWHERE), data) == "done"
    assert attempt(Link.make(party), Viewer(address=HOME), data) == "done"
    # An hour later there is a new budget; and as it goes on, it is used up slowly.
    NewGuests.objects.update(since=from_now(-3601))
    Alert.objects.update(created_at=from_now(-3601))
    assert Alert.objects.get().is_slowing
    again = Counter(attempt(link, Viewer(address=HOME), data) for _ in range(20))
    assert again == {"done": 1, "slowed_down": 19}


# The breaker


def record(link: Link, guest: Guest, outcome: str, network: str = HOME, **more: Any) -> Selfie:
    """A search that came out like this, by the code of web and worker."""
    expires = from_now(3600)
    selfie = Selfie.objects.create(album=link.album, link=link, guest=guest, expires_at=expires, **more)
    watch.note(selfie, network)
    watch.note_end(selfie, outcome)
    return selfie


def turn(link: Link, guest: Guest, network: str = HOME) -> int:
    """0, or the seconds that they have to wait."""
    try:
        watch.require_turn(link, guest, network)
    except Refusal as refusal:
        return refusal.retry_after or 0
    return 0


def test_a_crowd_with_some_friends_faces_raises_nothing(link: Link) -> None:
    """A large party behind one address: each finds themselves, some try again, and some try a friend's face."""
    for number in range(200):
        guest = Guest.objects.create()
        record(link, guest, "done")
        if number % 10 == 0:
            record(link, guest, "face_blurred")
        if number % 20 == 0:
            record(link, guest, "another_person")
    assert not Alert.objects.exists()


def test_a_network_that_mostly_shows_others_raises_an_alert_and_is_slowed(link: Link) -> None:
    for _ in range(watch.MANY_REFUSED // 2):
        guest = Guest.objects.create()
        record(link, guest, "done")
        record(link, guest, "another_person")
        record(link, guest, "album_photo")
    assert [alert.sign for alert in Alert.objects.all()] == [Alert.Sign.MANY_REFUSED]
    stranger = Guest.objects.create()
    assert turn(link, stranger) == 0
    assert 25 <= turn(link, stranger) <= watch.NETWORK_PACE + 1
    assert turn(link, stranger, ELSEWHERE) == 0


def test_guests_who_are_known_are_never_slowed_with_their_network(party: Album, link: Link, quick_eyes: None) -> None:
    known = search(link, pictures.stranger_jpeg(pictures.STRANGERS[0], selfie=True)).selfie.guest
    facts = {"album": party, "link": link, "network_label": watch.label(party, HOME)}
    Alert.objects.create(**facts, sign=Alert.Sign.MANY_REFUSED, next_search_at=from_now(60))
    assert turn(link, Guest.objects.create()) > 50
    assert turn(link, known) == 0


def test_a_guest_who_tries_faces_is_slowed_alone(link: Link) -> None:
    guest = Guest.objects.create()
    for _ in range(watch.OTHER_FACES):
        record(link, guest, "another_person")
    assert turn(link, guest) == 0
    assert turn(link, guest) > 500
    assert turn(link, guest, ELSEWHERE) > 500, "wherever they are"
    assert turn(link, Guest.objects.create()) == 0


def test_an_alert_is_raised_once_slows_for_an_hour_and_goes_in_the_end(link: Link) -> None:
    guest = Guest.objects.create()
    for _ in range(watch.OTHER_FACES + 3):
        record(link, guest, "another_person")
    Alert.objects.update(next_search_at=from_now(60))
    assert turn(link, guest) > 0
    Alert.objects.get()
    Alert.objects.update(seen_at=from_now(-3601))
    assert turn(link, guest) == 0
    Alert.objects.update(seen_at=from_now(-31 * 86400))
    SearchRecord.objects.update(created_at=from_now(-31 * 86400))
    upkeep.drop_old()
    assert not Alert.objects.exists()
    assert not SearchRecord.objects.exists()


def test_what_the_owner_calls_harmless_slows_nobody_and_is_not_raised_again(link: Link) -> None:
    guest = Guest.objects.create()
    for _ in range(watch.OTHER_FACES):
        record(link, guest, "another_person")
    Alert.objects.update(next_search_at=from_now(60))
    watch.settle(Alert.objects.get())
    assert turn(link, guest) == 0
    record(link, guest, "another_person")
    assert Alert.objects.open().count() == 0


# The budget of a day


def send(guest: APIClient, link: Link) -> Any:
    body = {"selfie": SimpleUploadedFile("me.jpg", pictures.selfie_jpeg()), "consent": "true"}
    return guest.post(f"/api/v1/links/{link.token}/selfies/", body)


def test_a_guest_has_so_many_searches_a_day_withdrawn_or_not(link: Link, settings: Any) -> None:
    settings.PIXORA_SEARCHES_A_DAY = 3
    mine = guest_api(send(APIClient(), link).json()["guest_key"])
    for _ in range(2):
        selfie = send(mine, link).json()["id"]
        assert mine.delete(f"/api/v1/selfies/{selfie}/").status_code == 204
    refused = send(mine, link)
    assert (refused.status_code, refused.json()["code"]) == (429, "searches_used_up")
    assert 86_000 < int(refused["Retry-After"]) <= 86_401
    assert "Try again in 24 h" in refused.json()["detail"]
    assert send(APIClient(), link).status_code == 202, "another guest has a day of their own"
    GuestSearches.objects.update(since=from_now(-86_401))
    Selfie.objects.all().delete()
    assert send(mine, link).status_code == 202


def test_what_is_refused_for_another_reason_is_not_counted(link: Link, settings: Any) -> None:
    settings.PIXORA_SELFIES_WAITING = 1
    mine = guest_api(send(APIClient(), link).json()["guest_key"])
    assert send(mine, link).json()["code"] == "queue_full"
    assert GuestSearches.objects.get().count == 1


# What the owner sees


def test_the_audit_says_when_by_which_link_and_with_what_outcome_and_no_more(
    party: Album, link: Link, owner_api: APIClient, quick_eyes: None
) -> None:
    search(link, pictures.stranger_jpeg(pictures.STRANGERS[0], selfie=True))
    search(link, pictures.jpeg(pictures.faceless()))
    rows = owner_api.get(f"/api/v1/albums/{party.pk}/searches/").json()["results"]
    assert [(row["outcome"], row["photos"], row["link"]) for row in rows] == [
        ("no_face", 0, str(link.pk)),
        ("done", 1, str(link.pk)),
    ]
    known = {"id", "created_at", "link", "guest_label", "network_label", "outcome", "photos", "is_repeat", "began_anew"}
    assert set(rows[0]) == known
    said = str(rows)
    assert "127.0.0.1" not in said
    assert all(str(guest.pk) not in said for guest in Guest.objects.all())
    assert len({row["guest_label"] for row in rows}) == 2
    assert len({row["network_label"] for row in rows}) == 1


def test_labels_mean_nothing_in_another_album(party: Album) -> None:
    other = Album.objects.create(owner=party.owner, title="Other")
    assert watch.label(party, HOME) != watch.label(other, HOME)


def test_the_page_shows_the_searches_page_by_page(link: Link, desk: Client) -> None:
    for _ in range(51):
        record(link, Guest.objects.create(), "another_person")
    path = reverse("album-searches", args=[link.album_id])
    first, second = text_of(desk.get(path)), text_of(desk.get(path + "?page=2"))
    assert "51 searches in the last 30 days" in first
    assert first.count("another person than before") == 50
    assert second.count("another person than before") == 1
    assert "127.0.0.1" not in first
    assert desk.get(path + "?page=nonsense").status_code == 200


def test_the_desk_tells_of_an_alert_until_it_is_settled(link: Link, desk: Client, other_owner: Any) -> None:
    guest = Guest.objects.create()
    for _ in range(watch.OTHER_FACES):
        record(link, guest, "another_person")
    album = reverse("album", args=[link.album_id])
    path = reverse("album-searches", args=[link.album_id])
    assert "There is 1 alert about strange searches" in text_of(desk.get(album))
    assert "One guest tries several faces" in text_of(desk.get(path))
    alert = Alert.objects.get()
    assert browser_of(other_owner).post(path, {"alert": alert.pk}).status_code == 404
    assert desk.post(path, {"alert": uuid4()}).status_code == 404
    assert desk.post(path, {"alert": "nonsense"}).status_code == 404
    assert desk.post(path, {"alert": alert.pk}).status_code == 302
    assert "alert about strange searches" not in text_of(desk.get(album))


def test_the_api_settles_an_alert_too(link: Link, owner_api: APIClient) -> None:
    guest = Guest.objects.create()
    for _ in range(watch.OTHER_FACES):
        record(link, guest, "album_photo")
    alerts = f"/api/v1/albums/{link.album_id}/alerts/"
    (alert,) = owner_api.get(alerts).json()["results"]
    assert (alert["sign"], alert["is_slowing"], alert["settled_at"]) == ("other_faces", True, None)
    assert not owner_api.post(f"{alerts}{alert['id']}/settle/").json()["is_slowing"]
    elsewhere = Album.objects.create(owner=link.album.owner, title="Other")
    assert owner_api.post(f"/api/v1/albums/{elsewhere.pk}/alerts/{alert['id']}/settle/").status_code == 404


# What an answer tells


def test_an_answer_holds_photos_only(party: Album, link: Link, quick_eyes: None) -> None:
    found = search(link, pictures.stranger_jpeg(pictures.STRANGERS[0], selfie=True), keep_me_posted="true")
    body = found.api.get(f"/api/v1/selfies/{found.selfie.pk}/").json()
    assert set(body) == {"id", "state", "photos", "scanned", "total"}
    (photo,) = body["photos"]
    known = {"id", "name", "tier", "thumb", "preview", "original", "taken_at", "width", "height"}
    assert set(photo) == known, "no distance, no box, no number of faces"
    page = found.api.get(f"/s/{found.selfie.pk}/").content.decode()
    assert page.count("data-box=") <= 1, "their own face's, to be shown where they are"
    assert f"{Match.objects.get().distance:.4f}"[:5] not in page
    assert "face_count" not in page
