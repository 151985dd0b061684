"""Leases and links against plain models of them, in sequences that nobody thinks of."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.http import Http404
from django.utils import timezone
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from galleries import access
from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.flows import album as album_flow
from galleries.flows import photo as photo_flow
from galleries.flows import quota, visit
from galleries.images import DecoderFault
from galleries.models import Album, Guest, Link, Photo, Usage, User
from galleries.models.lease import from_now
from galleries.models.photo import MAX_STRIKES
from tests.fuzzing import tell, tries

pytestmark = pytest.mark.django_db
STEPS = {"leases": 0, "links": 0}


class InOneTransaction(RuleBasedStateMachine):
    """Each sequence begins with what the one before has left: nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._transaction = transaction.atomic()
        self._transaction.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self._transaction.__exit__(None, None, None)


# Leases


@dataclass
class PlainPhoto:
    """What should be in the row."""

    state: str = "uploaded"
    attempts: int = 0
    strikes: int = 0
    # The number of the claim that holds it, if one does; and whether its lease, or its rest, is still running.
    holder: int | None = None
    runs: bool = False

    @property
    def is_due(self) -> bool:
        return self.state in ("uploaded", "processing") and not self.runs

    def give_back(self, state: str, *, rests: bool = False) -> None:
        self.state, self.holder, self.runs = state, None, rests


class Leases(InOneTransaction):
    """Three photos and any number of workers, who may be slow, die, end, and come back with what they have found."""

    @initialize()
    def begin(self) -> None:
        self.owner = User.objects.create_user("olga@example.org")
        self.album = Album.objects.create(owner=self.owner, title="A")
        self.plain: dict[Any, PlainPhoto] = {}
        self.claims: list[Photo] = []
        for number in range(3):
            facts = {"name": f"{number}.jpg", "sha256": f"{number:064}", "original_key": f"originals/{number}"}
            photo = Photo.objects.create(album=self.album, size=10, crc32=0, **facts)
            self.plain[photo.pk] = PlainPhoto()
        Usage.objects.create(user=self.owner)
        assert quota.recount(self.owner.pk)

    @rule()
    def a_worker_claims(self) -> None:
        due = [pk for pk, plain in self.plain.items() if plain.is_due]
        photo = Photo.objects.claim()
        assert (photo.pk if photo else None) == (due[0] if due else None)
        if photo:
            plain = self.plain[photo.pk]
            plain.state, plain.attempts, plain.holder, plain.runs = (
                "processing",
                plain.attempts + 1,
                len(self.claims),
                True,
            )
            self.claims.append(photo)
            assert (photo.attempts, photo.strikes, photo.state) == (plain.attempts, plain.strikes, plain.state)

    @rule(which=st.integers(0, 2))
    def time_passes(self, which: int) -> None:
        """Enough for a lease, or a rest, to be over. Its worker does not know."""
        pk = list(self.plain)[which % len(self.plain)]
        Photo.objects.filter(pk=pk, lease_until__isnull=False).update(lease_until=from_now(-1))
        self.plain[pk].runs = False

    def _claim(self, number: int) -> tuple[Photo, PlainPhoto | None]:
        """One of the last five claims, current or overtaken; and the photo if that claim still holds it."""
        number = max(0, len(self.claims) - 5) + number % min(5, len(self.claims))
        photo = self.claims[number]
        plain = self.plain.get(photo.pk)
        held = plain if plain and plain.holder == number else None
        assert Photo.objects.held(photo).exists() == (held is not None)
        return photo, held

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 4))
    def a_worker_is_done(self, number: int) -> None:
        photo, held = self._claim(number)
        assert photo_flow._settle(photo, state="ready", attempts=0, strikes=0) == (held is not None)
        if held:
            held.attempts = held.strikes = 0
            held.give_back("ready")

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 4))
    def a_worker_is_asked_to_end(self, number: int) -> None:
        photo, held = self._claim(number)
        assert Photo.objects.hand_back(photo, state="uploaded") == (held is not None)
        if held:
            held.attempts -= 1
            held.give_back("uploaded")

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 4), rest=st.sampled_from([0, 5]))
    def something_breaks_that_is_no_fault_of_the_photo(self, number: int, rest: int) -> None:
        photo, held = self._claim(number)
        assert Photo.objects.release(photo, rest_seconds=rest, state="uploaded") == (held is not None)
        if held:
            held.give_back("uploaded", rests=bool(rest))

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 4))
    def the_decoder_dies(self, number: int) -> None:
        photo, held = self._claim(number)
        photo_flow._strike(photo, DecoderFault("crash"))
        if held:
            strikes = max(held.strikes, 1) + 1
            if strikes >= MAX_STRIKES:
                held.give_back("quarantined")
            else:
                held.strikes = strikes
                held.give_back("uploaded", rests=True)

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 4))
    def it_is_no_photo(self, number: int) -> None:
        photo, held = self._claim(number)
        photo_flow._set_aside(photo, Photo.State.REJECTED, "damaged", "Damaged.")
        if held:
            held.give_back("rejected")

    @rule()
    def the_owner_has_them_tried_again(self) -> None:
        quarantined = [plain for plain in self.plain.values() if plain.state == "quarantined"]
        assert photo_flow.retry(self.album.photos.all()) == len(quarantined)
        for plain in quarantined:
            plain.attempts = plain.strikes = 0
            plain.give_back("uploaded")

    @precondition(lambda self: len(self.plain) > 1)
    @rule(which=st.integers(0, 2))
    def the_owner_deletes_one(self, which: int) -> None:
        pk = list(self.plain)[which % len(self.plain)]
        photo_flow.delete(Photo.objects.filter(pk=pk))
        del self.plain[pk]

    @invariant()
    def the_rows_are_as_the_model_says(self) -> None:
        STEPS["leases"] += 1
        rows = {row.pk: row for row in Photo.objects.all()}
        assert rows.keys() == self.plain.keys()
        for pk, plain in self.plain.items():
            row = rows[pk]
            assert (row.state, row.attempts, row.strikes) == (plain.state, plain.attempts, plain.strikes)
            assert (row.fence is not None) == (plain.holder is not None)
        held = [row.fence for row in rows.values() if row.fence]
        assert len(set(held)) == len(held)
        due = set(Photo.objects.due().values_list("pk", flat=True))
        assert due == {pk for pk, plain in self.plain.items() if plain.is_due}
        usage = Usage.objects.get()
        assert (usage.photos, usage.bytes) == (len(rows), 10 * len(rows))


# Links


@dataclass
class PlainLink:
    enabled: bool = True
    over: bool = False
    deleted: bool = False
    browse: bool = True
    password: str = ""
    most: int | None = None
    uses: int = 0
    # Guests who came by it, and whether they are let in.
    guests: dict[int, bool] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.enabled and not self.over and not self.deleted


PASSWORDS = st.sampled_from(["", "one", "two"])


class Links(InOneTransaction):
    """One link, an owner who changes their mind, and guests who come, come again, and know a password or do not."""

    @initialize()
    def begin(self) -> None:
        owner = User.objects.create_user("olga@example.org")
        self.album = Album.objects.create(owner=owner, title="A")
        facts = {"name": "a.jpg", "size": 1, "crc32": 0, "sha256": "a" * 64, "original_key": "originals/a"}
        self.photo = Photo.objects.create(album=self.album, state="ready", **facts)
        self.link = Link.make(self.album, can_browse=True)
        self.plain = PlainLink()
        self.guests: list[Guest] = []

    def _enter(self, viewer: Viewer, password: str) -> str:
        try:
            link = access.shared_link(self.link.token)
        except Http404:
            return "404"
        except Refusal as refusal:
            return refusal.code
        try:
            with transaction.atomic():
                guest, key = visit.enter(link, viewer, password)
        except Refusal as refusal:
            return refusal.code
        assert (key is None) == (viewer.guest is not None)
        if viewer.guest is None:
            self.guests.append(guest)
        return "in"

    def _expected(self, password: str, *, has_come: bool, let_in: bool) -> str:
        plain = self.plain
        if plain.deleted:
            return "404"
        if not plain.is_open:
            return "link_expired"
        if let_in:
            return "in"
        if plain.password and password != plain.password:
            return "wrong_password"
        if not has_come and plain.most is not None and plain.uses >= plain.most:
            return "link_used_up"
        return "in"

    @rule(password=PASSWORDS)
    def somebody_new_comes(self, password: str) -> None:
        expected = self._expected(password, has_come=False, let_in=False)
        before = len(self.guests)
        assert self._enter(Viewer(), password) == expected
        if expected == "in":
            self.plain.uses += 1
            self.plain.guests[before] = True

    @precondition(lambda self: self.guests)
    @rule(number=st.integers(0, 30), password=PASSWORDS)
    def a_guest_comes_again(self, number: int, password: str) -> None:
        number %= len(self.guests)
        expected = self._expected(password, has_come=True, let_in=self.plain.guests[number])
        assert self._enter(Viewer(guest=self.guests[number]), password) == expected
        if expected == "in":
            self.plain.guests[number] = True

    @rule(on=st.booleans())
    def the_owner_switches_it(self, on: bool) -> None:
        visit.change_link(self._stale(), enabled=on)
        self.plain.enabled = on

    @rule(hours=st.sampled_from([None, -1, 1]))
    def the_owner_sets_its_end(self, hours: int | None) -> None:
        visit.change_link(self._stale(), expires_at=hours and timezone.now() + timedelta(hours=hours))
        self.plain.over = hours == -1

    @rule(password=PASSWORDS)
    def the_owner_sets_a_password(self, password: str) -> None:
        visit.change_link(self._stale(), password=password)
        self.plain.password = password
        self.plain.guests = dict.fromkeys(self.plain.guests, not password)

    @rule(most=st.sampled_from([None, 1, 2, 5]))
    def the_owner_bounds_its_guests(self, most: int | None) -> None:
        visit.change_link(self._stale(), max_uses=most)
        self.plain.most = most

    @rule(browse=st.booleans())
    def the_owner_lets_them_browse(self, browse: bool) -> None:
        visit.change_link(self._stale(), can_browse=browse)
        self.plain.browse = browse

    @rule(deleted=st.booleans())
    def the_owner_deletes_the_album_or_has_it_back(self, deleted: bool) -> None:
        (album_flow.delete if deleted else album_flow.restore)(Album.objects.get(pk=self.album.pk))
        self.plain.deleted = deleted

    def _stale(self) -> Link:
        """As it was read before: what others changed since shall stay."""
        return self.link

    @invariant()
    def everybody_sees_what_they_may_and_no_more(self) -> None:
        STEPS["links"] += 1
        link = Link.objects.get(pk=self.link.pk)
        assert (link.uses, link.enabled, link.max_uses) == (self.plain.uses, self.plain.enabled, self.plain.most)
        assert Link.objects.open().exists() == self.plain.is_open
        for number, guest in enumerate(self.guests):
            viewer = Viewer(guest=guest)
            sees = self.plain.is_open and self.plain.browse and self.plain.guests[number]
            assert access.visible_to(viewer, Photo).exists() == sees
            assert access.downloadable_by(viewer).exists() == sees
            assert not access.visible_to(viewer, Album).exists()
        assert not access.visible_to(Viewer(), Photo).exists()


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.mark.parametrize(("machine", "long"), [(Leases, 1_500), (Links, 1_500)])
def test_whatever_happens_in_whatever_order_it_is_as_the_model_says(
    machine: type[RuleBasedStateMachine], long: int
) -> None:
    run_state_machine_as_test(machine, settings=hypothesis_settings(tries(12, long), stateful_step_count=30))
    tell(f"steps of state machines so far: {STEPS}")
    assert STEPS
