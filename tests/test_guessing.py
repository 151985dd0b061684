"""Guessing passwords: slowed down, exactly, and nobody else at the same address has to wait for it."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from galleries import access
from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.flows import guessing, upkeep, visit
from galleries.models import Album, Guesses, Link, User
from tests.conftest import PASSWORD
from tests.pages import text_of
from tests.test_races import in_threads

pytestmark = pytest.mark.django_db(transaction=True)
VENUE, HOME = "203.0.113.7", "198.51.100.9"


@pytest.fixture
def locked(searchable: Album) -> Link:
    return Link.make(searchable, password="lake")


def sign_in(user: User, password: str, address: str = VENUE) -> Any:
    return Client(REMOTE_ADDR=address).post(reverse("account_login"), {"login": user.email, "password": password})


def is_in(answer: Any) -> bool:
    return answer.status_code == 302 and answer["Location"] == reverse("albums")


def unlock(link: Link, password: str, address: str = VENUE) -> Any:
    path = f"/api/v1/links/{link.token}/unlock/"
    return APIClient().post(path, {"password": password}, format="json", REMOTE_ADDR=address)


def later(seconds: float) -> None:
    """As if so much time had gone by."""
    for row in Guesses.objects.all():
        row.used_until -= timedelta(seconds=seconds)
        row.save()


def fill(*what: str) -> None:
    """As if there had been tries enough to wait for hours."""
    Guesses.take(what, at_once=1, pace=30)
    Guesses.objects.about(*what).update(used_until=timezone.now() + timedelta(hours=8))


# Signing in


def test_after_five_wrong_passwords_one_waits_and_is_told_how_long(owner: User) -> None:
    assert [sign_in(owner, "wrong").status_code for _ in range(5)] == [200] * 5
    refused = sign_in(owner, PASSWORD)
    assert refused.status_code == 429, "the right one, too: otherwise guessing would go on"
    assert 0 < int(refused["Retry-After"]) <= 31
    assert "Too many wrong passwords. Try again in" in text_of(refused)
    assert PASSWORD not in refused.content.decode()
    later(31)
    assert is_in(sign_in(owner, PASSWORD)), "slowed down, not shut out"


def test_others_at_the_venue_and_the_owner_elsewhere_are_not_held_up(owner: User, other_owner: User) -> None:
    for _ in range(8):
        sign_in(owner, "wrong")
    assert is_in(sign_in(other_owner, PASSWORD))
    assert is_in(sign_in(owner, PASSWORD, HOME))


def test_a_flood_from_many_addresses_is_slowed_but_spares_where_the_owner_signed_in_lately(owner: User) -> None:
    assert is_in(sign_in(owner, PASSWORD, HOME))
    told = Counter(sign_in(owner, "wrong", f"203.0.113.{number}").status_code for number in range(60))
    assert told == {200: 50, 429: 10}
    assert sign_in(owner, PASSWORD, "203.0.113.99").status_code == 429
    assert is_in(sign_in(owner, PASSWORD, HOME))


def test_an_account_that_does_not_exist_is_slowed_alike(owner: User) -> None:
    nobody = User(email="nobody@example.org")
    assert [sign_in(nobody, "wrong").status_code for _ in range(6)] == [200] * 5 + [429]


def test_right_passwords_never_add_up(owner: User) -> None:
    assert all(is_in(sign_in(owner, PASSWORD)) for _ in range(12))


def test_asking_for_the_password_once_more_is_counted_too(owner: User, desk: Client) -> None:
    codes = [desk.post(reverse("account_reauthenticate"), {"password": "wrong"}).status_code for _ in range(6)]
    assert codes == [200] * 5 + [429]


def test_writing_the_address_in_capitals_gives_no_more_tries(owner: User) -> None:
    for _ in range(5):
        sign_in(owner, "wrong")
    assert sign_in(User(email=owner.email.upper()), "wrong").status_code == 429


# Passwords of links


def test_a_browser_has_five_tries_and_its_neighbour_gets_in_at_once(locked: Link) -> None:
    joker, neighbour = Client(REMOTE_ADDR=VENUE), Client(REMOTE_ADDR=VENUE)
    path = reverse("guest-link", args=[locked.token])
    for client in (joker, neighbour):
        client.get(path)
    codes = [joker.post(path, {"step": "unlock", "password": "sea"}).status_code for _ in range(30)]
    assert codes == [403] * 5 + [429] * 25
    answer = joker.post(path, {"step": "unlock", "password": "lake"})
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) <= 31
    assert neighbour.post(path, {"step": "unlock", "password": "lake"}).status_code == 302
    assert access.visible_to(Viewer(), Link).count() == 0


def test_whoever_has_no_name_shares_what_the_address_has(locked: Link) -> None:
    codes = Counter(unlock(locked, "sea").status_code for _ in range(70))
    assert codes == {403: 60, 429: 10}
    refused = unlock(locked, "lake")
    assert refused.json()["code"] == "too_many_guesses"
    assert int(refused["Retry-After"]) <= 13
    assert unlock(locked, "lake", HOME).status_code == 200
    assert unlock(Link.make(locked.album, password="lake"), "lake").status_code == 200


def test_three_hundred_guests_with_the_right_password_wait_for_nothing(locked: Link, settings: Any) -> None:
    assert {unlock(locked, "lake").status_code for _ in range(100)} == {200}
    assert unlock(locked, "sea").status_code == 403


def test_a_refusal_for_another_reason_costs_no_try(locked: Link) -> None:
    locked.max_uses = 1
    locked.save()
    assert unlock(locked, "lake").status_code == 200
    assert {unlock(locked, "lake").status_code for _ in range(70)} == {410}


def test_who_was_let_in_is_asked_for_nothing(locked: Link) -> None:
    key = unlock(locked, "lake").json()["guest_key"]
    fill("link", str(locked.pk), "address", VENUE)
    client = APIClient()
    client.credentials(HTTP_PIXORA_GUEST=key)
    path = f"/api/v1/links/{locked.token}/unlock/"
    assert client.post(path, {"password": ""}, format="json", REMOTE_ADDR=VENUE).status_code == 200


# In a crowd: on PostgreSQL, where transactions meet; in memory SQLite lets one in after the other


def test_of_fifty_guesses_at_once_exactly_so_many_are_looked_at(owner: User, locked: Link) -> None:
    if connection.vendor == "sqlite":
        return
    looked_at: list[int] = []

    def guess_account() -> None:
        with guessing.at_account(owner.email, VENUE):
            looked_at.append(1)

    told = in_threads(50, guess_account)
    assert Counter(error.code for error in told if isinstance(error, Refusal)) == {"too_many_guesses": 45}
    assert len(looked_at) == 5
    refused = in_threads(20, lambda: visit.enter(locked, Viewer(address=VENUE), "sea", browser="joker"))
    codes = Counter(error.code for error in refused if isinstance(error, Refusal))
    assert codes == {"wrong_password": 5, "too_many_guesses": 15}
    assert visit.enter(locked, Viewer(address=VENUE), "lake", browser="neighbour")[1]


def test_right_passwords_in_a_crowd_leave_no_trace(locked: Link) -> None:
    if connection.vendor == "sqlite":
        return
    assert in_threads(40, lambda: visit.enter(locked, Viewer(address=VENUE), "lake")) == []
    assert not Guesses.objects.filter(used_until__gt=timezone.now() + timedelta(seconds=1)).exists()


# What is kept


def test_nothing_kept_tells_address_or_account_and_it_goes(owner: User) -> None:
    sign_in(owner, "wrong")
    kept = str(list(Guesses.objects.values()))
    assert owner.email not in kept
    assert VENUE not in kept
    upkeep.drop_old()
    assert Guesses.objects.exists()
    later(3600)
    upkeep.drop_old()
    assert not Guesses.objects.exists()
