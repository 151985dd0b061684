"""What a photographer may keep is counted exactly: whoever sends what at once, and whatever becomes of it."""

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import translation
from rest_framework.test import APIClient

from galleries import storage
from galleries.flows import album as album_flow
from galleries.flows import lost, quota
from galleries.flows import photo as photo_flow
from galleries.models import Album, Arrival, Erasure, Photo, Usage, User
from tests import pictures
from tests.conftest import add, api_of, browser_of, ready_photo, upload, work_off
from tests.pages import many_photos, text_of

pytestmark = pytest.mark.django_db(transaction=True)


def shade(number: int, edge: int = 16) -> bytes:
    """A small photo that is another one for each number."""
    picture = pictures.quadrants(edge, edge).copy()
    picture[0, 0] = (number % 256, number // 256, 9)
    return pictures.png(picture)


def used(owner: User) -> tuple[int, int]:
    found = quota.Quota.of(owner.pk)
    return found.photos, found.bytes


def kept(owner: User) -> tuple[int, int]:
    """By the rows themselves."""
    sizes = Photo.objects.filter(album__owner=owner).exclude(original_key="").values_list("size", flat=True)
    return len(sizes), sum(sizes)


@pytest.fixture
def room_for_two(owner: User) -> User:
    owner.photo_limit = 2
    owner.save()
    return owner


# What is refused, and how it is said


def test_beyond_the_number_of_photos_a_file_is_rejected_in_words(
    album: Album, owner_api: APIClient, room_for_two: User
) -> None:
    answer = upload(owner_api, album.pk, [(f"{n}.png", shade(n)) for n in range(4)])
    assert answer.status_code == 201
    assert [each["name"] for each in answer.json()["accepted"]] == ["0.png", "1.png"]
    refused = answer.json()["rejected"]
    assert [(each["name"], each["code"]) for each in refused] == [("2.png", "quota_photos"), ("3.png", "quota_photos")]
    assert "keeps 2 photos at most" in refused[0]["detail"]
    numbers = owner_api.get(f"/api/v1/albums/{album.pk}/progress/").json()
    assert (numbers["received"], numbers["uploaded"], numbers["rejected"]) == (4, 2, 2)
    assert used(room_for_two) == kept(room_for_two) == (2, len(shade(0)) + len(shade(1)))
    assert not Arrival.objects.exists()


def test_beyond_the_bytes_a_smaller_file_still_fits(album: Album, owner: User) -> None:
    large, small = shade(1, 64), shade(2, 8)
    owner.byte_limit = len(large) + len(small)
    owner.save()
    codes = [add(album, data).photo.code for data in (large, shade(3, 64), small, shade(4, 8))]
    assert codes == ["", "quota_bytes", "", "quota_bytes"]
    assert used(owner) == (2, owner.byte_limit)


def test_the_settings_hold_where_the_user_has_no_limit_of_their_own(album: Album, owner: User, settings: Any) -> None:
    settings.PIXORA_QUOTA_PHOTOS = 1
    assert [add(album, shade(n)).photo.code for n in range(2)] == ["", "quota_photos"]
    owner.photo_limit = 0
    owner.save()
    assert [add(Album.objects.get(pk=album.pk), shade(n)).photo.code for n in range(2, 5)] == ["", "", ""]


def test_what_is_refused_keeps_no_file_and_is_taken_once_there_is_room(album: Album, room_for_two: User) -> None:
    first = add(album, shade(0)).photo
    add(album, shade(1))
    refused = add(album, shade(2)).photo
    assert (refused.state, refused.original_key) == ("rejected", "")
    assert len([*storage.walk("originals/")]) == 2
    photo_flow.delete([first])
    assert add(album, shade(2)).outcome == "accepted"
    assert not Photo.objects.filter(state="rejected").exists()
    assert used(room_for_two) == kept(room_for_two)


def test_a_refusal_says_its_latest_reason(album: Album, room_for_two: User) -> None:
    for number in range(3):
        add(album, shade(number))
    room_for_two.photo_limit, room_for_two.byte_limit = 0, 1
    room_for_two.save()
    assert add(Album.objects.get(pk=album.pk), shade(2)).photo.code == "quota_bytes"
    assert Photo.objects.get(state="rejected").code == "quota_bytes"


def test_a_duplicate_costs_nothing_not_even_the_last_place(album: Album, room_for_two: User) -> None:
    data = [shade(0), shade(1)]
    for each in data * 3:
        add(album, each)
    assert used(room_for_two) == kept(room_for_two) == (2, sum(map(len, data)))
    assert [add(album, each).outcome for each in data] == ["duplicate", "duplicate"]


def test_what_is_no_photo_costs_nothing_and_says_so_before_the_quota(album: Album, room_for_two: User) -> None:
    for number in range(2):
        add(album, shade(number))
    assert add(album, pictures.html(), "page.jpg").photo.code == "not_a_photo"
    assert used(room_for_two)[0] == 2


def test_all_albums_of_one_photographer_count_and_no_other_s(
    album: Album, room_for_two: User, other_owner: User
) -> None:
    second = Album.objects.create(owner=room_for_two, title="Second")
    foreign = Album.objects.create(owner=other_owner, title="Otto's")
    assert [add(each, shade(0)).photo.code for each in (album, second, foreign, album)] == ["", "", "", ""]
    assert add(album, shade(1)).photo.code == "quota_photos"
    assert used(other_owner)[0] == 1


def test_the_words_are_the_reader_s(album: Album, room_for_two: User) -> None:
    for number in range(3):
        add(album, shade(number))
    refused = Photo.objects.get(code="quota_photos")
    assert refused.detail.startswith("This account keeps 2 photos")
    with translation.override("de"):
        assert "2" in refused.reason


# What is given back


def test_a_deleted_photo_gives_back_what_it_kept(album: Album, owner: User) -> None:
    photos = [add(album, shade(n)).photo for n in range(3)]
    photo_flow.delete(photos[:2])
    assert used(owner) == kept(owner) == (1, photos[2].size)
    photo_flow.delete(photos)
    assert used(owner) == (0, 0)


def test_a_deleted_album_gives_back_once_it_is_gone_for_good(album: Album, owner: User) -> None:
    ready_photo(album)
    album_flow.delete(album)
    assert used(owner)[0] == 1
    album_flow.delete_for_good(album)
    assert used(owner) == (0, 0)


def test_a_photo_that_is_replaced_gives_back_its_place_when_the_new_one_is_ready(album: Album, owner: User) -> None:
    old = ready_photo(album, shade(1))
    photo_flow.receive(album, "a.jpg", "", [shade(2)], replaces=old.pk)
    assert used(owner)[0] == 2
    work_off()
    assert used(owner) == kept(owner)
    assert used(owner)[0] == 1


def test_a_lost_file_that_was_no_photo_gives_back_its_place_and_one_that_is_mended_costs_no_other(
    album: Album, owner: User
) -> None:
    cut = pictures.truncated_jpeg()
    rejected = add(album, cut, "cut.jpg").photo
    good = ready_photo(album)
    rejected.refresh_from_db()
    assert (rejected.state, used(owner)[0]) == ("rejected", 2)
    for photo in (rejected, good):
        lost.mark(photo, lost.LOST)
    assert used(owner) == kept(owner) == (1, good.size)
    assert add(album, pictures.jpeg(pictures.portrait())).outcome == "accepted"
    assert used(owner) == kept(owner) == (1, good.size)


def test_an_upload_that_fails_midway_costs_nothing(album: Album, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    add(album, shade(0))

    def erased_meanwhile(key: str) -> bool:
        return False

    monkeypatch.setattr(Arrival, "strike_off", erased_meanwhile)
    with pytest.raises(photo_flow.Refusal):
        add(album, shade(1))
    assert used(owner) == kept(owner) == (1, len(shade(0)))


def test_an_album_that_is_handed_over_takes_its_photos_along(
    album: Album, owner: User, other_owner: User, admin_user: User
) -> None:
    for number in range(3):
        add(album, shade(number))
    add(Album.objects.create(owner=owner, title="Stays"), shade(7))
    page = reverse("admin:galleries_album_change", args=[album.pk])
    form = {"title": "Handed over", "owner": other_owner.pk, "event_date": "", "accent": "", "brand_name": ""}
    form |= {"persons_a_guest": 1}
    inlines = {f"legal_bases-{name}_FORMS": 0 for name in ("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM")}
    answer = browser_of(admin_user).post(page, form | inlines)
    assert answer.status_code == 302, text_of(answer)
    album.refresh_from_db()
    assert (album.owner, album.title) == (other_owner, "Handed over")
    assert used(owner) == kept(owner) == (1, len(shade(7)))
    assert used(other_owner) == kept(other_owner)
    assert used(other_owner)[0] == 3


def test_a_photographer_with_photos_can_be_deleted(album: Album, owner: User, admin_user: User) -> None:
    add(album, shade(0))
    add(Album.objects.create(owner=owner, title="Second"), shade(1))
    answer = browser_of(admin_user).post(reverse("admin:galleries_user_delete", args=[owner.pk]), {"post": "yes"})
    assert answer.status_code == 302
    assert not Usage.objects.filter(user=owner.pk).exists()
    assert not Photo.objects.exists()


# Told before, and shown


def test_check_tells_what_there_is_no_room_for(album: Album, owner_api: APIClient, room_for_two: User) -> None:
    there = add(album, shade(0)).photo
    files = [{"name": f"{n}.png", "size": 100, "sha256": f"{n:064x}"} for n in (1, 2, 1)]
    files.append({"name": "0.png", "size": there.size, "sha256": there.sha256})
    answer = owner_api.post(f"/api/v1/albums/{album.pk}/photos/check/", {"files": files}, format="json").json()
    assert answer["duplicate"] == [there.sha256]
    assert [(each["sha256"], each["code"]) for each in answer["over_quota"]] == [(f"{2:064x}", "quota_photos")]
    assert "2 photos" in answer["over_quota"][0]["detail"]


def test_check_tells_files_too_heavy_for_what_is_left(album: Album, owner_api: APIClient, owner: User) -> None:
    owner.byte_limit = 1_000
    owner.save()
    files = [{"name": "a", "size": size, "sha256": f"{size:064x}"} for size in (600, 500, 300, 101, 100)]
    answer = owner_api.post(f"/api/v1/albums/{album.pk}/photos/check/", {"files": files}, format="json").json()
    assert [int(each["sha256"], 16) for each in answer["over_quota"]] == [500, 101]


@pytest.mark.parametrize("name", ["albums", "album"])
def test_pages_show_how_much_is_kept_of_how_much(
    album: Album, desk: Client, room_for_two: User, settings: Any, name: str
) -> None:
    add(album, shade(0, 64))
    settings.PIXORA_QUOTA_BYTES = 5 * 1024**3
    said = text_of(desk.get(reverse(name, args=[album.pk] if name == "album" else [])))
    assert "1 photo kept" in said
    assert "room for 2 photos, 5.0 GB" in said
    room_for_two.photo_limit = settings.PIXORA_QUOTA_BYTES = 0
    room_for_two.save()
    assert "room for" not in text_of(desk.get(reverse("albums")))


def test_the_administrator_sets_a_limit_and_sees_what_is_kept(album: Album, owner: User, admin_user: User) -> None:
    add(album, shade(0))
    browser, page = browser_of(admin_user), reverse("admin:galleries_user_change", args=[owner.pk])
    answer = browser.get(page)
    assert f"1 / 200000, {len(shade(0))} / 1099511627776" in text_of(answer)
    form = {name: value for name, value in answer.context["adminform"].form.initial.items() if value is not None}
    form |= {"photo_limit": "1", "date_joined_0": "2026-01-01", "date_joined_1": "00:00", "groups": []}
    form |= {"user_permissions": [], "last_login_0": "", "last_login_1": ""}
    assert browser.post(page, form).status_code == 302
    assert add(Album.objects.get(pk=album.pk), shade(1)).photo.code == "quota_photos"
    assert used(owner) == kept(owner)


# Counted right, and set right


def test_saving_a_user_from_an_old_form_changes_no_count(album: Album, owner: User) -> None:
    stale = User.objects.get(pk=owner.pk)
    add(album, shade(0))
    stale.first_name = "Olga"
    stale.save()
    assert used(owner)[0] == 1


def test_who_had_photos_before_they_were_counted_is_counted_at_once(album: Album, owner: User) -> None:
    many_photos(album, 30)
    owner.photo_limit = 31
    owner.save()
    assert [add(album, shade(n)).photo.code for n in range(2)] == ["", "quota_photos"]
    assert used(owner) == kept(owner)


def test_who_had_photos_before_they_were_counted_may_delete_first(album: Album, owner: User) -> None:
    many_photos(album, 30)
    photo_flow.delete(album.photos.all()[:10])
    assert used(owner) == kept(owner) == (20, 20)


@pytest.mark.parametrize("off_by", [(5, 0), (0, 10**12), (-1, -1)])
def test_verify_finds_a_count_that_has_drifted_and_sets_it_right(
    album: Album, owner: User, capsys: pytest.CaptureFixture[str], off_by: tuple[int, int]
) -> None:
    ready_photo(album)
    call_command("verify")
    right = used(owner)
    Usage.objects.update(photos=right[0] + off_by[0], bytes=right[1] + off_by[1])
    with pytest.raises(SystemExit):
        call_command("verify", quick=True)
    assert "usage_wrong: 1" in capsys.readouterr().out
    call_command("verify", repair=True)
    assert used(owner) == kept(owner) == right
    call_command("verify")


def test_a_count_that_has_drifted_holds_up_no_deletion(album: Album, owner: User) -> None:
    photo = add(album, shade(0)).photo
    Usage.objects.update(photos=0, bytes=0)
    photo_flow.delete([photo])
    assert used(owner) == (0, 0)
    assert not Erasure.objects.exists()


def test_two_photographers_hold_each_other_up_in_nothing(album: Album, owner: User, other_owner: User) -> None:
    foreign = Album.objects.create(owner=other_owner, title="Otto's")
    owner.photo_limit = 1
    owner.save()
    for client, own in ((api_of(owner), album), (api_of(other_owner), foreign)):
        answer = upload(client, own.pk, [(f"{n}.png", shade(n)) for n in range(3)]).json()
        assert len(answer["accepted"]) == (1 if own == album else 3)
