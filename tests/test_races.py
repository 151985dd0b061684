"""Two at once: owners, guests and workers at the same rows. Each test stops one of them in the middle of its work."""

import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from rest_framework.test import APIClient

from galleries import storage
from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.flows import album as album_flow
from galleries.flows import photo as photo_flow
from galleries.flows import reindex, upkeep, visit
from galleries.flows import selfie as selfie_flow
from galleries.models import Album, EmbeddingBlock, Erasure, Face, Guest, Link, Match, Photo, Selfie, User, Visit
from galleries.models.lease import from_now
from tests import pictures
from tests.conftest import add, ready_photo, search, work_off
from tests.pages import many_photos

pytestmark = pytest.mark.django_db(transaction=True)
BASIS: dict[str, Any] = {"basis": "contract", "attested": True}


def out_of_memory(*_: Any) -> NoReturn:
    raise MemoryError


def claimed_photo() -> Photo:
    photo = Photo.objects.claim()
    assert photo is not None
    return photo


def claimed_selfie(link: Link, **fields: str) -> Selfie:
    picture = SimpleUploadedFile("me.jpg", pictures.selfie_jpeg())
    APIClient().post(f"/api/v1/links/{link.token}/selfies/", {"selfie": picture, "consent": "true", **fields})
    selfie = Selfie.objects.claim()
    assert selfie is not None
    return selfie


def test_face_search_switched_on_while_a_worker_holds_the_photo(album: Album, owner: User) -> None:
    add(album, pictures.jpeg(pictures.portrait()))
    photo = claimed_photo()
    looked_at = photo_flow._look_at(photo)
    album_flow.switch_face_search(album, True, by=owner, **BASIS)
    photo_flow._keep(photo, looked_at)
    work_off()
    assert Face.objects.filter(photo=photo).count() == 1


def test_face_search_switched_off_while_a_worker_holds_the_photo(searchable: Album) -> None:
    add(searchable, pictures.jpeg(pictures.portrait()))
    photo = claimed_photo()
    looked_at = photo_flow._look_at(photo)
    album_flow.switch_face_search(searchable, False)
    photo_flow._keep(photo, looked_at)
    photo.refresh_from_db()
    assert (photo.state, photo.wanted_engine) == ("ready", "")
    assert not EmbeddingBlock.objects.exists()


@pytest.mark.parametrize("on", [True, False])
def test_an_upload_begun_before_the_switch_obeys_it(album: Album, owner: User, on: bool) -> None:
    if not on:
        album_flow.switch_face_search(album, True, by=owner, **BASIS)
    stale = Album.objects.get(pk=album.pk)
    album_flow.switch_face_search(album, on, by=owner, **BASIS)
    add(stale, pictures.jpeg(pictures.portrait()))
    work_off()
    assert Face.objects.count() == (1 if on else 0)


def test_a_new_title_does_not_switch_face_search_on_again(searchable: Album) -> None:
    stale = Album.objects.get(pk=searchable.pk)
    album_flow.switch_face_search(searchable, False)
    album_flow.describe(stale, title="New")
    searchable.refresh_from_db()
    assert (searchable.title, searchable.face_search, searchable.engine) == ("New", False, "")


def test_a_change_of_a_link_does_not_switch_it_on_again(link: Link) -> None:
    stale = Link.objects.get(pk=link.pk)
    visit.change_link(link, enabled=False)
    Link.objects.update(uses=5)
    visit.change_link(stale, can_download=False)
    link.refresh_from_db()
    assert (link.enabled, link.can_download, link.uses) == (False, False, 5)


def test_a_photo_deleted_during_a_search_is_left_out(searchable: Album, link: Link) -> None:
    kept, gone = ready_photo(searchable), ready_photo(searchable, pictures.png(pictures.portrait()), "b.png")
    selfie = claimed_selfie(link)
    found = selfie_flow._find(selfie)
    photo_flow.delete([gone])
    selfie_flow._finish(selfie, found)
    assert Match.objects.get().photo == kept


def test_a_passing_fault_leaves_a_finished_result_alone(
    searchable: Album, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready_photo(searchable)
    found = search(link, keep_me_posted="true")
    Selfie.objects.update(wanted=True)
    with monkeypatch.context() as broken:
        broken.setattr(selfie_flow.search_index, "of", out_of_memory)
        selfie_flow.work()
    found.selfie.refresh_from_db()
    assert (found.selfie.state, found.selfie.wanted, found.selfie.matches.count()) == ("done", True, 1)
    Selfie.objects.update(lease_until=from_now(-1))
    work_off()
    found.selfie.refresh_from_db()
    assert (found.selfie.state, found.selfie.wanted, found.selfie.attempts) == ("done", False, 0)


def test_a_passing_fault_of_a_first_search_is_tried_again_with_the_same_picture(
    searchable: Album, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready_photo(searchable)
    claimed_selfie(link)
    Selfie.objects.update(lease_until=None)
    with monkeypatch.context() as broken:
        broken.setattr(selfie_flow.search_index, "of", out_of_memory)
        selfie_flow.work()
    Selfie.objects.update(lease_until=from_now(-1))
    work_off()
    assert Selfie.objects.get().state == "done"
    assert Match.objects.count() == 1


def test_a_worker_that_lost_its_lease_takes_no_picture_from_the_next(searchable: Album, link: Link) -> None:
    ready_photo(searchable)
    slow = claimed_selfie(link)
    found = selfie_flow._find(slow)
    Selfie.objects.update(lease_until=from_now(-1))
    quick = Selfie.objects.claim()
    assert quick is not None
    selfie_flow._finish(slow, found)
    assert storage.exists(quick.scratch_key)
    selfie_flow.search(quick)
    assert Selfie.objects.get().state == "done"
    assert not storage.exists(quick.scratch_key)


def test_the_sweeper_takes_the_pictures_that_no_search_waits_for(
    searchable: Album, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = claimed_selfie(link)
    storage.write("selfies/left-by-a-crash", b"a face")
    monkeypatch.setattr(upkeep, "SCRATCH_SECONDS", -1)
    upkeep.sweep()
    assert storage.exists(waiting.scratch_key)
    assert not storage.exists("selfies/left-by-a-crash")


def test_a_guest_who_waits_comes_before_results_brought_up_to_date(searchable: Album, link: Link) -> None:
    search(link, keep_me_posted="true")
    Selfie.objects.update(wanted=True)
    picture = SimpleUploadedFile("me.jpg", pictures.selfie_jpeg())
    sent = APIClient().post(f"/api/v1/links/{link.token}/selfies/", {"selfie": picture, "consent": "true"}).json()
    claimed = Selfie.objects.claim()
    assert claimed is not None
    assert str(claimed.pk) == sent["id"]


def test_one_photo_added_and_one_deleted_during_a_search_is_noticed(searchable: Album, link: Link) -> None:
    """As many as before, and yet others."""
    gone = ready_photo(searchable, pictures.jpeg(pictures.faceless()), "coffee.jpg")
    selfie = claimed_selfie(link, keep_me_posted="true")
    found = selfie_flow._find(selfie)
    late = ready_photo(searchable)
    photo_flow.delete([gone])
    selfie_flow._finish(selfie, found)
    work_off()
    assert Match.objects.get().photo == late


def test_a_search_killed_before_it_looked_again_is_taken_up(
    searchable: Album, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    selfie = claimed_selfie(link, keep_me_posted="true")
    found = selfie_flow._find(selfie)
    late = ready_photo(searchable)
    with monkeypatch.context() as killed:
        killed.setattr(selfie_flow, "_rest_if_nothing_came", lambda selfie, seen: None)
        selfie_flow._finish(selfie, found)
    work_off()
    assert Match.objects.get().photo == late


def test_a_quarantined_photo_taken_up_again_gets_its_faces(searchable: Album) -> None:
    add(searchable, pictures.jpeg(pictures.portrait()))
    Photo.objects.update(attempts=10)
    photo_flow.work()
    assert Photo.objects.get().state == "quarantined"
    photo_flow.retry(searchable.photos.all())
    work_off()
    assert Face.objects.count() == 1


def test_a_ready_photo_whose_new_index_is_given_up_stays_ready(searchable: Album) -> None:
    photo = ready_photo(searchable)
    Photo.objects.update(attempts=10, wanted_engine=searchable.engine)
    photo_flow.work()
    photo.refresh_from_db()
    assert (photo.state, photo.wanted_engine, photo.face_count, photo.attempts) == ("ready", "", 1, 0)


def test_an_account_that_is_deleted_takes_its_guests_with_it(searchable: Album, link: Link) -> None:
    ready_photo(searchable)
    found = search(link)
    user = User.objects.create_user("gina@example.org")
    Guest.objects.update(user=user)
    user.delete()
    assert not Selfie.objects.exists()
    assert found.api.get(f"/api/v1/selfies/{found.selfie.pk}/").status_code == 401


def test_too_large_files_of_one_name_are_told_apart_and_never_an_error(album: Album, settings: Any) -> None:
    settings.PIXORA_MAX_FILE_BYTES = 10
    for _ in range(2):
        photo_flow.receive(album, "big.jpg", "a", [b"x" * 20])
        photo_flow.receive(album, "big.jpg", "b", [b"x" * 20])
    numbers = photo_flow.progress(album)
    assert (numbers["rejected"], numbers["duplicate"]) == (2, 2)


def test_what_is_refused_for_a_deleted_album_is_a_clear_404(album: Album) -> None:
    gone = Album.objects.get(pk=album.pk)
    album.delete()
    with pytest.raises(Refusal) as refused:
        add(gone, pictures.html(), "page.jpg")
    assert refused.value.status == 404


def in_threads(count: int, work: Any) -> list[BaseException]:
    """Run at once in threads with connections of their own; returns what was raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def run() -> None:
        try:
            start.wait()
            work()
        except BaseException as error:  # noqa: BLE001 (handed to the test)
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_an_album_is_deleted_while_workers_finish_its_photos(owner: User) -> None:
    if connection.vendor == "sqlite":
        # One transaction writes at a time; test_postgres runs it where they meet.
        return
    for _ in range(4):
        album = Album.objects.create(owner=owner, title="A")
        album_flow.switch_face_search(album, True, by=owner, **BASIS)
        held = []
        for shade in range(2):
            picture = pictures.portrait().copy()
            picture[0, 0] = shade
            add(album, pictures.png(picture), f"{shade}.png")
            photo = claimed_photo()
            held.append((photo, photo_flow._look_at(photo)))

        def finish_or_delete(album: Album = album, held: list[Any] = held) -> None:
            if held:
                photo_flow._keep(*held.pop())
            else:
                album_flow.delete_for_good(album)

        assert in_threads(3, finish_or_delete) == []
        work_off()
        assert not Photo.objects.exists()


def test_one_guest_entering_many_times_at_once_is_one_use(album: Album) -> None:
    if connection.vendor == "sqlite":
        return
    link, (guest, _) = Link.make(album), Guest.make()
    assert in_threads(4, lambda: visit.enter(link, Viewer(guest=guest))) == []
    link.refresh_from_db()
    assert (link.uses, Visit.objects.count()) == (1, 1)


def beginning_at(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, work: Callable[[], object]) -> list[Any]:
    """Let `work` begin in another thread as soon as this one calls place.name, which goes on once the other waits for
    a lock or is through. Returns the thread, to be joined, and what it raised.
    """
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 (handed to the test)
            errors.append(error)
        finally:
            connection.close()

    thread, called = threading.Thread(target=run), getattr(place, name)

    def held_up(*args: Any, **kwargs: Any) -> Any:
        if thread.ident is None:
            thread.start()
            while thread.is_alive() and not somebody_waits():
                time.sleep(0.01)
        return called(*args, **kwargs)

    monkeypatch.setattr(place, name, held_up)
    return [thread, errors]


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


def switch_off(album: Album) -> None:
    album_flow.switch_face_search(album, False)


@pytest.mark.parametrize("ended", [switch_off, album_flow.delete, album_flow.delete_for_good, reindex._switch])
def test_a_search_finishes_while_its_album_changes_as_a_whole(
    searchable: Album, link: Link, monkeypatch: pytest.MonkeyPatch, ended: Callable[[Album], None]
) -> None:
    if connection.vendor == "sqlite":
        return
    ready_photo(searchable)
    searchable.next_engine = searchable.engine
    selfie = claimed_selfie(link, keep_me_posted="true")
    found = selfie_flow._find(selfie)
    Selfie.objects.update(vectors=b"")
    change = transaction.atomic(lambda: ended(searchable))
    thread, errors = beginning_at(monkeypatch, selfie_flow, "_replace_matches", change)
    selfie_flow._finish(selfie, found)
    thread.join()
    assert errors == []


@pytest.mark.parametrize("ended", [switch_off, album_flow.delete, album_flow.delete_for_good])
def test_the_cover_is_deleted_while_its_album_changes_as_a_whole(
    searchable: Album, monkeypatch: pytest.MonkeyPatch, ended: Callable[[Album], None]
) -> None:
    if connection.vendor == "sqlite":
        return
    photo = ready_photo(searchable)
    album_flow.choose_cover(searchable, photo)
    thread, errors = beginning_at(monkeypatch, Erasure, "order", lambda: ended(searchable))
    photo_flow.delete([photo])
    thread.join()
    assert errors == []


def test_photos_are_hidden_in_the_order_in_which_others_lock_them(album: Album) -> None:
    if connection.vendor == "sqlite":
        return
    many_photos(album, 300)

    def lock() -> None:
        with transaction.atomic():
            list(Photo.objects.select_for_update().filter(album=album).order_by("pk"))

    for _ in range(10):
        works = [lock, lock, lambda: photo_flow.hide_all(album.photos.all(), hidden=True)]
        assert in_threads(3, lambda works=works: works.pop()()) == []


def test_a_photo_that_was_just_deleted_becomes_no_cover(album: Album) -> None:
    photo = ready_photo(album)
    photo_flow.delete([Photo.objects.get(pk=photo.pk)])
    with pytest.raises(Refusal) as refused:
        album_flow.choose_cover(album, photo)
    assert refused.value.status == 410
