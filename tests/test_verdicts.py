""" "That's me" counts on a photo of the result and on no other, whatever else happens at that moment."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from galleries.errors import Refusal
from galleries.flows import photo as photo_flow
from galleries.flows import selfie as selfie_flow
from galleries.models import Album, Link, Match, Photo, Selfie
from galleries.models.lease import from_now
from tests import pictures
from tests.conftest import Found, ready_photo, search
from tests.test_races import in_threads


@pytest.fixture
def found(searchable: Album, link: Link) -> Found:
    """A guest with one photo, in an album with two photos of somebody else."""
    ready_photo(searchable, name="mine.jpg")
    for number in pictures.STRANGERS[:2]:
        ready_photo(searchable, pictures.stranger_jpeg(number), f"{number}.jpg")
    return search(link, keep_me_posted="true")


def say(found: Found, photo: Any, verdict: str = "me") -> Any:
    path = f"/api/v1/selfies/{found.selfie.pk}/feedback/"
    return found.api.post(path, {"photo": str(photo), "verdict": verdict}, format="json")


def others(album: Album) -> list[Photo]:
    return list(album.photos.exclude(name="mine.jpg"))


def test_no_photo_outside_of_the_result_is_got_by_saying_so(found: Found, other_owner: Any) -> None:
    elsewhere = ready_photo(Album.objects.create(owner=other_owner, title="Other"), name="other.jpg")
    ids = [photo.pk for photo in others(found.selfie.album)] + [elsewhere.pk, uuid4()]
    answers = [say(found, pk, verdict) for pk in ids for verdict in ("me", "not_me")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1, "what is there and what is not are the same"
    assert Match.objects.count() == 1
    for pk in ids:
        assert [found.api.get(f"/api/v1/photos/{pk}/{kind}").status_code for kind in ("thumb", "original")] == [404] * 2


@pytest.mark.parametrize("change", [{"hidden": True}, {"state": "processing"}, {"state": "quarantined"}])
def test_a_photo_that_is_not_shown_any_more_is_none_of_the_result(found: Found, change: dict[str, Any]) -> None:
    photo = Photo.objects.get(name="mine.jpg")
    Photo.objects.filter(pk=photo.pk).update(**change)
    assert say(found, photo.pk).status_code == 404
    assert Match.objects.get().verdict == ""


def test_a_search_that_is_over_takes_no_word(found: Found) -> None:
    photo = Photo.objects.get(name="mine.jpg")
    Selfie.objects.update(expires_at=from_now(-1))
    assert say(found, photo.pk).status_code == 404


def test_said_while_the_search_runs_anew_it_counts_on_what_was_shown(found: Found) -> None:
    mine, other = Photo.objects.get(name="mine.jpg"), others(found.selfie.album)[0]
    Selfie.objects.update(wanted=True)
    at_work = Selfie.objects.claim()
    assert at_work
    looked_at = selfie_flow._find(at_work)
    assert say(found, mine.pk).status_code == 200
    assert say(found, other.pk).status_code == 404
    selfie_flow._finish(at_work, looked_at)
    assert list(Match.objects.values_list("photo__name", "verdict")) == [("mine.jpg", "me")]


def test_said_of_a_photo_that_the_new_search_no_longer_finds_it_comes_too_late(found: Found) -> None:
    mine = Photo.objects.get(name="mine.jpg")
    Selfie.objects.update(wanted=True)
    at_work = Selfie.objects.claim()
    assert at_work
    looked_at = selfie_flow._find(at_work)
    looked_at.matches.clear()
    selfie_flow._finish(at_work, looked_at)
    assert say(found, mine.pk).status_code == 404
    assert not Match.objects.exists()


def test_said_at_the_moment_of_withdrawal_nothing_of_it_is_left(found: Found) -> None:
    if connection.vendor == "sqlite":
        # In memory, as tests have it, it is locked for whoever comes second; on PostgreSQL this is run once more.
        return
    mine, wrong = Photo.objects.get(name="mine.jpg"), others(found.selfie.album)[0]
    # As requests have them: each its own.
    searches = [Selfie.objects.get() for _ in range(12)]

    def meddle() -> None:
        selfie = searches.pop()
        if len(searches) == 6:
            selfie_flow.withdraw(selfie)
        else:
            selfie_flow.judge(selfie, mine.pk if len(searches) % 2 else wrong.pk, "me")

    told = in_threads(12, meddle)
    assert {type(error) for error in told} <= {Refusal}
    assert not Match.objects.exists()
    assert found.api.get(f"/api/v1/photos/{mine.pk}/original").status_code == 404


def test_said_while_the_owner_hides_it_nothing_is_shown(found: Found) -> None:
    mine = Photo.objects.get(name="mine.jpg")
    assert say(found, mine.pk).status_code == 200
    photo_flow.hide(mine, hidden=True)
    assert found.api.get(f"/api/v1/photos/{mine.pk}/original").status_code == 404
    assert say(found, mine.pk).status_code == 404
