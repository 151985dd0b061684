"""What an administrator does: suspends, takes down, sets aside, invites, sets limits; and who of the staff may."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from galleries import storage
from galleries.access import Viewer
from galleries.flows import album as album_flow
from galleries.flows import archive as archive_flow
from galleries.flows import photo as photo_flow
from galleries.flows import takedown as takedown_flow
from galleries.flows import upkeep
from galleries.models import (
    Album,
    Collaborator,
    Deed,
    EmbeddingBlock,
    Face,
    Invitation,
    Link,
    Match,
    Photo,
    SiteSettings,
    Takedown,
    User,
    site,
)
from tests import pictures
from tests.conftest import PASSWORD, add, api_of, browser_of, ready_photo, search, upload, work_off
from tests.pages import many_photos, selfie_file, text_of

PHOTOS, USERS, ALBUMS = (f"/admin/galleries/{name}/" for name in ("photo", "user", "album"))
TAKEDOWN = "/admin/galleries/takedown/add/"


@pytest.fixture
def desk(admin_user: User) -> Client:
    return browser_of(admin_user)


def act(desk: Client, address: str, action: str, rows: list[Any], **more: str) -> Any:
    body = {"action": action, "_selected_action": [str(row.pk) for row in rows], **more}
    return desk.post(address, body, follow=True)


def clerk(*codenames: str) -> Client:
    user = User.objects.create_user("carl@example.org", PASSWORD, is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return browser_of(user)


# Suspension


def statuses(api: Any, paths: list[str]) -> list[int]:
    """As a server asks: a zip that is not closed keeps one of the few streams."""
    answers = [api.get(path) for path in paths]
    for answer in answers:
        answer.close()
    return [answer.status_code for answer in answers]


@pytest.mark.parametrize("whom", ["user", "album"])
def test_a_suspension_stops_what_was_shared_at_the_next_request_and_can_be_lifted(
    desk: Client, owner: User, searchable: Album, link: Link, whom: str
) -> None:
    photo, found = ready_photo(searchable), search(link)
    zipped = found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", {}, format="json").json()["url"]
    paths = [f"/api/v1/selfies/{found.selfie.pk}/", f"/api/v1/photos/{photo.pk}/preview", zipped]
    shared = f"/api/v1/links/{link.token}/"
    assert statuses(found.api, [shared, *paths]) == [200] * 4
    address, row = (USERS, owner) if whom == "user" else (ALBUMS, searchable)

    asked = act(desk, address, "suspend", [row])
    assert "No, take me back" in text_of(asked)
    assert found.api.get(shared).status_code == 200
    act(desk, address, "suspend", [row], confirmed="yes")
    assert statuses(found.api, [shared, *paths]) == [410, 404, 404, 404]
    assert Client().get(f"/l/{link.token}/").status_code == 410

    act(desk, address, "resume", [row])
    assert statuses(found.api, [shared, *paths]) == [200] * 4
    verbs = list(Deed.objects.filter(verb__startswith=whom).order_by("pk").values_list("verb", flat=True))
    assert verbs == [f"{whom}.suspended", f"{whom}.resumed"]


def test_a_suspended_user_s_sessions_and_tokens_stop(desk: Client, owner: User, album: Album) -> None:
    api, page = api_of(owner), browser_of(owner)
    act(desk, USERS, "suspend", [owner], confirmed="yes")
    assert api.get("/api/v1/albums/").status_code == 401
    assert page.get("/albums/").status_code == 302
    act(desk, USERS, "resume", [owner])
    assert api.get("/api/v1/albums/").status_code == 200


def test_in_a_suspended_album_its_people_look_on_and_do_nothing(
    desk: Client, owner: User, other_owner: User, album: Album
) -> None:
    Collaborator.objects.create(album=album, user=other_owner, role="editor")
    act(desk, ALBUMS, "suspend", [album], confirmed="yes")
    for user in (owner, other_owner):
        api = api_of(user)
        assert api.get(f"/api/v1/albums/{album.pk}/").status_code == 200
        refused = upload(api, album.pk, [("a.jpg", pictures.jpeg(pictures.quadrants()))])
        assert (refused.status_code, refused.json()["code"]) == (403, "album_suspended")
        for method, path in (("patch", ""), ("delete", ""), ("post", "links/")):
            answer = getattr(api, method)(f"/api/v1/albums/{album.pk}/{path}", {}, format="json")
            assert (answer.status_code, answer.json()["code"]) == (403, "album_suspended"), path
    assert "suspended" in text_of(browser_of(owner).get(f"/albums/{album.pk}/"))


def test_nobody_suspends_themselves_or_an_administrator_above_them(admin_user: User, desk: Client) -> None:
    act(desk, USERS, "suspend", [admin_user], confirmed="yes")
    below = clerk("view_user", "change_user")
    act(below, USERS, "suspend", [admin_user], confirmed="yes")
    assert User.objects.get(pk=admin_user.pk).is_active
    address = reverse("admin:galleries_user_change", args=[admin_user.pk])
    assert below.post(address, {"email": "carl2@example.org"}).status_code == 403
    itself = User.objects.get(email="carl@example.org")
    assert (
        below.post(reverse("admin:galleries_user_change", args=[itself.pk]), {"is_superuser": "on"}).status_code == 403
    )


# Takedown


def two_copies(owner: User, other_owner: User) -> tuple[Photo, Photo]:
    data = pictures.jpeg(pictures.portrait())
    albums = [Album.objects.create(owner=each, title="A") for each in (owner, other_owner)]
    for album in albums:
        album_flow.switch_face_search(album, True, by=album.owner, basis="contract", attested=True)
    first, second = (add(album, data).photo for album in albums)
    work_off()
    return first, second


@pytest.mark.parametrize("how", ["id", "address", "hash"])
def test_a_takedown_takes_all_copies_and_what_was_made_of_them(
    desk: Client, owner: User, other_owner: User, how: str
) -> None:
    photo, copy = two_copies(owner, other_owner)
    link = Link.make(photo.album)
    found = search(link)
    zipped = found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", {}, format="json").json()["url"]
    own = archive_flow.of_album(Viewer(other_owner), copy.album, None, "original")
    album_flow.delete(copy.album)
    keys = [key for each in (photo, copy) for key in each.stored_keys()]
    what = {
        "id": str(photo.pk),
        "address": f"https://example.org/photos/{photo.pk}/?in={found.selfie.pk}",
        "hash": photo.sha256,
    }[how]
    body = {"what": what, "reason": "wish", "is_barred": "on"}
    asked = desk.post(TAKEDOWN, body)
    assert "2 copies" in text_of(asked)
    assert Photo.objects.count() == 2
    desk.post(TAKEDOWN, body | {"confirmed": "yes"})
    assert [model.objects.count() for model in (Photo, Face, EmbeddingBlock, Match)] == [0] * 4
    assert not any(storage.exists(key) for key in keys)
    assert found.api.get(zipped).status_code == 410
    assert not own.sections.exists()
    assert Deed.objects.get(verb="photo.taken_down").facts == {"copies": 2, "reason": "wish", "is_barred": True}


def test_what_was_taken_down_may_not_come_again_unless_it_is_allowed(desk: Client, owner: User, album: Album) -> None:
    data = pictures.jpeg(pictures.quadrants())
    photo = add(album, data).photo
    body = {"what": str(photo.pk), "reason": "law", "is_barred": "on", "confirmed": "yes"}
    desk.post(TAKEDOWN, body)
    again = upload(api_of(owner), album.pk, [("b.jpg", data)]).json()
    assert [again["accepted"], [each["code"] for each in again["rejected"]]] == [[], ["taken_down"]]
    assert not Photo.objects.exclude(original_key="").exists()
    act(desk, "/admin/galleries/takedown/", "allow_again", [Takedown.objects.get()])
    assert len(upload(api_of(owner), album.pk, [("b.jpg", data)]).json()["accepted"]) == 1


def test_a_file_that_was_just_coming_in_is_met_by_upkeep(album: Album, admin_user: User) -> None:
    photo = add(album, pictures.jpeg(pictures.quadrants())).photo
    facts = {"sha256": photo.sha256, "reason": "abuse"}
    Takedown.objects.create(**facts, is_barred=False)
    upkeep.meet_late_ones()
    assert Photo.objects.exists()
    Takedown.objects.update(is_barred=True)
    upkeep.meet_late_ones()
    assert not Photo.objects.exists()


def test_what_names_no_photo_is_said_to(desk: Client) -> None:
    page = desk.post(TAKEDOWN, {"what": "https://example.org/photos/", "reason": "wish"})
    assert "No photo is known by this" in text_of(page)
    assert takedown_flow.hash_of("00000000-0000-4000-8000-000000000000") == ""


# Set aside


def test_photos_set_aside_leave_guests_and_come_back_by_staff_only(
    desk: Client, owner: User, searchable: Album, link: Link
) -> None:
    photo, found = ready_photo(searchable), search(link)
    act(desk, PHOTOS, "set_aside", [photo], confirmed="yes")
    photo.refresh_from_db()
    assert (photo.state, photo.code, photo.face_count) == ("quarantined", "held_back", 0)
    assert found.api.get(f"/api/v1/photos/{photo.pk}/preview").status_code == 404
    assert not EmbeddingBlock.objects.exists()
    assert api_of(owner).post(f"/api/v1/albums/{searchable.pk}/retry/").json() == {"retried": 0}
    act(desk, PHOTOS, "retry", [photo])
    work_off()
    assert found.api.get(f"/api/v1/photos/{photo.pk}/preview").status_code == 200


def test_many_photos_are_set_aside_in_steps(desk: Client, album: Album) -> None:
    many_photos(album, 1_050)
    act(desk, PHOTOS, "set_aside", [album.photos.all()[0]], confirmed="yes", select_across="1")
    assert Photo.objects.filter(state="quarantined").count() == 1_050
    assert photo_flow.retry(Photo.objects.all()) == 0


# Who may


@pytest.mark.parametrize(
    ("address", "action"),
    [(PHOTOS, "set_aside"), (PHOTOS, "retry"), (USERS, "suspend"), (ALBUMS, "suspend")],
)
def test_staff_who_only_look_cannot_act(owner: User, album: Album, address: str, action: str) -> None:
    many_photos(album, 1)
    rows: dict[str, Any] = {PHOTOS: album.photos.get(), USERS: owner, ALBUMS: album}
    looking = clerk("view_photo", "view_user", "view_album", "view_takedown", "view_sitesettings", "view_invitation")
    assert looking.get(address).status_code == 200
    act(looking, address, action, [rows[address]], confirmed="yes")
    assert Photo.objects.get().state == "ready"
    assert User.objects.get(pk=owner.pk).is_active
    assert Album.objects.get().suspended_at is None
    assert looking.post(TAKEDOWN, {"what": "x", "reason": "wish"}).status_code == 403
    assert looking.post("/admin/galleries/invitation/add/", {"email": "ina@example.org"}).status_code == 403
    looking.get("/admin/galleries/sitesettings/")
    assert looking.post("/admin/galleries/sitesettings/1/change/", {"sign_up": "closed"}).status_code == 403
    assert not Invitation.objects.exists()


def test_a_takedown_wants_the_right_to_delete_photos_as_well(db: None) -> None:
    assert clerk("add_takedown").get(TAKEDOWN).status_code == 403
    User.objects.all().delete()
    assert clerk("add_takedown", "delete_photo").get(TAKEDOWN).status_code == 200


# Quotas


def test_a_photographer_s_own_limit_of_albums_beats_the_site_s(owner: User, other_owner: User) -> None:
    SiteSettings.objects.create(album_limit=1)
    site.forget()
    User.objects.filter(pk=owner.pk).update(album_limit=2)
    for user, most in ((owner, 2), (other_owner, 1)):
        api = api_of(user)
        got = [api.post("/api/v1/albums/", {"title": "A"}, format="json").status_code for _ in range(most + 1)]
        assert got == [201] * most + [403]
        album_flow.delete(Album.objects.filter(owner=user)[0])
        assert api.post("/api/v1/albums/", {"title": "A"}, format="json").status_code == 201
    page = browser_of(owner).post("/albums/new/", {"title": "A"})
    assert "2 albums at most" in text_of(page)


def test_searches_of_a_day_are_counted_for_all_albums_of_a_photographer(owner: User, link: Link) -> None:
    User.objects.filter(pk=owner.pk).update(search_limit=1)
    search(link)
    again = Client().post(f"/api/v1/links/{link.token}/selfies/", {"selfie": selfie_file(), "consent": "true"})
    assert (again.status_code, again.json()["code"]) == (429, "quota_searches")
    assert int(again["Retry-After"]) > 80_000


def test_a_quota_that_staff_change_is_in_the_log(desk: Client, owner: User) -> None:
    address = reverse("admin:galleries_user_change", args=[owner.pk])
    form = {"email": owner.email, "is_active": "on", "photo_limit": "7", "date_joined_0": "2026-01-01"}
    assert desk.post(address, form | {"date_joined_1": "00:00:00"}).status_code == 302
    assert Deed.objects.get(verb="quota.changed").facts == {"photo_limit": 7}


# The site's settings


def settings_form(**changes: str) -> dict[str, str]:
    return {"sign_up": "open", **changes}


def test_settings_are_changed_without_a_restart_and_what_the_environment_says_is_not(
    desk: Client, settings: Any, owner: User
) -> None:
    settings.PIXORA_GIVEN = frozenset({"PIXORA_QUOTA_PHOTOS"})
    settings.PIXORA_QUOTA_PHOTOS = 12
    page = desk.get("/admin/galleries/sitesettings/", follow=True)
    assert "PIXORA_QUOTA_PHOTOS = 12" in text_of(page)
    assert 'name="photo_limit"' not in page.content.decode()
    sent = settings_form(photo_limit="1", byte_limit="2000", brand_name="Fotos & Co", accent="#336699", album_days="30")
    assert desk.post("/admin/galleries/sitesettings/1/change/", sent).status_code == 302
    now = site.current()
    assert (now.limit("photo_limit"), now.limit("byte_limit"), now.name) == (12, 2000, "Fotos & Co")
    page = Client().get("/")
    assert "Fotos &amp; Co" in page.content.decode()
    assert "/accent.css" in page.content.decode()
    assert "--accent" in Client().get("/accent.css").content.decode()
    assert Deed.objects.get(verb="site.changed").facts["fields"] == [
        "accent", "album_days", "brand_name", "byte_limit",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"accent": "red"},
        {"imprint_url": "javascript:alert(1)"},
        {"album_days": "0"},
        {"sign_up": "perhaps"},
        {"brand_name": "x" * 41},
        {"guests_an_hour": "0"},
        {"contact": "nobody"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(desk: Client, wrong: dict[str, str]) -> None:
    SiteSettings.objects.create()
    assert desk.post("/admin/galleries/sitesettings/1/change/", settings_form(**wrong)).status_code == 200
    assert not Deed.objects.filter(verb="site.changed").exists()


def test_while_the_database_is_away_the_settings_are_as_they_last_were(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    SiteSettings.objects.create(brand_name="Fotos")
    assert site.current().name == "Fotos"
    monkeypatch.setattr(site, "KEPT_SECONDS", -1)
    with connection.execute_wrapper(_gone):
        assert site.current().name == "Fotos"
        site.forget()
        assert site.current().name == "Pixora"


def _gone(*_: Any) -> None:
    raise OperationalError("gone")


def test_there_is_one_row_of_settings_and_the_database_holds_it(db: None) -> None:
    SiteSettings.objects.create()
    for wrong in ({"id": 2}, {"id": 1, "sign_up": "perhaps"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            SiteSettings(**wrong).save(force_insert=True)


def test_an_album_past_its_last_day_is_deleted_and_can_be_had_back(owner: User) -> None:
    SiteSettings.objects.create(album_days=30)
    site.forget()
    made = api_of(owner).post("/api/v1/albums/", {"title": "A"}, format="json").json()
    album = Album.objects.get(pk=made["id"])
    assert album.kept_until is not None
    assert (album.kept_until - album.created_at.date()).days in (29, 30, 31)
    upkeep.end_albums()
    assert Album.objects.present().exists()
    Album.objects.update(kept_until=album.created_at.date().replace(year=2020))
    upkeep.end_albums()
    assert not Album.objects.present().exists()
    album.refresh_from_db()
    album_flow.restore(album)
    upkeep.end_albums()
    assert Album.objects.present().exists()


def test_its_owner_sees_the_last_day_of_an_album_and_may_say_another(owner: User) -> None:
    SiteSettings.objects.create(album_days=30)
    site.forget()
    page = browser_of(owner)
    proposed = (timezone.localdate() + timedelta(days=30)).isoformat()
    assert proposed in page.get("/albums/new/").content.decode()
    page.post("/albums/new/", {"title": "A", "kept_until": proposed})
    album = Album.objects.get()
    assert "is kept until" in text_of(page.get(f"/albums/{album.pk}/"))
    page.post(f"/albums/{album.pk}/edit/", {"title": "A", "kept_until": "2020-01-01", "persons_a_guest": "1"})
    assert Album.objects.get().kept_until == timezone.localdate() + timedelta(days=30)
    page.post(f"/albums/{album.pk}/edit/", {"title": "A", "kept_until": "", "persons_a_guest": "1"})
    assert Album.objects.get().kept_until is None


# Invitations


def sign_up(client: Client, email: str) -> Any:
    return client.post("/accounts/signup/", {"email": email, "password1": PASSWORD})


def invited(desk: Client, email: str) -> str:
    page = desk.post("/admin/galleries/invitation/add/", {"email": email}, follow=True)
    return page.content.decode().split("/invited/")[1].split("/")[0]


def test_by_invitation_whoever_was_invited_makes_one_account_with_that_address(desk: Client) -> None:
    SiteSettings.objects.create(sign_up="invited")
    site.forget()
    assert "by invitation" in text_of(sign_up(Client(), "ina@example.org"))
    token = invited(desk, "Ina@example.org")
    assert token not in str(list(Invitation.objects.values_list("token_hash")))
    other = Client()
    assert other.get(f"/invited/{token}/").status_code == 302
    assert sign_up(other, "otto@example.org").status_code == 403
    guest = Client()
    guest.get(f"/invited/{token}/")
    assert sign_up(guest, "ina@example.org").status_code == 302
    assert User.objects.filter(email="ina@example.org").exists()
    assert not User.objects.filter(email="otto@example.org").exists()
    assert Client().get(f"/invited/{token}/").status_code == 410


def test_closed_is_closed_with_and_without_an_invitation(desk: Client) -> None:
    row = SiteSettings.objects.create(sign_up="invited")
    site.forget()
    token, client = invited(desk, "ina@example.org"), Client()
    client.get(f"/invited/{token}/")
    row.sign_up = "closed"
    row.save()
    sign_up(client, "ina@example.org")
    assert not User.objects.filter(email="ina@example.org").exists()
    assert Client().get(f"/invited/{token}/").status_code == 410


def test_a_new_invitation_ends_the_one_before(desk: Client) -> None:
    SiteSettings.objects.create(sign_up="invited")
    site.forget()
    first, second = invited(desk, "ina@example.org"), invited(desk, "INA@example.org")
    assert [Client().get(f"/invited/{token}/").status_code for token in (first, second)] == [410, 302]


def test_an_account_that_is_being_erased_is_not_let_go_on(desk: Client, other_owner: User) -> None:
    User.objects.filter(pk=other_owner.pk).update(is_active=False, closed_at=timezone.now())
    act(desk, "/admin/galleries/user/", "resume", [other_owner])
    other_owner.refresh_from_db()
    assert not other_owner.is_active


def test_a_takedown_made_again_meets_what_came_late_to_it(album: Album) -> None:
    sha256 = "a" * 64
    takedown_flow.take_down(sha256, reason=Takedown.Reason.LAW, is_barred=True, by=None)
    Takedown.objects.update(made_at=timezone.now() - timedelta(days=1))
    takedown_flow.take_down(sha256, reason=Takedown.Reason.LAW, is_barred=True, by=None)
    late = ready_photo(album)
    Photo.objects.filter(pk=late.pk).update(sha256=sha256)
    takedown_flow.meet_late_ones()
    assert not Photo.objects.filter(pk=late.pk).exists()
