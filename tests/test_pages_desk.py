"""The photographer's pages over HTTP: albums, numbers, uploads, photos, links."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from galleries.models import Album, Link, Match, Photo, User
from tests import pictures
from tests.conftest import Found, add, ready_photo, search, work_off
from tests.pages import browser_with, many_photos, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def found(searchable: Album, link: Link) -> Found:
    """A guest whose search found the one portrait of an album that also has a picture without faces."""
    ready_photo(searchable)
    ready_photo(searchable, pictures.jpeg(pictures.faceless()), "coffee.jpg")
    return search(link)


def test_an_album_is_made_with_its_legal_basis(desk: Client) -> None:
    sent = {"title": "Party", "event_date": "2026-08-14", "face_search": "on", "basis": "contract", "attested": "on"}
    answer = desk.post(reverse("album-new"), sent)
    album = Album.objects.get()
    assert answer["Location"] == reverse("album", args=[album.pk])
    assert album.face_search
    assert album.legal_bases.get().basis == "contract"


def test_face_search_without_a_legal_basis_makes_no_album(desk: Client) -> None:
    answer = desk.post(reverse("album-new"), {"title": "Party", "face_search": "on"})
    assert "legal basis" in text_of(answer)
    assert not Album.objects.exists()


def test_an_album_without_a_title_keeps_its_old_one_on_the_page(desk: Client, album: Album) -> None:
    answer = desk.post(reverse("album-edit", args=[album.pk]), {"title": ""})
    assert "This field is required" in text_of(answer)
    assert Album.objects.get().title == "Summer party"


def test_face_search_is_switched_off_only_after_a_second_word(desk: Client, found: Found) -> None:
    path = reverse("album-face-search", args=[found.selfie.album_id])
    asked = desk.post(path, {"on": "no"})
    assert "deletes all face data" in text_of(asked)
    assert Album.objects.get().face_search
    desk.post(path, {"on": "no", "confirmed": "yes"})
    assert not Album.objects.get().face_search
    answer = browser_with(found).get(reverse("selfie", args=[found.selfie.pk]))
    assert "This search has ended" in text_of(answer)


def test_face_search_is_switched_on_with_a_basis_and_not_without(desk: Client, album: Album) -> None:
    path = reverse("album-face-search", args=[album.pk])
    assert "legal basis" in text_of(desk.post(path, {"on": "yes", "attested": "on"}))
    assert desk.post(path, {"on": "yes", "basis": "contract", "attested": "on"}).status_code == 302
    assert Album.objects.get().face_search


def test_an_album_goes_only_after_a_second_word(desk: Client, album: Album) -> None:
    path = reverse("album-delete", args=[album.pk])
    desk.post(path)
    assert Album.objects.present().exists()
    assert "has been deleted" in text_of(desk.post(path, {"confirmed": "yes"}, follow=True))
    assert not Album.objects.present().exists()


def test_upload_works_without_javascript_and_names_what_was_no_photo(desk: Client, album: Album) -> None:
    files = [
        SimpleUploadedFile("a.jpg", pictures.jpeg(pictures.portrait())),
        SimpleUploadedFile("again.jpg", pictures.jpeg(pictures.portrait())),
        SimpleUploadedFile("page.jpg", pictures.html()),
    ]
    answer = desk.post(reverse("album-upload", args=[album.pk]), {"file": files}, follow=True)
    assert "Received: 1. Here already: 1. Could not be used: 1." in text_of(answer)
    assert "page.jpg" in text_of(answer)
    assert "not a photo" in text_of(answer)


def numbers_of(answer: Any) -> dict[str, int]:
    progress = answer.content.decode().split('class="card live"')[0]
    rows = re.findall(r"<dt>([^<]+)</dt><dd>(\d+)</dd>", progress)
    return {name: int(number) for name, number in rows}


def test_the_numbers_add_up_while_waiting_and_afterwards(desk: Client, searchable: Album) -> None:
    add(searchable, pictures.jpeg(pictures.portrait()))
    add(searchable, pictures.jpeg(pictures.portrait()))
    add(searchable, pictures.html(), "page.jpg")
    path = reverse("album-progress", args=[searchable.pk])
    busy = desk.get(path)
    assert "every 2s" in busy.content.decode()
    work_off()
    quiet = desk.get(path)
    assert "every 2s" not in quiet.content.decode()
    for answer, ready in ((busy, 0), (quiet, 1)):
        numbers = numbers_of(answer)
        faces = numbers.pop("faces")
        assert numbers.pop("received") == sum(numbers.values()) == 3
        assert (numbers["came again"], numbers["no photo"], numbers["ready"]) == (1, 1, ready)
        assert faces == ready


def test_progress_tells_the_page_what_has_changed(desk: Client, album: Album) -> None:
    ready_photo(album)
    add(album, pictures.html(), "page.jpg")
    path = reverse("album-progress", args=[album.pk])
    stale = desk.get(path, {"seen_ready": "0", "seen_problems": "0"})
    assert json.loads(stale["HX-Trigger"]).keys() == {"photos-changed", "problems-changed"}
    assert not desk.get(path, {"seen_ready": "1", "seen_problems": "1"}).has_header("HX-Trigger")
    # One photo that took another's place leaves all numbers as they were.
    after_work = desk.get(path, {"seen_ready": "1", "seen_problems": "1", "seen_busy": "1"})
    assert json.loads(after_work["HX-Trigger"]).keys() == {"photos-changed"}


def test_photos_are_deleted_only_after_a_second_word_and_only_own_ones(
    desk: Client, album: Album, other_owner: User
) -> None:
    mine = ready_photo(album)
    foreign = ready_photo(Album.objects.create(owner=other_owner, title="Foreign"))
    path = reverse("album-photos-delete", args=[album.pk])
    sent = {"photo": [str(mine.pk), str(foreign.pk)]}
    assert "Delete 1 photo?" in text_of(desk.post(path, sent))
    desk.post(path, sent | {"confirmed": "yes"})
    assert list(Photo.objects.values_list("pk", flat=True)) == [foreign.pk]
    assert "Choose some photos first" in text_of(desk.post(path, {}, follow=True))
    assert "This is not a photo" in text_of(desk.post(path, {"photo": ["../x"]}, follow=True))


def test_a_hidden_photo_is_marked_and_leaves_the_guests(desk: Client, found: Found) -> None:
    photo = Match.objects.get(selfie=found.selfie).photo
    desk.post(reverse("photo", args=[photo.pk]), {"hidden": "yes"})
    assert "hidden" in text_of(desk.get(reverse("album", args=[photo.album_id])))
    assert browser_with(found).get(reverse("photo", args=[photo.pk])).status_code == 404
    desk.post(reverse("photo", args=[photo.pk]), {"hidden": "no"})
    assert browser_with(found).get(reverse("photo", args=[photo.pk])).status_code == 200


def test_the_zip_page_names_size_and_address(desk: Client, album: Album) -> None:
    photo = ready_photo(album)
    path = reverse("album-zip", args=[album.pk])
    answer = desk.post(path, {"size": "original", "photo": [str(photo.pk)]})
    assert "1 photo in one zip" in text_of(answer)
    assert re.search(
        r'http-equiv="refresh" content="0; url=http://testserver/api/v1/archives/', answer.content.decode()
    )
    refused = desk.post(path, {"size": "huge"})
    assert refused.status_code == 400
    assert "not a size we know" in text_of(refused)


def test_a_photo_leads_to_the_ones_before_and_after(desk: Client, album: Album) -> None:
    many_photos(album, 3)
    first, middle, last = album.photos.order_by("name")
    page = desk.get(reverse("photo", args=[middle.pk])).content.decode()
    assert re.search(rf'rel="prev" href="/photos/{first.pk}/"', page)
    assert re.search(rf'rel="next" href="/photos/{last.pk}/"', page)
    assert 'rel="next"' not in desk.get(reverse("photo", args=[last.pk])).content.decode()


def test_a_link_is_made_shown_changed_and_switched_off(desk: Client, album: Album) -> None:
    made = desk.post(reverse("album-link-new", args=[album.pk]), {"can_download": "on", "password": "lake"})
    link = Link.objects.get()
    page = desk.get(made["Location"]).content.decode()
    assert f"/l/{link.token}/" in page
    assert reverse("api:link-qr", args=[link.pk]) in page
    tomorrow = (timezone.now() + timedelta(days=1)).date()
    desk.post(made["Location"], {"can_browse": "on", "last_day": tomorrow.isoformat(), "max_uses": "5"})
    link.refresh_from_db()
    assert (link.can_browse, link.can_download, link.max_uses) == (True, False, 5)
    assert link.expires_at is not None
    assert link.expires_at.date() == tomorrow
    assert link.accepts("lake"), "an empty password keeps the one it has"
    assert not link.accepts("")
    desk.post(made["Location"], {"can_browse": "on", "remove_password": "on"})
    assert Link.objects.get().accepts("")
    desk.post(made["Location"], {"enabled": "no"})
    assert not Link.objects.get().is_open()


def test_a_link_that_would_have_ended_yesterday_is_refused(desk: Client, album: Album) -> None:
    yesterday = (timezone.now() - timedelta(days=1)).date().isoformat()
    answer = desk.post(reverse("album-link-new", args=[album.pk]), {"last_day": yesterday, "max_uses": "0"})
    assert "lies in the past" in text_of(answer)
    assert "greater than or equal to 1" in text_of(answer)
    assert not Link.objects.exists()


def test_the_qr_code_is_a_picture_by_itself(desk: Client, link: Link) -> None:
    answer = desk.get(reverse("api:link-qr", args=[link.pk]))
    assert answer["Content-Type"] == "image/svg+xml"
    assert b'xmlns="http://www.w3.org/2000/svg"' in answer.content


def covers(desk: Client) -> list[tuple[str, str]]:
    page = desk.get(reverse("albums")).content.decode()
    return re.findall(r'src="/api/v1/photos/([^/]+)/thumb".*?<h2>([^<]+)</h2>', page, re.DOTALL)


def test_albums_are_listed_by_their_event_with_their_cover(desk: Client, owner: User) -> None:
    days = {"Old": "2020-05-01", "New": "2026-05-01", "Undated": None}
    albums = {title: Album.objects.create(owner=owner, title=title, event_date=day) for title, day in days.items()}
    for album in albums.values():
        many_photos(album, 2)
    first = {title: album.photos.get(name="0000.jpg") for title, album in albums.items()}
    chosen = albums["Old"].photos.get(name="0001.jpg")
    Album.objects.filter(title="Old").update(cover=chosen)
    assert covers(desk) == [(str(photo.pk), title) for photo, title in (
        (first["Undated"], "Undated"), (first["New"], "New"), (chosen, "Old"),
    )]  # fmt: skip


def test_the_list_says_at_a_glance_how_an_album_is(desk: Client, searchable: Album) -> None:
    many_photos(searchable, 4)
    for number, state in enumerate(("uploaded", "rejected", "quarantined")):
        searchable.photos.filter(name=f"000{number}.jpg").update(state=state)
    Link.make(searchable, enabled=False)
    said = text_of(desk.get(reverse("albums")))
    assert "1 photo " in said
    assert "1 in work 2 could not be used Face search" in said
    assert "Link open" not in said
    Link.make(searchable)
    assert "Link open" in text_of(desk.get(reverse("albums")))
