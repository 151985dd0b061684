"""ETags: what a client has is not sent again; what has changed meanwhile is not changed or deleted over it."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from rest_framework.test import APIClient

from galleries.api.authentication import ViewerView
from galleries.flows import webhook as webhook_flow
from galleries.models import Album, Link, User
from tests import pictures, routes
from tests.conftest import add, api_of, browser_of, guest_api, ready_photo, search
from tests.test_api import problem
from tests.test_races import beginning_at

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_a_client_has_is_not_sent_again(album: Album, owner_api: APIClient) -> None:
    address = f"/api/v1/albums/{album.pk}/"
    first = owner_api.get(address)
    again = owner_api.get(address, HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert (again["ETag"], again["Vary"]) == (first["ETag"], first["Vary"])
    assert first["Cache-Control"] == again["Cache-Control"] == "private, no-cache"
    album.title = "Another title"
    album.save()
    changed = owner_api.get(address, HTTP_IF_NONE_MATCH=first["ETag"])
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_every_read_has_an_etag_and_a_head_has_the_same(album: Album, owner_api: APIClient) -> None:
    link, photo = Link.make(album), ready_photo(album)
    reads = ["albums/", f"albums/{album.pk}/progress/", f"albums/{album.pk}/photos/", f"albums/{album.pk}/links/"]
    reads += [f"photos/{photo.pk}/", f"links/{link.pk}/", f"links/{link.pk}/qr.svg", f"links/{link.token}/"]
    for path in reads:
        answer = owner_api.get(f"/api/v1/{path}")
        assert answer["ETag"].startswith('"'), path
        assert owner_api.head(f"/api/v1/{path}")["ETag"] == answer["ETag"], path
        assert owner_api.get(f"/api/v1/{path}", HTTP_IF_NONE_MATCH=answer["ETag"]).status_code == 304, path


def test_a_page_of_a_long_list_is_the_same_while_nothing_changes(album: Album, owner_api: APIClient) -> None:
    """Its cursor, too, says the same each time."""
    for shade in range(3):
        add(album, pictures.jpeg(pictures.quadrants() // (shade + 1)), f"{shade}.jpg")
    address = f"/api/v1/albums/{album.pk}/photos/?limit=1"
    first = owner_api.get(address)
    assert first.json()["next"]
    assert owner_api.get(address, HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 304


def test_secrets_and_errors_are_kept_nowhere(album: Album, owner_api: APIClient, other_owner: User) -> None:
    link = Link.make(album)
    assert owner_api.get(f"/api/v1/links/{link.pk}/")["Cache-Control"] == "private, no-store"
    foreign = api_of(other_owner).get(f"/api/v1/albums/{album.pk}/")
    assert foreign["Cache-Control"] == "private, no-store"
    assert "ETag" not in foreign


def test_an_etag_opens_nothing(album: Album, owner_api: APIClient, other_owner: User) -> None:
    address = f"/api/v1/albums/{album.pk}/"
    etag = owner_api.get(address)["ETag"]
    conditions: list[dict[str, Any]] = [{"HTTP_IF_NONE_MATCH": etag}, {"HTTP_IF_NONE_MATCH": "*"}]
    for condition in (*conditions, {"HTTP_IF_MATCH": etag}):
        problem(api_of(other_owner).get(address, **condition), 404, "not_found")
        problem(api_of(other_owner).patch(address, {"title": "B"}, format="json", **condition), 404, "not_found")
        problem(APIClient().get(address, **condition), 401, "not_authenticated")


def test_a_role_that_sees_less_has_an_etag_of_its_own(album: Album, owner: User, other_owner: User) -> None:
    album.collaborators.create(user=other_owner, role="viewer")
    address = f"/api/v1/albums/{album.pk}/"
    etag = api_of(owner).get(address)["ETag"]
    assert api_of(other_owner).get(address, HTTP_IF_NONE_MATCH=etag).status_code == 200


def test_what_changed_since_it_was_read_is_not_changed(album: Album, owner_api: APIClient) -> None:
    address = f"/api/v1/albums/{album.pk}/"
    seen = owner_api.get(address)["ETag"]
    changed = owner_api.patch(address, {"title": "Mine"}, format="json", HTTP_IF_MATCH=seen)
    assert changed.status_code == 200
    problem(owner_api.patch(address, {"title": "B"}, format="json", HTTP_IF_MATCH=seen), 412, "precondition_failed")
    problem(owner_api.delete(address, HTTP_IF_MATCH=seen), 412, "precondition_failed")
    problem(owner_api.get(address, HTTP_IF_MATCH=seen), 412, "precondition_failed")
    assert Album.objects.get().title == "Mine"
    # The answer to a change says what a read would.
    assert owner_api.get(address)["ETag"] == changed["ETag"]
    assert owner_api.patch(address, {"title": "C"}, format="json", HTTP_IF_MATCH="*").status_code == 200
    assert owner_api.delete(address, HTTP_IF_MATCH=owner_api.get(address)["ETag"]).status_code == 204


@pytest.mark.parametrize("kind", ["photo", "link", "collaborator"])
def test_if_match_guards_what_an_album_has(album: Album, owner_api: APIClient, other_owner: User, kind: str) -> None:
    collaborator = album.collaborators.create(user=other_owner, role="viewer")
    address, change = {
        "photo": lambda: (f"photos/{ready_photo(album).pk}/", {"hidden": True}),
        "link": lambda: (f"links/{Link.make(album).pk}/", {"can_browse": True}),
        "collaborator": lambda: (f"albums/{album.pk}/collaborators/{collaborator.pk}/", {"role": "editor"}),
    }[kind]()
    address = f"/api/v1/{address}"
    seen = owner_api.get(address)["ETag"]
    assert owner_api.patch(address, change, format="json", HTTP_IF_MATCH=seen).status_code == 200
    problem(owner_api.delete(address, HTTP_IF_MATCH=seen), 412, "precondition_failed")
    assert owner_api.delete(address, HTTP_IF_MATCH=owner_api.get(address)["ETag"]).status_code == 204


def test_if_match_guards_a_logo_which_is_no_json(album: Album, owner_api: APIClient) -> None:
    address = f"/api/v1/albums/{album.pk}/logo/"

    def put(shade: int, **condition: Any) -> Any:
        picture = pictures.png(pictures.quadrants() // shade)
        return owner_api.put(address, {"logo": SimpleUploadedFile("logo.png", picture)}, **condition)

    assert put(1).status_code == 200
    seen = owner_api.get(address)["ETag"]
    assert put(2, HTTP_IF_MATCH=seen).status_code == 200
    now = owner_api.get(address)["ETag"]
    problem(put(3, HTTP_IF_MATCH=seen), 412, "precondition_failed")
    problem(owner_api.delete(address, HTTP_IF_MATCH=seen), 412, "precondition_failed")
    assert owner_api.get(address)["ETag"] == now
    assert owner_api.delete(address, HTTP_IF_MATCH=now).status_code == 204


def test_if_match_guards_what_is_put(searchable: Album, owner_api: APIClient) -> None:
    address = f"/api/v1/albums/{searchable.pk}/people/state/"
    seen = owner_api.get(address)["ETag"]
    assert owner_api.put(address, {"on": True}, format="json", HTTP_IF_MATCH=seen).status_code == 200
    problem(owner_api.put(address, {"on": False}, format="json", HTTP_IF_MATCH=seen), 412, "precondition_failed")
    assert owner_api.get(address).json()["on"]


def test_whatever_is_changed_is_held_while_it_is_compared() -> None:
    views = {pattern.callback.cls for _, pattern in routes.routes() if hasattr(pattern.callback, "cls")}
    changed = {view for view in views if hasattr(view, "get") and (hasattr(view, "patch") or hasattr(view, "put"))}
    assert len(changed) > 5
    assert {view.__name__ for view in changed if view.hold is ViewerView.hold} == set()


def test_of_two_changes_at_once_of_what_both_saw_one_is_made(
    owner: User, owner_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor == "sqlite":
        # One transaction writes at a time; test_postgres runs it where they meet.
        return
    webhook, _ = webhook_flow.make(owner, url="https://example.org/", events=["photo.ready"])
    address, other = f"/api/v1/webhooks/{webhook.pk}/", api_of(owner)
    seen, late = owner_api.get(address)["ETag"], []

    def change(client: APIClient, name: str) -> int:
        return int(client.patch(address, {"name": name}, format="json", HTTP_IF_MATCH=seen).status_code)

    thread, errors = beginning_at(monkeypatch, webhook_flow, "change", lambda: late.append(change(other, "late")))
    assert change(owner_api, "first") == 200
    thread.join()
    assert (late, errors) == ([412], [])
    webhook.refresh_from_db()
    assert webhook.name == "first"


def test_a_guest_s_result_is_asked_for_again_and_again_at_little_cost(searchable: Album, link: Link) -> None:
    ready_photo(searchable)
    found = search(link)
    address = f"/api/v1/selfies/{found.selfie.pk}/"
    first = found.api.get(address)
    assert first["Cache-Control"] == "private, no-store"
    assert found.api.get(address, HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 304
    problem(guest_api(search(link).key).get(address, HTTP_IF_NONE_MATCH=first["ETag"]), 404, "not_found")


def test_a_browser_that_is_signed_in_is_told_304_too(album: Album, owner: User) -> None:
    browser, address = browser_of(owner), f"/api/v1/albums/{album.pk}/progress/"
    assert browser.get(address, headers={"if-none-match": browser.get(address)["ETag"]}).status_code == 304
