"""The guest's pages over HTTP: the link, consent and selfie, the result, and what stays theirs."""

import gzip
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from galleries.access import Viewer
from galleries.flows import visit
from galleries.models import Album, Guest, Link, Match, Photo, Selfie, User
from tests import pictures
from tests.conftest import Found, browser_of, ready_photo, search, work_off
from tests.pages import browser_with, many_photos, selfie_file, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def found(searchable: Album, link: Link) -> Found:
    """A guest whose search found the one portrait of an album that also has a picture without faces."""
    ready_photo(searchable)
    ready_photo(searchable, pictures.jpeg(pictures.faceless()), "coffee.jpg")
    return search(link)


def test_looking_at_a_link_leaves_no_trace(link: Link) -> None:
    browser = Client()
    answer = browser.get(reverse("guest-link", args=[link.token]))
    assert "Summer party" in text_of(answer)
    assert settings.PIXORA_GUEST_COOKIE not in browser.cookies
    assert not Guest.objects.exists()
    assert Link.objects.get().uses == 0


def test_a_guest_searches_waits_and_sees_their_photos_alone(searchable: Album, link: Link) -> None:
    portrait = ready_photo(searchable)
    coffee = ready_photo(searchable, pictures.jpeg(pictures.faceless()), "coffee.jpg")
    browser = Client()
    landing = reverse("guest-link", args=[link.token])
    sent = {"step": "selfie", "selfie": selfie_file(), "consent": "on"}
    answer = browser.post(landing, sent)
    cookie = browser.cookies[settings.PIXORA_GUEST_COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert "Looking for you" in text_of(browser.get(answer["Location"]))
    status = reverse("selfie-status", args=[Selfie.objects.get().pk])
    assert "every 1s" in browser.get(status, headers={"HX-Request": "true"}).content.decode()
    work_off()
    assert browser.get(status, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    result = browser.get(answer["Location"])
    assert "1 photo of you" in text_of(result)
    assert "2 of 2 photos searched" in text_of(result)
    assert str(portrait.pk) in result.content.decode()
    assert str(coffee.pk) not in result.content.decode()
    assert Client().get(answer["Location"]).status_code == 404
    assert Client().get(reverse("photo", args=[portrait.pk])).status_code == 404


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"consent": "on"}, "Take a selfie"),
        ({"selfie": pictures.selfie_jpeg()}, "We search only after you have agreed"),
        ({"selfie": pictures.html(), "consent": "on"}, "not a photo"),
        ({"selfie": b"", "consent": "on"}, "empty"),
    ],
)
def test_a_selfie_that_cannot_be_taken_is_answered_at_the_form(link: Link, sent: dict[str, Any], words: str) -> None:
    files = {name: SimpleUploadedFile("a.jpg", value) for name, value in sent.items() if isinstance(value, bytes)}
    answer = Client().post(reverse("guest-link", args=[link.token]), {"step": "selfie"} | sent | files)
    assert answer.status_code == 400
    assert words in text_of(answer)
    assert "Find my photos" in text_of(answer)
    assert not Selfie.objects.exists()


def test_a_selfie_without_a_face_is_told_so_and_may_be_taken_again(searchable: Album, link: Link) -> None:
    ready_photo(searchable)
    failed = search(link, pictures.jpeg(pictures.faceless()))
    answer = browser_with(failed).get(reverse("selfie", args=[failed.selfie.pk]))
    assert "We see no face" in text_of(answer)
    assert f'action="{reverse("guest-link", args=[link.token])}"' in answer.content.decode()


def test_a_password_is_asked_once_and_a_wrong_one_told(searchable: Album) -> None:
    link = Link.make(searchable, password="lake", can_browse=True)
    browser, path = Client(), reverse("guest-link", args=[link.token])
    assert "Find my photos" not in text_of(browser.get(path))
    wrong = browser.post(path, {"step": "unlock", "password": "sea"})
    assert wrong.status_code == 403
    assert "not the link" in text_of(wrong)
    assert browser.post(path, {"step": "browse"}).status_code == 403
    assert browser.post(path, {"step": "unlock", "password": "lake"})["Location"] == path
    assert "Find my photos" in text_of(browser.get(path))


def test_all_photos_are_for_those_whose_link_shows_them(searchable: Album, link: Link) -> None:
    photo = ready_photo(searchable)
    browser = Client()
    open_link = Link.make(searchable, can_browse=True)
    assert browser.post(reverse("guest-link", args=[link.token]), {"step": "browse"}).status_code == 403
    answer = browser.post(reverse("guest-link", args=[open_link.token]), {"step": "browse"}, follow=True)
    assert str(photo.pk) in answer.content.decode()
    assert reverse("shared", args=[searchable.pk]) in browser.get(reverse("photo", args=[photo.pk])).content.decode()
    assert Client().get(reverse("shared", args=[searchable.pk])).status_code == 404


def test_a_maybe_becomes_theirs_by_a_yes_and_goes_by_a_no(found: Found) -> None:
    coffee = Photo.objects.get(name="coffee.jpg")
    box = {"x": 0, "y": 0, "width": 1, "height": 1, "distance": 0.5}
    Match.objects.create(selfie=found.selfie, photo=coffee, tier="maybe", **box)
    browser, path = browser_with(found), reverse("selfie", args=[found.selfie.pk])
    assert "Maybe you?" in text_of(browser.get(path))
    feedback = reverse("selfie-feedback", args=[found.selfie.pk])
    answer = browser.post(feedback, {"photo": coffee.pk, "verdict": "me"}, headers={"HX-Request": "true"})
    assert "2 photos of you" in text_of(answer)
    assert "<html" not in answer.content.decode()
    assert "1 photo of you" in text_of(browser.post(feedback, {"photo": coffee.pk, "verdict": "not_me"}, follow=True))
    assert browser.post(feedback, {"photo": coffee.pk, "verdict": "perhaps"}).status_code == 400


def test_a_no_counts_in_all_their_searches_of_the_album_until_it_is_taken_back(found: Found, link: Link) -> None:
    browser = browser_with(found)
    browser.post(reverse("guest-link", args=[link.token]), {"step": "selfie", "selfie": selfie_file(), "consent": "on"})
    work_off()
    later = Selfie.objects.exclude(pk=found.selfie.pk).get()
    photo = Match.objects.get(selfie=found.selfie).photo
    feedback = reverse("selfie-feedback", args=[later.pk])
    other = reverse("selfie", args=[found.selfie.pk])
    answer = browser.post(feedback, {"photo": photo.pk, "verdict": "not_me"}, follow=True)
    assert "a.jpg is no longer one of your photos" in text_of(answer)
    assert "No photos of you yet" in text_of(browser.get(other))
    assert browser.get(reverse("api:photo-thumb", args=[photo.pk])).status_code == 404
    assert browser.post(feedback, {"photo": photo.pk}).status_code == 400
    answer = browser.post(feedback, {"photo": photo.pk, "verdict": ""}, follow=True)
    assert "no longer one of your photos" not in text_of(answer)
    assert "1 photo of you" in text_of(browser.get(other))


def test_a_selfie_before_the_first_photo_is_told_that_they_are_still_to_come(searchable: Album, link: Link) -> None:
    waiting, once = search(link, keep_me_posted="true"), search(link)
    page = browser_with(waiting).get(reverse("selfie", args=[waiting.selfie.pk]))
    assert "The photos are still to come" in text_of(page)
    assert "Tell me when new photos of me arrive" in text_of(
        browser_with(once).get(reverse("selfie", args=[once.selfie.pk]))
    )
    ready_photo(searchable)
    assert "1 photo of you" in text_of(browser_with(waiting).get(reverse("selfie", args=[waiting.selfie.pk])))


def test_only_pages_with_the_selfie_form_may_ask_for_the_camera(searchable: Album, link: Link) -> None:
    failed = search(link, pictures.jpeg(pictures.faceless()))
    ready_photo(searchable)
    browser = browser_with(failed)
    for path in (reverse("guest-link", args=[link.token]), reverse("selfie", args=[failed.selfie.pk])):
        assert "camera=(self)" in browser.get(path)["Permissions-Policy"]
    assert "camera=()" in browser.get(reverse("my-photos"))["Permissions-Policy"]


def found_many(link: Link, count: int) -> Found:
    """A guest with `count` sure photos, by rows alone."""
    many_photos(link.album, count)
    guest, key = visit.enter(link, Viewer())
    expires = timezone.now() + timedelta(days=1)
    selfie = Selfie.objects.create(album=link.album, link=link, guest=guest, expires_at=expires, state="done")
    box = {"x": 0.25, "y": 0.125, "width": 0.5, "height": 0.5, "distance": 0.1}
    Match.objects.bulk_create(
        Match(selfie=selfie, photo=photo, tier="sure", **box) for photo in link.album.photos.all()
    )
    return Found(str(key), selfie)


def test_a_long_result_comes_in_runs_and_is_counted_whole(link: Link) -> None:
    found = found_many(link, 150)
    browser, path = browser_with(found), reverse("selfie", args=[found.selfie.pk])
    page = browser.get(path).content.decode()
    assert "150 photos of you" in page
    assert page.count('id="p-') == 60
    run = browser.get(path, {"start": "60", "shown": "120"}, headers={"HX-Request": "true"}).content.decode()
    assert run.count('id="p-') == 60
    assert "0060.jpg" in run
    assert "<html" not in run
    last = browser.get(path, {"start": "120", "shown": "180"}, headers={"HX-Request": "true"}).content.decode()
    assert last.count('id="p-') == 30
    assert "More photos" not in last
    photo = Photo.objects.get(name="0000.jpg")
    said = {"photo": photo.pk, "verdict": "not_me", "shown": ["60", "120"]}
    judged = browser.post(reverse("selfie-feedback", args=[found.selfie.pk]), said, headers={"HX-Request": "true"})
    assert judged.content.decode().count('id="p-') == 120


def wire_bytes(page: str) -> int:
    """What a phone receives of a page before it shows anything: HTML as it is, its styles and scripts compressed."""
    files = re.findall(r'(?:<link rel="stylesheet" href|<script [^>]*src)="/static/([^"]+)"', page)
    assert files
    contents = [Path(str(finders.find(file))).read_bytes() for file in files]
    return len(page.encode()) + sum(len(gzip.compress(content)) for content in contents)


def test_the_first_view_is_light(link: Link) -> None:
    found = found_many(link, 150)
    browser = browser_with(found)
    for path in (reverse("guest-link", args=[link.token]), reverse("selfie", args=[found.selfie.pk])):
        assert wire_bytes(browser.get(path).content.decode()) < 150_000


def test_a_guest_downloads_all_in_one_zip_unless_the_link_forbids(found: Found) -> None:
    browser, path = browser_with(found), reverse("selfie-zip", args=[found.selfie.pk])
    assert "1 photo in one zip" in text_of(browser.post(path, {"size": "original"}))
    Link.objects.update(can_download=False)
    assert "Download all" not in text_of(browser.get(reverse("selfie", args=[found.selfie.pk])))
    refused = browser.post(path, {"size": "original"})
    assert refused.status_code == 403
    assert "switched off downloads" in text_of(refused)


def test_withdrawing_asks_once_and_erases(found: Found) -> None:
    browser, path = browser_with(found), reverse("selfie-withdraw", args=[found.selfie.pk])
    assert "Withdraw your consent?" in text_of(browser.get(path))
    assert Selfie.objects.exists()
    answer = browser.post(path, {"confirmed": "yes"}, follow=True)
    assert "Your consent is withdrawn" in text_of(answer)
    assert not Selfie.objects.exists()


def test_a_link_that_has_ended_says_so_and_shuts_its_galleries(found: Found) -> None:
    Link.objects.update(enabled=False)
    browser = browser_with(found)
    answer = browser.get(reverse("guest-link", args=[found.selfie.link.token]))
    assert answer.status_code == 410
    assert "This has ended" in text_of(answer)
    assert browser.get(reverse("selfie", args=[found.selfie.pk])).status_code == 404
    part = browser.get(reverse("selfie-status", args=[found.selfie.pk]), headers={"HX-Request": "true"})
    assert part["HX-Refresh"] == "true"


def test_a_search_that_has_run_out_is_told_before_upkeep_has_noticed(found: Found) -> None:
    Selfie.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    answer = browser_with(found).get(reverse("selfie", args=[found.selfie.pk]))
    assert "This search has ended" in text_of(answer)


def test_later_photos_are_announced_on_the_open_page(searchable: Album, link: Link) -> None:
    ready_photo(searchable)
    found = search(link, keep_me_posted="true")
    browser = browser_with(found)
    assert "every 5s" in browser.get(reverse("selfie", args=[found.selfie.pk])).content.decode()
    ready_photo(searchable, pictures.jpeg(pictures.portrait(), quality=60), "later.jpg")
    status = reverse("selfie-status", args=[found.selfie.pk])
    assert "Show 1 new photo" in text_of(browser.get(status, {"seen": "1"}, headers={"HX-Request": "true"}))
    assert "Show" not in text_of(browser.get(status, {"seen": "2"}, headers={"HX-Request": "true"}))
    assert browser.get(status, {"seen": "9" * 5000}).status_code == 200


def test_a_photo_of_a_search_leads_through_that_search(found: Found) -> None:
    photo = Match.objects.get(selfie=found.selfie).photo
    path = reverse("photo", args=[photo.pk])
    page = browser_with(found).get(path, {"in": str(found.selfie.pk)}).content.decode()
    assert reverse("selfie", args=[found.selfie.pk]) in page
    assert 'rel="next"' not in page
    assert browser_with(found).get(path, {"in": "nonsense"}).status_code == 404
    other = Photo.objects.get(name="coffee.jpg")
    assert browser_with(found).get(reverse("photo", args=[other.pk]), {"in": str(found.selfie.pk)}).status_code == 404


def test_my_photos_lists_this_browsers_galleries_and_no_others(found: Found) -> None:
    mine = browser_with(found).get(reverse("my-photos"))
    assert reverse("selfie", args=[found.selfie.pk]) in mine.content.decode()
    assert "kept in this browser only" in text_of(mine)
    assert "Nothing here yet" in text_of(Client().get(reverse("my-photos")))


def test_a_guest_who_signs_in_keeps_their_galleries_if_they_say_so(found: Found, other_owner: User) -> None:
    browser = browser_with(found)
    browser.force_login(other_owner)
    browser.post(reverse("my-photos"), {"step": "keep"})
    gallery = reverse("selfie", args=[found.selfie.pk])
    assert gallery in browser_of(other_owner).get(reverse("my-photos")).content.decode()
    assert browser_with(found).get(gallery).status_code == 404, "a shared phone tells nothing once its owner signed out"
