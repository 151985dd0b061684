"""`Idempotency-Key`: sent twice, done once, answered the same; whoever sends it, whatever comes at once."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from galleries.flows import album as album_flow
from galleries.flows import upkeep
from galleries.models import Album, Archive, Collaborator, Guest, IdempotencyKey, Link, Selfie, User
from galleries.models.idempotency import KEPT_HOURS
from galleries.models.lease import from_now
from galleries.uploads import IncomingHandler
from tests import pictures, routes
from tests.conftest import api_of, browser_of, guest_api, ready_photo, search
from tests.test_api import problem

pytestmark = pytest.mark.django_db(transaction=True)


def post(client: APIClient | Client, path: str, body: Any, key: str) -> Any:
    return client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json", HTTP_IDEMPOTENCY_KEY=key)


def send_selfie(client: APIClient, link: Link, key: str, data: bytes | None = None, **fields: str) -> Any:
    picture = SimpleUploadedFile("me.jpg", data or pictures.selfie_jpeg())
    body = {"selfie": picture, "consent": "true", **fields}
    return client.post(f"/api/v1/links/{link.token}/selfies/", body, HTTP_IDEMPOTENCY_KEY=key)


def test_the_same_key_gets_the_same_answer_and_makes_nothing_more(owner_api: APIClient) -> None:
    first = post(owner_api, "albums/", {"title": "A"}, "one")
    again = post(owner_api, "albums/", {"title": "A"}, "one")
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert (again["Idempotency-Replayed"], "Idempotency-Replayed" in first) == ("true", False)
    other = post(owner_api, "albums/", {"title": "A"}, "two")
    assert other.json()["id"] != first.json()["id"]
    assert Album.objects.count() == 2


def test_another_body_under_the_same_key_is_refused(owner_api: APIClient) -> None:
    post(owner_api, "albums/", {"title": "A", "event_date": "2026-06-20"}, "one")
    problem(post(owner_api, "albums/", {"title": "B"}, "one"), 422, "idempotency_key_reused")
    # The same thing, written in another order.
    assert post(owner_api, "albums/", {"event_date": "2026-06-20", "title": "A"}, "one").status_code == 201
    assert Album.objects.count() == 1


def test_an_error_does_nothing_and_leaves_the_key_free(owner_api: APIClient) -> None:
    problem(post(owner_api, "albums/", {"title": ""}, "one"), 400, "invalid")
    problem(post(owner_api, "albums/", {"title": "A", "face_search": True}, "one"), 400, "legal_basis_required")
    assert not IdempotencyKey.objects.exists()
    assert post(owner_api, "albums/", {"title": "A"}, "one").status_code == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 256])
def test_a_key_that_is_none_is_refused(owner_api: APIClient, key: str) -> None:
    problem(post(owner_api, "albums/", {"title": "A"}, key), 400, "idempotency_key_invalid")
    assert not Album.objects.exists()


def test_without_the_header_nothing_is_asked_of_the_table(
    owner_api: APIClient, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(30) as asked:
        owner_api.post("/api/v1/albums/", {"title": "A"}, format="json")
    assert not [each for each in asked.captured_queries if "idempotency" in each["sql"].lower()]


def test_a_key_is_its_asker_s_and_its_route_s(album: Album, owner: User, other_owner: User) -> None:
    first, second, browser = api_of(owner), api_of(owner), browser_of(owner)
    ids = {post(each, "albums/", {"title": "A"}, "one").json()["id"] for each in (first, second, browser)}
    ids.add(post(api_of(other_owner), "albums/", {"title": "A"}, "one").json()["id"])
    assert len(ids) == 4
    assert post(first, f"albums/{album.pk}/links/", {}, "one").status_code == 201
    problem(post(api_of(owner, "read"), "albums/", {"title": "A"}, "one"), 403, "scope_missing")
    problem(post(APIClient(), "albums/", {"title": "A"}, "one"), 401, "not_authenticated")


def test_a_revoked_token_has_no_answers(owner: User) -> None:
    client = api_of(owner)
    post(client, "albums/", {"title": "A"}, "one")
    owner.auth_token_set.all().delete()
    problem(post(client, "albums/", {"title": "A"}, "one"), 401, "authentication_failed")


def test_photos_sent_again_are_counted_once(album: Album, owner_api: APIClient) -> None:
    """The form is parsed anew, with another boundary; what it says is the same."""

    def send(data: bytes) -> Any:
        files = {"file": [SimpleUploadedFile("a.jpg", data)], "path": ["x/a.jpg"]}
        return owner_api.post(f"/api/v1/albums/{album.pk}/photos/", files, HTTP_IDEMPOTENCY_KEY="one")

    picture = pictures.jpeg(pictures.quadrants())
    first, again = send(picture), send(picture)
    assert first.json() == again.json()
    assert len(again.json()["accepted"]) == 1
    album.refresh_from_db()
    assert album.duplicates == 0
    problem(send(pictures.png(pictures.quadrants())), 422, "idempotency_key_reused")


BELOW_AN_ID = [
    (name, pattern)
    for method, name, pattern in routes.asked()
    if method == "POST" and name.startswith("api:") and routes.names_in(pattern) - {"rest"}
]


@pytest.fixture
def taken_in(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of files that were read to their end."""
    names: list[str] = []
    complete = IncomingHandler.file_complete

    def noted(handler: IncomingHandler, size: int) -> Any:
        names.append(str(handler.file_name))
        return complete(handler, size)

    monkeypatch.setattr(IncomingHandler, "file_complete", noted)
    return names


@pytest.mark.parametrize(("name", "pattern"), BELOW_AN_ID, ids=[name for name, _ in BELOW_AN_ID])
def test_a_stranger_s_body_is_not_read(other_owner: User, taken_in: list[str], name: str, pattern: Any) -> None:
    """Nor is a key of theirs kept; what is sent would be taken from whoever may."""
    ids: dict[str, Any] = {each: uuid4() for each in routes.names_in(pattern)}
    path = routes.address(name, pattern, ids)
    body, kind = routes.body("POST", name, dict.fromkeys(("photo_id", "person_id"), uuid4()) | ids)
    with CaptureQueriesContext(connection) as asked:
        for client in (api_of(other_owner), browser_of(other_owner), APIClient()):
            answer = client.generic("POST", path, body, kind, HTTP_IDEMPOTENCY_KEY=str(uuid4()))
            assert answer.status_code in (401, 404)
    assert taken_in == []
    # Where the deed shuts the door behind itself, the handler alone knows who was let in.
    if name not in ("api:album-leave", "api:album-restore"):
        assert not [each for each in asked.captured_queries if "galleries_idempotencykey" in each["sql"]]
    assert not IdempotencyKey.objects.exists()


def test_whoever_may_not_send_sends_in_vain(album: Album, owner: User, link: Link, taken_in: list[str]) -> None:
    link.set_password("open sesame")
    link.save()
    file = SimpleUploadedFile("a.jpg", pictures.jpeg(pictures.quadrants()))
    path = f"/api/v1/albums/{album.pk}/photos/"
    problem(api_of(owner, "read").post(path, {"file": file}, HTTP_IDEMPOTENCY_KEY="one"), 403, "scope_missing")
    problem(send_selfie(APIClient(), link, str(uuid4())), 403, "password_required")
    assert (taken_in, IdempotencyKey.objects.count()) == ([], 0)
    file.seek(0)
    assert api_of(owner).post(path, {"file": file}, HTTP_IDEMPOTENCY_KEY="one").status_code == 201
    assert taken_in == ["a.jpg"]


def test_whoever_was_let_in_then_and_is_no_longer_has_no_answer(album: Album, other_owner: User) -> None:
    editor = Collaborator.objects.create(album=album, user=other_owner, role="editor")
    client = api_of(other_owner)
    assert "token" in post(client, f"albums/{album.pk}/links/", {}, "one").json()
    editor.delete()
    problem(post(client, f"albums/{album.pk}/links/", {}, "one"), 404, "not_found")


def test_what_shuts_the_door_behind_itself_is_answered_again(album: Album, owner: User, other_owner: User) -> None:
    Collaborator.objects.create(album=album, user=other_owner, role="editor")
    leaving, restoring = api_of(other_owner), api_of(owner)
    for _ in range(2):
        assert post(leaving, f"albums/{album.pk}/leave/", {}, "one").status_code == 204
    album_flow.delete(album)
    for _ in range(2):
        assert post(restoring, f"albums/{album.pk}/restore/", {}, "one").status_code == 200


def test_a_guest_whose_answer_was_lost_gets_their_key_again(searchable: Album, link: Link) -> None:
    ready_photo(searchable)
    key = str(uuid4())
    first, again = send_selfie(APIClient(), link, key), send_selfie(APIClient(), link, key)
    assert first.status_code == again.status_code == 202
    assert again.json()["guest_key"] == first.json()["guest_key"]
    assert (Selfie.objects.count(), Guest.objects.count()) == (1, 1)
    problem(send_selfie(APIClient(), link, key, keep_me_posted="true"), 422, "idempotency_key_reused")
    # Somebody who is a guest already is somebody else.
    assert send_selfie(guest_api(first.json()["guest_key"]), link, key).json()["id"] != first.json()["id"]


def test_nobody_in_particular_needs_a_key_that_cannot_be_guessed(link: Link) -> None:
    problem(send_selfie(APIClient(), link, "1"), 400, "idempotency_key_too_short")
    problem(post(APIClient(), f"links/{link.token}/unlock/", {}, "1"), 400, "idempotency_key_too_short")


def test_a_zip_a_link_and_a_word_are_made_once(searchable: Album, link: Link, owner_api: APIClient) -> None:
    ready_photo(searchable)
    found = search(link)
    for path in (f"selfies/{found.selfie.pk}/archives/", f"albums/{searchable.pk}/archives/"):
        client = found.api if "selfies" in path else owner_api
        assert post(client, path, {}, "one").json() == post(client, path, {}, "one").json()
    assert Archive.objects.count() == 2
    links = [post(owner_api, f"albums/{searchable.pk}/links/", {}, "one").json() for _ in range(2)]
    assert links[0] == links[1]
    assert searchable.links.count() == 2


def test_no_secret_lies_in_the_table(searchable: Album, link: Link, owner_api: APIClient) -> None:
    key = str(uuid4())
    guest_key = send_selfie(APIClient(), link, key).json()["guest_key"]
    made = post(owner_api, f"albums/{searchable.pk}/links/", {"password": "open sesame"}, "one").json()
    kept = "".join(f"{vars(row)}{bytes(row.answer_sealed or b'')!r}" for row in IdempotencyKey.objects.all())
    assert IdempotencyKey.objects.filter(status__isnull=False).count() == 2
    for secret in (guest_key, key, made["token"], made["url"], "open sesame", link.token):
        assert secret not in kept


def test_while_it_is_under_way_the_same_is_told_to_wait(owner_api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    make = album_flow.make

    def meanwhile(*args: Any, **facts: Any) -> Any:
        if not seen:
            seen.append(post(owner_api, "albums/", {"title": "A"}, "one"))
            seen.append(post(owner_api, "albums/", {"title": "B"}, "one"))
        return make(*args, **facts)

    monkeypatch.setattr(album_flow, "make", meanwhile)
    assert post(owner_api, "albums/", {"title": "A"}, "one").status_code == 201
    problem(seen[0], 409, "idempotency_in_progress")
    problem(seen[1], 422, "idempotency_key_reused")


def test_a_process_that_died_midway_has_made_nothing_and_the_next_one_does(
    owner_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction is gone, its claim is not; once that has run out, the key is free."""

    def die(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as dying:
        dying.setattr(IdempotencyKey, "keep", die)
        dying.setattr(IdempotencyKey, "forget", die)
        with pytest.raises(SystemExit):
            post(owner_api, "albums/", {"title": "A"}, "one")
    assert not Album.objects.exists()
    problem(post(owner_api, "albums/", {"title": "A"}, "one"), 409, "idempotency_in_progress")
    IdempotencyKey.objects.update(lease_until=from_now(-1))
    assert post(owner_api, "albums/", {"title": "A"}, "one").status_code == 201


def test_answers_go_after_a_day_and_with_their_user(owner: User, owner_api: APIClient) -> None:
    post(owner_api, "albums/", {"title": "A"}, "one")
    post(owner_api, "albums/", {"title": "A"}, "two")
    old = IdempotencyKey.objects.order_by("pk")[:1].values("pk")
    IdempotencyKey.objects.filter(pk__in=old).update(created_at=from_now(-KEPT_HOURS * 3600 - 1))
    upkeep.drop_old()
    assert IdempotencyKey.objects.count() == 1
    owner.delete()
    assert not IdempotencyKey.objects.exists()
