"""A deleted album: nothing of it is served or searched any more, and for seven days it can be had back."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from galleries import storage
from galleries.access import Viewer
from galleries.flows import album as album_flow
from galleries.flows import archive as archive_flow
from galleries.flows import photo as photo_flow
from galleries.flows import search_index, upkeep
from galleries.flows import selfie as selfie_flow
from galleries.models import Album, EmbeddingBlock, Face, Link, Match, Photo, Selfie, User
from tests import pictures
from tests.conftest import Found, add, browser_of, ready_photo, search, work_off
from tests.pages import browser_with, selfie_file, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def found(searchable: Album, link: Link) -> Found:
    ready_photo(searchable)
    return search(link, keep_me_posted="true")


def test_its_faces_searches_and_zips_go_at_once_and_its_photos_stay(found: Found, owner: User) -> None:
    album = found.selfie.album
    archive_flow.of_album(Viewer(owner), album, None, "original")
    album_flow.delete(album)
    for gone in (Face, EmbeddingBlock, Selfie, Match):
        assert not gone.objects.exists(), gone
    assert not album.archives.exists()
    photo = album.photos.get()
    assert (photo.state, photo.face_count, photo.wanted_engine) == ("ready", 0, "")
    assert storage.exists(photo.original_key)


def test_nothing_of_it_is_served_to_anybody(found: Found, owner: User, owner_api: APIClient, desk: Client) -> None:
    album, link = found.selfie.album, found.selfie.link
    visible = Link.make(album, can_browse=True)
    guest = browser_with(found)
    guest.post(reverse("guest-link", args=[visible.token]), {"step": "browse"})
    photo = album.photos.get()
    zips = [
        archive_flow.of_album(Viewer(owner), album, None, "original"),
        archive_flow.of_selfie(Viewer(guest=found.selfie.guest), found.selfie, None, "original"),
    ]
    paths = [reverse(name, args=[photo.pk]) for name in ("photo", "api:photo-thumb", "api:photo-preview")]
    paths += [reverse("api:photo-original", args=[photo.pk]), reverse("shared", args=[album.pk])]
    paths += [reverse("guest-link", args=[each.token]) for each in (link, visible)]
    paths += [reverse("selfie", args=[found.selfie.pk]), reverse("shared-listing", args=[album.pk])]
    paths += [reverse("api:archive", args=[each.pk]) for each in zips]
    own = [reverse(name, args=[album.pk]) for name in ("album", "album-listing", "album-progress", "album-link-new")]
    own += [reverse("link", args=[link.pk]), reverse("api:album", args=[album.pk]), reverse("api:link", args=[link.pk])]
    assert {client.get(path).status_code for client in (guest, desk) for path in paths} == {200, 404}
    assert owner_api.delete(reverse("api:album", args=[album.pk])).status_code == 204
    for client in (guest, desk, Client()):
        assert {path: client.get(path).status_code for path in paths} == dict.fromkeys(paths, 404)
    for path in own:
        assert desk.get(path).status_code == 404, path
    assert owner_api.get(reverse("api:albums")).json()["results"] == []
    assert album.title not in text_of(desk.get(reverse("albums")))
    sent = {"step": "selfie", "selfie": selfie_file(), "consent": "true"}
    assert guest.post(reverse("guest-link", args=[link.token]), sent).status_code == 404


def test_restoring_brings_back_photos_and_links_and_looks_for_faces_again(found: Found, desk: Client) -> None:
    album, link = found.selfie.album, found.selfie.link
    album_flow.delete(album)
    page = desk.get(reverse("albums-deleted"))
    assert "Summer party 1 photo" in text_of(page)
    answer = desk.post(reverse("album-restore", args=[album.pk]), follow=True)
    assert "faces are being looked for again" in text_of(answer)
    work_off()
    assert (Face.objects.count(), EmbeddingBlock.objects.count()) == (1, 1)
    assert search(link).selfie.matches.count() == 1
    assert desk.post(reverse("album-restore", args=[album.pk])).status_code == 404


def test_an_album_without_face_search_comes_back_without_it(album: Album, owner_api: APIClient) -> None:
    ready_photo(album)
    path = reverse("api:album-restore", args=[album.pk])
    assert owner_api.post(path).status_code == 404
    owner_api.delete(reverse("api:album", args=[album.pk]))
    assert owner_api.post(path).json()["face_search"] is False
    work_off()
    assert album.photos.get().state == "ready"
    assert not Face.objects.exists()


def test_workers_in_flight_write_no_faces_into_it(searchable: Album, link: Link) -> None:
    ready_photo(searchable)
    guest = browser_of(User.objects.create_user("gast@example.org"))
    sent = {"step": "selfie", "selfie": selfie_file(), "consent": "true"}
    guest.post(reverse("guest-link", args=[link.token]), sent)
    searching = Selfie.objects.claim()
    add(searchable, pictures.png(pictures.portrait()), "b.png")
    at_work = Photo.objects.claim()
    assert searching
    assert at_work
    looked_at, seen = photo_flow._look_at(at_work), selfie_flow._find(searching)
    album_flow.delete(searchable)
    photo_flow._keep(at_work, looked_at)
    selfie_flow._finish(searching, seen)
    assert not Face.objects.exists()
    assert not Match.objects.exists()
    assert not storage.exists(searching.scratch_key)
    assert searchable.photos.filter(state="ready").count() == 2


def test_its_waiting_photos_rest_until_it_is_back(searchable: Album) -> None:
    add(searchable, pictures.jpeg(pictures.portrait()))
    album_flow.delete(searchable)
    assert not Photo.objects.due().exists()
    with pytest.raises(Exception, match="deleted"):
        add(searchable, pictures.png(pictures.portrait()), "b.png")
    album_flow.restore(searchable)
    work_off()
    assert searchable.photos.get().face_count == 1


def test_a_worker_forgets_the_vectors_it_held(found: Found, owner: User) -> None:
    search_index.forget()
    again = search(found.selfie.link).selfie.album
    assert again.pk in search_index._held
    album_flow.delete(again)
    search_index._forget_ended()
    assert again.pk not in search_index._held


def test_it_is_deleted_for_good_after_a_second_word(album: Album, desk: Client, other_owner: User) -> None:
    photo = ready_photo(album)
    album_flow.delete(album)
    path = reverse("album-delete-for-good", args=[album.pk])
    assert browser_of(other_owner).post(path, {"confirmed": "yes"}).status_code == 404
    assert "1 photo and all links are deleted" in text_of(desk.post(path))
    desk.post(path, {"confirmed": "yes"})
    assert not Album.objects.exists()
    assert not storage.exists(photo.original_key)


def test_after_seven_days_it_goes_by_itself(album: Album, owner: User) -> None:
    photo = ready_photo(album)
    fresh = Album.objects.create(owner=owner, title="Fresh")
    for each in (album, fresh):
        album_flow.delete(each)
    Album.objects.filter(pk=album.pk).update(deleted_at=timezone.now() - timedelta(days=7, minutes=1))
    Album.objects.filter(pk=fresh.pk).update(deleted_at=timezone.now() - timedelta(days=6))
    upkeep.sweep()
    assert Album.objects.get() == fresh
    assert not storage.exists(photo.original_key)


def test_what_is_left_of_a_large_one_goes_by_itself(
    searchable: Album, desk: Client, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill: the step under way is undone, those before it are done, upkeep goes on; all see nothing."""
    monkeypatch.setattr(album_flow, "_STEP_PHOTOS", 2)
    photos = [
        ready_photo(searchable, pictures.png(pictures.portrait()[: 480 + seed]), f"{seed}.png") for seed in range(4)
    ]
    assert searchable.photos.count() == 5
    album_flow.delete_for_good(searchable, patience=0)
    assert searchable.photos.count() == 3
    assert not Face.objects.exists()
    assert not Selfie.objects.exists()
    assert all(found.api.get(f"/api/v1/photos/{photo.pk}/thumb").status_code == 404 for photo in photos)
    assert desk.post(reverse("album-restore", args=[searchable.pk])).status_code == 404
    album_flow.restore(searchable)
    upkeep.end_albums()
    assert not Album.objects.exists()
    assert not any(storage.exists(key) for photo in photos for key in photo.stored_keys())


def test_one_that_was_had_back_at_the_last_moment_stays(album: Album) -> None:
    photo = ready_photo(album)
    album_flow.delete(album)
    overdue = Album.objects.get(pk=album.pk)
    album_flow.restore(album)
    album_flow.delete_for_good(overdue)
    assert Album.objects.get() == album
    assert storage.exists(photo.original_key)


def test_two_who_delete_it_for_good_at_once_delete_it_once(album: Album) -> None:
    album_flow.delete(album)
    again = Album.objects.get(pk=album.pk)
    album_flow.delete_for_good(album)
    album_flow.delete_for_good(again)
    assert not Album.objects.exists()
