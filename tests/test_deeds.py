"""The log of what photographers and administrators do: written with the deed, held by the database, exported as CSV."""

import csv
import io
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, connection, transaction
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from galleries.flows import album as album_flow
from galleries.flows import deed as deed_flow
from galleries.flows import sheet, upkeep
from galleries.models import Album, ApiToken, Deed, Link, User
from galleries.models.deed import KEPT_DAYS, Verb
from tests import pictures
from tests.conftest import PASSWORD, add, api_of, browser_of, upload

LOG = "/admin/galleries/deed/"


def verbs() -> list[str]:
    return list(Deed.objects.order_by("pk").values_list("verb", flat=True))


def last() -> Deed:
    found = Deed.objects.first()
    assert found
    return found


def clerk(*codenames: str) -> User:
    user = User.objects.create_user("carl@example.org", PASSWORD, is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return user


def test_a_photographer_s_day_is_told_by_page_and_by_api(owner: User, other_owner: User) -> None:
    api, page = api_of(owner), browser_of(owner)
    basis = {"basis": "explicit_consent", "attested": True}
    made = {"title": "Summer party", "face_search": True, "legal_basis": basis}
    album = Album.objects.get(pk=api.post("/api/v1/albums/", made, format="json").json()["id"])
    link = Link.objects.get(pk=api.post(f"/api/v1/albums/{album.pk}/links/", {}, format="json").json()["id"])
    upload(api, album.pk, [("a.jpg", pictures.jpeg(pictures.quadrants()))])
    photo = album.photos.get()
    page.post(f"/photos/{photo.pk}/", {"hidden": "yes"})
    page.post(f"/albums/{album.pk}/change-photos/", {"photo": photo.pk, "change": "show"})
    page.post(f"/albums/{album.pk}/collaborators/", {"email": other_owner.email, "role": "viewer"})
    page.post(reverse("album-collaborator", args=[album.pk, album.collaborators.get().pk]), {"role": "editor"})
    page.post(reverse("album-collaborator", args=[album.pk, album.collaborators.get().pk]), {"remove": "1"})
    page.post(f"/links/{link.pk}/", {"enabled": "no"})
    api.delete(f"/api/v1/links/{link.pk}/")
    api.delete(f"/api/v1/photos/{photo.pk}/")
    page.post(f"/albums/{album.pk}/face-search/", {"on": "no", "confirmed": "yes"})
    api.patch(f"/api/v1/albums/{album.pk}/", {"title": "Winter party"}, format="json")
    api.delete(f"/api/v1/albums/{album.pk}/")
    api.post(f"/api/v1/albums/{album.pk}/restore/")
    assert verbs() == [
        "album.made", "face_search.on", "link.made", "photos.hidden", "photos.shown", "collaborator.added",
        "collaborator.changed", "collaborator.removed", "link.changed", "link.revoked", "photos.deleted",
        "face_search.off", "album.changed", "album.deleted", "album.restored",
    ]  # fmt: skip
    assert set(Deed.objects.values_list("user", flat=True)) == {owner.pk}
    assert set(Deed.objects.values_list("album", flat=True)) == {album.pk}
    by_api, by_page = Deed.objects.get(verb="album.made"), Deed.objects.get(verb="photos.hidden")
    token = ApiToken.objects.get()
    assert [by_api.via, by_api.token, by_page.via, by_page.token] == ["api", token.public_id, "page", None]
    assert by_page.facts == {"count": 1, "photos": [str(photo.pk)]}


def test_people_webhooks_and_the_end_of_an_account_are_told_too(owner: User, searchable: Album) -> None:
    api = api_of(owner)
    for on in (True, False):
        assert api.put(f"/api/v1/albums/{searchable.pk}/people/state/", {"on": on}, format="json").status_code == 200
    asked = {"url": "https://studio.example.org/hook", "events": ["album.ready"]}
    webhook = f"/api/v1/webhooks/{api.post('/api/v1/webhooks/', asked, format='json').json()['id']}/"
    api.patch(webhook, {"name": "Studio"}, format="json")
    api.patch(webhook, {"active": False}, format="json")
    api.delete(webhook)
    browser_of(owner).post(reverse("account-close"), {"password": PASSWORD})
    told = [verb for verb in verbs() if verb.startswith(("people.", "webhook.", "account."))]
    assert told == [
        "people.on", "people.off", "webhook.made", "webhook.changed", "webhook.changed",
        "webhook.deleted", "account.closed",
    ]  # fmt: skip
    assert "studio" not in str(list(Deed.objects.values_list("facts", flat=True))).lower()


def test_no_name_address_or_secret_gets_into_it(owner: User, album: Album, other_owner: User) -> None:
    page = browser_of(owner)
    page.post(f"/albums/{album.pk}/links/new/", {"password": "open sesame", "can_download": "on"})
    page.post(f"/albums/{album.pk}/collaborators/", {"email": other_owner.email, "role": "viewer"})
    link = Link.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM galleries_deed")
        written = str(cursor.fetchall())
    assert "link.made" in written
    for secret in (
        "open sesame",
        link.token,
        link.token_hash,
        owner.email,
        other_owner.email,
        album.title,
        "127.0.0.1",
    ):
        assert secret not in written
    with pytest.raises(ValueError, match="short words"):
        deed_flow.record(Verb.ALBUM_CHANGED, album, title={"new": "a title"})


def test_a_deed_that_fails_leaves_no_line_and_a_line_that_fails_undoes_the_deed(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction.atomic():
        album_flow.delete(album)
        assert verbs() == ["album.deleted"]
        transaction.set_rollback(True)
    assert verbs() == []
    monkeypatch.setattr(deed_flow, "_LONGEST", 3)
    with pytest.raises(ValueError, match="short words"):
        album_flow.switch_face_search(album, True, by=None, basis="explicit_consent", attested=True)
    album.refresh_from_db()
    assert not album.face_search


@pytest.mark.parametrize("statement", ["UPDATE galleries_deed SET verb = 'x'", "DELETE FROM galleries_deed"])
def test_the_database_itself_refuses_to_change_or_empty_the_log(album: Album, statement: str) -> None:
    deed_flow.record(Verb.ALBUM_CHANGED, album)
    with pytest.raises(DatabaseError, match="only added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert verbs() == ["album.changed"]


def test_retention_drops_what_is_a_year_old_and_nothing_younger(album: Album) -> None:
    now = timezone.now()
    for days in (KEPT_DAYS + 1, KEPT_DAYS - 1):
        Deed.objects.create(verb=Verb.ALBUM_MADE, via="site", at=now - timedelta(days=days))
    upkeep.drop_old()
    assert Deed.objects.count() == 1
    assert last().at > now - timedelta(days=KEPT_DAYS)


def test_the_log_outlives_whom_and_what_it_is_about(owner: User, admin_user: User) -> None:
    album = Album.objects.get(pk=api_of(owner).post("/api/v1/albums/", {"title": "A"}, format="json").json()["id"])
    album_flow.delete_for_good(album)
    browser_of(admin_user).post(reverse("admin:galleries_user_delete", args=[owner.pk]), {"post": "yes"})
    assert not User.objects.filter(pk=owner.pk).exists()
    assert Deed.objects.get(verb="album.made").user_id == owner.pk
    assert last().verb == "row.deleted"
    assert browser_of(admin_user).get(LOG).status_code == 200


def test_what_staff_do_by_hand_is_in_it_and_nowhere_else(admin_user: User, owner: User) -> None:
    desk = browser_of(admin_user)
    address = reverse("admin:galleries_album_add")
    inline = {"legal_bases-TOTAL_FORMS": "0", "legal_bases-INITIAL_FORMS": "0"}
    answer = desk.post(address, {"title": "New", "owner": owner.pk, "persons_a_guest": "1", **inline})
    assert answer.status_code == 302
    album = Album.objects.get()
    row = Deed.objects.get(verb="row.added")
    assert (row.user_id, row.via, row.kind, row.thing) == (admin_user.pk, "admin", "album", str(album.pk))
    history = desk.get(reverse("admin:galleries_album_history", args=[album.pk]), follow=True)
    assert str(album.pk) in history.content.decode()
    assert "1 log entry" in history.content.decode()


def test_staff_who_sign_in_are_noted_and_others_are_not(admin_user: User, owner: User) -> None:
    for user in (owner, admin_user):
        Client().post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert [(each.verb, each.user_id) for each in Deed.objects.all()] == [("staff.signed_in", admin_user.pk)]


def test_the_log_is_filtered_searched_and_exported(admin_user: User, owner: User, album: Album) -> None:
    with deed_flow.in_request(_request_of(owner)):
        deed_flow.record(Verb.ALBUM_CHANGED, album, fields=["title"])
    deed_flow.record(Verb.ALBUM_GONE, Album(pk=uuid4()))
    desk = browser_of(admin_user)
    for query in ({"q": str(album.pk)}, {"q": "olga"}, {"verb__exact": "album.changed"}, {"via__exact": "page"}):
        assert "1 log entry" in desk.get(LOG, query).content.decode(), query
    assert str(album.pk) not in desk.get(LOG, {"q": "nobody@example.org"}).content.decode()
    rows = exported(desk, {"verb__exact": "album.changed"})
    assert len(rows) == 2
    assert dict(zip(*rows, strict=True))["facts"] == '{"fields": ["title"]}'
    assert last().verb == "log.exported"


def _request_of(user: User) -> Any:
    request: Any = RequestFactory().get("/")
    request.user = user
    request.resolver_match = None
    return request


def exported(desk: Client, query: dict[str, str]) -> list[list[str]]:
    answer: Any = desk.get(f"{LOG}export/", query)
    assert answer["Content-Type"].startswith("text/csv")
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_of_the_export_is_a_formula(cell: str) -> None:
    written = sheet.line([cell, "plain", None])
    assert next(csv.reader(io.StringIO(written, newline=""))) == [f"'{cell}", "plain", ""]


def test_staff_see_and_export_it_only_with_the_permission_and_nobody_writes_it(album: Album, admin_user: User) -> None:
    deed_flow.record(Verb.ALBUM_CHANGED, album)
    reader, other = browser_of(clerk("view_deed")), browser_of(admin_user)
    assert [reader.get(path).status_code for path in (LOG, f"{LOG}export/")] == [200, 200]
    User.objects.get(email="carl@example.org").user_permissions.set(Permission.objects.filter(codename="view_album"))
    assert [reader.get(path).status_code for path in (LOG, f"{LOG}export/")] == [403, 403]
    row = Deed.objects.order_by("pk")[0]
    for name, args in (("add", []), ("delete", [row.pk])):
        assert other.post(reverse(f"admin:galleries_deed_{name}", args=args), {"post": "yes"}).status_code == 403
    assert other.post(reverse("admin:galleries_deed_change", args=[row.pk]), {"verb": "x"}).status_code == 403


def test_a_page_of_the_log_counts_no_further_than_anybody_turns_pages(
    admin_user: User, django_assert_max_num_queries: Any
) -> None:
    Deed.objects.bulk_create(Deed(verb=Verb.ALBUM_MADE, via="site") for _ in range(10_050))
    desk = browser_of(admin_user)
    with django_assert_max_num_queries(12):
        page = desk.get(LOG)
    assert "10000 log" in page.content.decode()


def test_photos_that_came_by_upload_are_not_deeds(album: Album) -> None:
    add(album, pictures.jpeg(pictures.quadrants()))
    assert verbs() == []
