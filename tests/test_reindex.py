"""An album moves to another engine: nothing mixed, nothing interrupted, resumable, and back again."""

import io
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

import recognition
from galleries.flows import photo as photo_flow
from galleries.flows import reindex, upkeep
from galleries.models import Album, EmbeddingBlock, Face, Link, Photo
from tests import pictures
from tests.conftest import Found, add, ready_photo, search, work_off

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def photos(searchable: Album) -> list[Photo]:
    bright = pictures.jpeg((pictures.portrait() * 0.8).astype(np.uint8))
    return [ready_photo(searchable), ready_photo(searchable, bright, "b.jpg")]


@pytest.fixture
def other_engine(settings: Any, photos: list[Photo]) -> str:
    """Another detector, which frames faces its own way: its vectors are others."""
    settings.PIXORA_DETECTOR = "opencv"
    return recognition.engine().name


def names(found: Found) -> set[str]:
    return {photo["name"] for photo in found.api.get(f"/api/v1/selfies/{found.selfie.pk}/").json()["photos"]}


def test_searches_go_on_with_the_old_vectors_until_the_album_is_through(
    searchable: Album, link: Link, other_engine: str
) -> None:
    old = searchable.engine
    reindex.begin(searchable, other_engine)
    photo_flow.work()
    searchable.refresh_from_db()
    assert (searchable.engine, searchable.next_engine) == (old, other_engine)
    assert EmbeddingBlock.objects.filter(engine=other_engine).count() == 1
    assert names(search(link)) == {"a.jpg", "b.jpg"}
    upkeep.sweep()
    searchable.refresh_from_db()
    assert (searchable.engine, searchable.next_engine) == (other_engine, "")
    assert names(search(link)) == {"a.jpg", "b.jpg"}
    assert list(searchable.photos.values_list("face_count", flat=True)) == [1, 1]


def test_a_photo_that_comes_meanwhile_gets_vectors_of_both_and_is_found_at_once(
    searchable: Album, link: Link, other_engine: str
) -> None:
    found = search(link, keep_me_posted="true")
    reindex.begin(searchable, other_engine)
    photo = add(searchable, pictures.png(pictures.portrait()), "c.png").photo
    work_off()
    assert EmbeddingBlock.objects.filter(photo=photo).values_list("engine", flat=True)[0] == searchable.engine
    assert "c.png" in names(found)
    upkeep.sweep()
    work_off()
    upkeep.sweep()
    searchable.refresh_from_db()
    assert searchable.engine == other_engine
    assert set(EmbeddingBlock.objects.filter(photo=photo).values_list("engine", flat=True)) == {
        other_engine, *Face.objects.exclude(engine=other_engine).values_list("engine", flat=True),
    }  # fmt: skip


def test_a_watching_search_goes_on_after_the_switch(searchable: Album, link: Link, other_engine: str) -> None:
    found = search(link, keep_me_posted="true")
    reindex.begin(searchable, other_engine)
    work_off()
    upkeep.sweep()
    work_off()
    assert names(found) == {"a.jpg", "b.jpg"}
    add(searchable, pictures.png(pictures.portrait()), "later.png")
    work_off()
    assert names(found) == {"a.jpg", "b.jpg", "later.png"}


def test_begun_again_it_does_only_what_is_left_and_going_back_takes_nothing(
    searchable: Album, other_engine: str
) -> None:
    old = searchable.engine
    reindex.begin(searchable, other_engine)
    photo_flow.work()
    reindex.begin(searchable, other_engine)
    assert Photo.objects.due().count() == 1
    reindex.begin(searchable, old)
    searchable.refresh_from_db()
    assert (searchable.engine, searchable.next_engine, Photo.objects.due().count()) == (old, "", 0)
    reindex.begin(searchable, other_engine)
    work_off()
    upkeep.sweep()
    reindex.begin(searchable, old)
    searchable.refresh_from_db()
    assert (searchable.engine, searchable.next_engine) == (old, "")


def test_the_command_moves_all_albums_and_forgets_on_request(searchable: Album, other_engine: str) -> None:
    call_command("reindex", "--background", stdout=io.StringIO())
    work_off()
    call_command("reindex", "--forget-old", stdout=io.StringIO())
    searchable.refresh_from_db()
    assert searchable.engine == other_engine
    assert set(EmbeddingBlock.objects.values_list("engine", flat=True)) == {other_engine}
    assert set(Face.objects.values_list("engine", flat=True)) == {other_engine}


def test_what_was_said_of_a_photo_survives_the_move(searchable: Album, link: Link, other_engine: str) -> None:
    found = search(link)
    wrong = Photo.objects.get(name="b.jpg")
    verdict = {"photo": str(wrong.pk), "verdict": "not_me"}
    found.api.post(f"/api/v1/selfies/{found.selfie.pk}/feedback/", verdict, format="json")
    reindex.begin(searchable, other_engine)
    work_off()
    upkeep.sweep()
    assert names(found) == {"a.jpg"}


def test_an_engine_whose_code_is_gone_is_not_asked_for(searchable: Album, link: Link) -> None:
    Album.objects.update(engine="centerface-onnx+dlib-onnx@0")
    add(searchable, pictures.jpeg(pictures.portrait()))
    work_off()
    assert EmbeddingBlock.objects.get().engine == recognition.engine().name
    found = search(link)
    assert found.api.get(f"/api/v1/selfies/{found.selfie.pk}/").json()["code"] == "engine_changed"
    with pytest.raises(recognition.UnknownEngine):
        recognition.engine("centerface-onnx+dlib-onnx@0")


def test_a_photo_that_is_given_up_holds_up_no_album(searchable: Album, link: Link, other_engine: str) -> None:
    reindex.begin(searchable, other_engine)
    Photo.objects.filter(name="b.jpg").update(attempts=10)
    work_off()
    upkeep.sweep()
    searchable.refresh_from_db()
    given_up = Photo.objects.get(name="b.jpg")
    assert (searchable.engine, searchable.next_engine) == (other_engine, "")
    assert (given_up.state, given_up.code, given_up.face_count, given_up.attempts) == ("ready", "gave_up", 0, 0)
    assert not Photo.objects.due().exists()
    assert names(search(link)) == {"a.jpg"}
