"""People who work on an album beside its owner: how they come, what they see of it, and how they go."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from galleries.models import Album, Collaborator, Link, Photo, User
from tests import pictures
from tests.conftest import PASSWORD, api_of, browser_of, ready_photo, upload


@pytest.fixture
def colleague(transactional_db: None) -> User:
    return User.objects.create_user("cora@example.org", PASSWORD)


@pytest.fixture
def editor(album: Album, colleague: User) -> Collaborator:
    return Collaborator.objects.create(album=album, user=colleague, role="editor")


def list_of(album: Album) -> str:
    return f"/api/v1/albums/{album.pk}/collaborators/"


def test_the_owner_adds_changes_and_removes_over_the_api(owner_api: APIClient, album: Album, colleague: User) -> None:
    theirs, address = api_of(colleague), f"/api/v1/albums/{album.pk}/"
    assert theirs.get(address).status_code == 404
    made = owner_api.post(list_of(album), {"email": "Cora@Example.org", "role": "viewer"}, format="json")
    assert made.status_code == 201
    assert made.json() | {"email": "cora@example.org", "role": "viewer"} == made.json()
    assert theirs.get(address).json()["role"] == "viewer"
    assert theirs.patch(address, {"title": "Ours"}, format="json").status_code == 403
    row = f"{list_of(album)}{made.json()['id']}/"
    assert owner_api.patch(row, {"role": "editor"}, format="json").json()["role"] == "editor"
    assert theirs.patch(address, {"title": "Ours"}, format="json").status_code == 200
    assert [each["email"] for each in owner_api.get(list_of(album)).json()["results"]] == ["cora@example.org"]
    assert owner_api.delete(row).status_code == 204
    assert theirs.get(address).status_code == 404


def test_added_again_somebody_gets_the_other_role(owner_api: APIClient, album: Album, editor: Collaborator) -> None:
    owner_api.post(list_of(album), {"email": "cora@example.org", "role": "viewer"}, format="json")
    assert [each.role for each in album.collaborators.all()] == ["viewer"]


def test_of_an_address_that_is_refused_nobody_learns_why(owner_api: APIClient, album: Album, colleague: User) -> None:
    User.objects.create_user("dora@example.org", PASSWORD, is_active=False)
    answers = {
        owner_api.post(list_of(album), {"email": email, "role": "viewer"}, format="json").content
        for email in ("nobody@example.org", "dora@example.org", "olga@example.org")
    }
    assert len(answers) == 1
    assert b"not_added" in answers.pop()


def test_addresses_are_not_tried_out_by_the_hundred(owner_api: APIClient, album: Album, colleague: User) -> None:
    for _ in range(25):
        there = owner_api.post(list_of(album), {"email": colleague.email, "role": "viewer"}, format="json")
        assert there.status_code == 201
    vain = [{"email": f"{n}@example.org", "role": "viewer"} for n in range(25)]
    answers = [owner_api.post(list_of(album), each, format="json") for each in vain]
    assert [answer.status_code for answer in answers] == [400] * 20 + [429] * 5
    assert int(answers[-1]["Retry-After"]) > 60


def test_a_row_of_another_album_is_not_changed_through_ones_own(
    album: Album, editor: Collaborator, other_owner: User
) -> None:
    own = Album.objects.create(owner=other_owner, title="Own")
    answer = api_of(other_owner).delete(f"{list_of(own)}{editor.pk}/")
    assert answer.status_code == 404
    assert Collaborator.objects.filter(pk=editor.pk).exists()


def test_the_page_adds_changes_and_removes(desk: Client, album: Album, colleague: User) -> None:
    page = reverse("album-collaborators", args=[album.pk])
    assert "cannot be added" in desk.post(page, {"email": "x@example.org", "role": "viewer"}).content.decode()
    desk.post(page, {"email": "cora@example.org", "role": "viewer"})
    row = album.collaborators.get()
    assert "cora@example.org" in desk.get(page).content.decode()
    one = reverse("album-collaborator", args=[album.pk, row.pk])
    desk.post(one, {"role": "editor"})
    row.refresh_from_db()
    assert row.role == "editor"
    assert desk.post(one, {"role": "owner"}).status_code == 400
    desk.post(one, {"remove": "yes"})
    assert not album.collaborators.exists()


def test_the_list_of_albums_says_whose_a_shared_one_is(desk: Client, album: Album, editor: Collaborator) -> None:
    assert "olga@example.org" in browser_of(editor.user).get("/albums/").content.decode()
    rows = desk.get("/albums/").content.decode().partition("<main")[2]
    assert album.title in rows
    assert "olga@example.org" not in rows


def offered(client: Client, album: Album) -> set[str]:
    page = client.get(f"/albums/{album.pk}/").content.decode()
    names = {"album-edit", "album-delete", "album-upload", "album-zip", "album-link-new", "album-collaborators"}
    names |= {"album-face-search", "album-photos-delete", "album-leave"}
    return {name for name in names if reverse(name, args=[album.pk]) in page}


def test_the_album_s_page_offers_what_the_role_allows(desk: Client, album: Album, editor: Collaborator) -> None:
    ready_photo(album, pictures.jpeg(pictures.quadrants()))
    theirs = browser_of(editor.user)
    days_work = {"album-edit", "album-upload", "album-zip", "album-link-new", "album-photos-delete"}
    assert offered(desk, album) == days_work | {"album-delete", "album-face-search", "album-collaborators"}
    assert offered(theirs, album) == days_work | {"album-leave"}
    Collaborator.objects.update(role="viewer")
    assert offered(theirs, album) == {"album-zip", "album-leave"}


def test_who_leaves_is_out(album: Album, editor: Collaborator) -> None:
    theirs, leave = browser_of(editor.user), reverse("album-leave", args=[album.pk])
    theirs.post(leave)
    assert theirs.get(f"/albums/{album.pk}/").status_code == 200
    theirs.post(leave, {"confirmed": "yes"})
    assert theirs.get(f"/albums/{album.pk}/").status_code == 404


def test_a_zip_ends_with_the_role(album: Album, editor: Collaborator) -> None:
    ready_photo(album, pictures.jpeg(pictures.quadrants()))
    theirs = api_of(editor.user)
    zipped = theirs.post(f"/api/v1/albums/{album.pk}/archives/", {}, format="json").json()["url"]
    assert theirs.get(zipped).status_code == 200
    editor.delete()
    assert theirs.get(zipped).status_code == 404


def test_only_the_owner_changes_a_link_s_password(owner_api: APIClient, album: Album, editor: Collaborator) -> None:
    link = Link.make(album, password="open sesame")
    address, theirs = f"/api/v1/links/{link.pk}/", api_of(editor.user)
    assert theirs.patch(address, {"can_download": False}, format="json").status_code == 200
    assert theirs.patch(address, {"password": ""}, format="json").status_code == 403
    page = browser_of(editor.user).get(f"/links/{link.pk}/").content.decode()
    assert 'name="password"' not in page
    assert "remove_password" not in page
    browser_of(editor.user).post(f"/links/{link.pk}/", {"can_browse": "on", "password": "new", "remove_password": "on"})
    link.refresh_from_db()
    assert link.can_browse
    assert link.accepts("open sesame")
    assert owner_api.patch(address, {"password": ""}, format="json").status_code == 200


def test_only_the_owner_switches_face_search(album: Album, editor: Collaborator) -> None:
    basis: dict[str, Any] = {"basis": "contract", "attested": True}
    wish = {"face_search": True, "legal_basis": basis, "title": "Mine"}
    assert api_of(editor.user).patch(f"/api/v1/albums/{album.pk}/", wish, format="json").status_code == 403
    album.refresh_from_db()
    assert (album.face_search, album.title) == (False, "Summer party")


def test_an_editor_s_photos_are_the_album_s(album: Album, editor: Collaborator) -> None:
    sent = upload(api_of(editor.user), album.pk, [("a.jpg", pictures.jpeg(pictures.quadrants()))])
    assert sent.status_code == 201
    editor.user.delete()
    assert Photo.objects.filter(album=album).count() == 1


def test_how_much_an_owner_keeps_in_all_is_not_told_to_others(album: Album, editor: Collaborator) -> None:
    page = reverse("album", args=[album.pk])
    assert "In all albums:" in browser_of(album.owner).get(page).content.decode()
    assert "In all albums:" not in browser_of(editor.user).get(page).content.decode()
