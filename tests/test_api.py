"""The contract of the API beside the journeys: credentials, scopes, problems, pages, links, the schema."""

import io
import json
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from galleries import access
from galleries.models import Album, ApiToken, Guest, Link, Photo, User
from tests import pictures
from tests.conftest import PASSWORD, add, api_of, browser_of, guest_api, ready_photo, search, upload, work_off


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.content)
    assert (body["status"], body["code"]) == (status, code)
    assert {"type", "title", "detail"} <= body.keys()
    return body


def test_an_album_is_made_changed_listed_and_deleted(owner_api: APIClient) -> None:
    made = owner_api.post("/api/v1/albums/", {"title": "Wedding", "event_date": "2026-06-20"}, format="json")
    assert made.status_code == 201
    address = f"/api/v1/albums/{made.json()['id']}/"
    assert owner_api.patch(address, {"title": "Wedding of A & B"}, format="json").json()["title"] == "Wedding of A & B"
    page = owner_api.get("/api/v1/albums/").json()
    assert page.keys() == {"next", "previous", "results"}
    assert [each["title"] for each in page["results"]] == ["Wedding of A & B"]
    assert owner_api.delete(address).status_code == 204
    problem(owner_api.get(address), 404, "not_found")


def test_face_search_wants_a_legal_basis(owner_api: APIClient) -> None:
    for basis in ({}, {"legal_basis": {"basis": "contract", "attested": False}}):
        answer = owner_api.post("/api/v1/albums/", {"title": "A", "face_search": True, **basis}, format="json")
        problem(answer, 400, "legal_basis_required")
    assert not Album.objects.exists()
    good = {"title": "A", "face_search": True, "legal_basis": {"basis": "explicit_consent", "attested": True}}
    assert owner_api.post("/api/v1/albums/", good, format="json").json()["face_search"] is True


def test_credentials_are_wanted_and_foreign_is_missing(album: Album, other_owner: User) -> None:
    address = f"/api/v1/albums/{album.pk}/"
    assert problem(APIClient().get(address), 401, "not_authenticated")
    stranger = api_of(other_owner)
    foreign, missing = stranger.get(address), stranger.get(f"/api/v1/albums/{uuid4()}/")
    problem(foreign, 404, "not_found")
    assert foreign.content == missing.content
    wrong = APIClient()
    wrong.credentials(HTTP_AUTHORIZATION="Token 0123456789")
    problem(wrong.get(address), 401, "authentication_failed")


def test_a_token_does_what_its_scopes_say(owner: User, album: Album) -> None:
    photos, progress = f"/api/v1/albums/{album.pk}/photos/", f"/api/v1/albums/{album.pk}/progress/"
    reader, uploader = api_of(owner, "read"), api_of(owner, "upload")
    assert reader.get(progress).status_code == 200
    problem(upload(reader, album.pk, [("a.jpg", pictures.jpeg(pictures.quadrants()))]), 403, "scope_missing")
    problem(reader.delete(f"/api/v1/albums/{album.pk}/"), 403, "scope_missing")
    assert upload(uploader, album.pk, [("a.jpg", pictures.jpeg(pictures.quadrants()))]).status_code == 201
    problem(uploader.get(photos), 403, "scope_missing")


def test_a_token_that_may_only_read_erases_no_search(owner: User, link: Link) -> None:
    found = search(link)
    Guest.objects.update(user=owner)
    address = f"/api/v1/selfies/{found.selfie.pk}/"
    assert api_of(owner, "read").get(address).status_code == 200
    problem(api_of(owner, "read").delete(address), 403, "scope_missing")
    assert api_of(owner, "manage").delete(address).status_code == 204


@pytest.mark.parametrize("token", ["\xff\xfe", "äö", "a\0b", "a" * 100_000, "-"])
def test_whatever_comes_as_a_token_is_answered_401(db: None, token: str) -> None:
    answer = APIClient().get("/api/v1/albums/", HTTP_AUTHORIZATION=f"Token {token}")
    problem(answer, 401, "authentication_failed")


def test_a_disabled_users_token_is_worth_nothing(owner: User, album: Album, owner_api: APIClient) -> None:
    User.objects.update(is_active=False)
    assert owner_api.get(f"/api/v1/albums/{album.pk}/").status_code == 401


def test_a_signed_in_browser_may_call_too_but_writes_want_csrf(owner: User, album: Album) -> None:
    assert browser_of(owner).get("/api/v1/albums/").status_code == 200
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner)
    problem(strict.delete(f"/api/v1/albums/{album.pk}/"), 403, "permission_denied")
    assert Album.objects.exists()


def test_a_guests_cookie_may_write_only_with_csrf(searchable: Album, link: Link, settings: Any) -> None:
    ready_photo(searchable)
    found = search(link)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies[settings.PIXORA_GUEST_COOKIE] = found.key
    address = f"/api/v1/selfies/{found.selfie.pk}/"
    assert strict.get(address).status_code == 200
    problem(strict.delete(address), 403, "permission_denied")
    assert strict.get(address).status_code == 200


def test_an_unknown_guest_key_is_401_and_the_header_beats_the_cookie(link: Link, settings: Any) -> None:
    found, other = search(link), search(link)
    address = f"/api/v1/selfies/{found.selfie.pk}/"
    problem(guest_api("no such key").get(address), 401, "unknown_guest_key")
    client = guest_api(other.key)
    client.cookies[settings.PIXORA_GUEST_COOKIE] = found.key
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("post", "albums/", {}, 400),
        ("post", "albums/", {"title": "x" * 500}, 400),
        ("post", "albums/", {"title": "nul\0"}, 400),
        ("post", "albums/", {"title": "A", "event_date": "June"}, 400),
        ("post", "albums/", [1, 2], 400),
        ("put", "albums/", {}, 405),
        ("post", "albums/{album}/photos/check/", {"files": [{"sha256": "x"}]}, 400),
        ("post", "albums/{album}/photos/check/", {"files": "many"}, 400),
        ("post", "albums/{album}/photos/", {"file": "text"}, 415),
        ("get", "albums/{album}/photos/?state=lost", None, 400),
        ("get", "albums/{album}/photos/?ordering=size", None, 400),
        ("get", "albums/{album}/photos/?cursor=nonsense", None, 404),
        ("get", "albums/{album}/photos/?cursor=cD1hYmM%3D", None, 404),
        ("get", "albums/{album}/photos/?person=1", None, 400),
        ("post", "albums/{album}/links/", {"expires_at": "2001-01-01T00:00:00Z"}, 400),
        ("post", "albums/{album}/links/", {"max_uses": 0}, 400),
        ("post", "albums/{album}/archives/", {"size": "huge"}, 400),
        ("post", "albums/{album}/archives/", {"photos": ["1"]}, 400),
        ("get", "links/not-a-token/", None, 404),
        ("get", "albums/not-a-uuid/", None, 404),
        ("get", "", None, 404),
    ],
)
def test_bad_input_is_a_problem_and_never_a_500(
    album: Album, owner_api: APIClient, method: str, path: str, body: Any, status: int
) -> None:
    answer = owner_api.generic(
        method.upper(),
        f"/api/v1/{path.format(album=album.pk)}",
        json.dumps(body) if body is not None else "",
        content_type="application/json",
    )
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"


def test_json_nested_beyond_reason_is_a_problem(link: Link) -> None:
    address = f"/api/v1/links/{link.token}/unlock/"
    problem(APIClient().generic("POST", address, "[" * 200_000, content_type="application/json"), 400, "parse_error")


def test_what_nobody_expected_is_a_problem_that_tells_nothing(
    album: Album, owner_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a detail for the log")

    monkeypatch.setattr(access, "album_for", broken)
    with pytest.raises(RuntimeError):
        owner_api.get(f"/api/v1/albums/{album.pk}/")
    owner_api.raise_request_exception = False
    answer = owner_api.get(f"/api/v1/albums/{album.pk}/")
    assert "detail for the log" not in str(problem(answer, 500, "server_error"))


def test_files_are_answered_under_the_names_they_were_sent_by(album: Album, owner_api: APIClient) -> None:
    photo, page = pictures.jpeg(pictures.quadrants()), pictures.html()
    upload(owner_api, album.pk, [("a.jpg", photo), ("a.html", page)])
    again = upload(owner_api, album.pk, [("b: copy.jpg", photo), ("b.html", page)]).json()
    assert [each["name"] for each in again["duplicates"]] == ["b_ copy.jpg"]
    assert [(each["name"], each["code"]) for each in again["rejected"]] == [("b.html", "not_a_photo")]


def test_files_without_the_field_or_too_many_are_refused(album: Album, owner_api: APIClient) -> None:
    problem(owner_api.post(f"/api/v1/albums/{album.pk}/photos/", {"other": "x"}), 400, "invalid")
    many = [(f"{n}.jpg", b"x") for n in range(101)]
    problem(upload(owner_api, album.pk, many), 400, "invalid")


ORDERINGS = ["received_at", "-received_at", "taken_at", "-taken_at", "name", "-name"]


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_pages_of_photos_are_whole_in_any_order(album: Album, owner_api: APIClient, ordering: str) -> None:
    for shade in range(5):
        picture = pictures.quadrants().copy()
        picture[0, 0] = shade
        taken = f"2026:06:20 18:30:0{shade}" if shade % 2 else None
        add(album, pictures.with_exif(picture, taken=taken), f"{shade % 3}.jpg")
    address, seen = f"/api/v1/albums/{album.pk}/photos/?ordering={ordering}&limit=2", []
    while address:
        page = owner_api.get(address).json()
        seen += [photo["id"] for photo in page["results"]]
        address = page["next"]
    assert len(seen) == len(set(seen)) == 5


def pages_from(client: APIClient, address: str | None, way: str) -> list[list[str]]:
    """The ids on each page, until there is none further that way."""
    pages = []
    while address:
        page = client.get(address).json()
        pages.append([photo["id"] for photo in page["results"]])
        address = page[way]
    return pages


def last_address(client: APIClient, address: str) -> str:
    while following := client.get(address).json()["next"]:
        address = following
    return address


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_pages_end_where_thousands_are_equal_and_lead_back(album: Album, owner_api: APIClient, ordering: str) -> None:
    """Every camera starts again at the same names, and scanned pictures know no time."""
    same = {"album": album, "name": "image.jpg", "size": 1, "crc32": 0, "taken_at": timezone.now()}
    Photo.objects.bulk_create(Photo(**same, sha256=f"{number:064x}") for number in range(2_500))
    album.photos.update(received_at=timezone.now())
    first = f"/api/v1/albums/{album.pk}/photos/?ordering={ordering}&limit=700"
    pages = pages_from(owner_api, first, "next")
    assert [len(page) for page in pages] == [700, 700, 700, 400]
    assert len({photo for page in pages for photo in page}) == 2_500
    assert pages_from(owner_api, last_address(owner_api, first), "previous") == pages[::-1]


def test_a_cursor_goes_on_only_in_the_order_it_came_from(album: Album, owner_api: APIClient) -> None:
    for shade in range(3):
        add(album, pictures.jpeg(pictures.quadrants() // (shade + 1)), f"{shade}.jpg")
    address = f"/api/v1/albums/{album.pk}/photos/?ordering=name&limit=1"
    following = owner_api.get(address).json()["next"]
    assert owner_api.get(following).json()["results"][0]["name"] == "1.jpg"
    problem(owner_api.get(following.replace("ordering=name", "ordering=received_at")), 404, "not_found")
    problem(owner_api.get(following.replace("cursor=", "cursor=x")), 404, "not_found")


def test_a_guests_list_knows_its_orders_too(album: Album) -> None:
    link = Link.make(album, can_browse=True)
    ready_photo(album)
    address = f"/api/v1/links/{link.token}/photos/"
    assert len(APIClient().get(address, {"ordering": "-name"}).json()["results"]) == 1
    problem(APIClient().get(address, {"ordering": "size"}), 400, "invalid")


def test_photos_are_listed_by_state_with_absolute_addresses(album: Album, owner_api: APIClient) -> None:
    ready_photo(album, pictures.with_exif(pictures.faceless(), taken="2026:06:20 18:30:00"))
    ready_photo(album, pictures.truncated_jpeg(), "cut.jpg")
    address = f"/api/v1/albums/{album.pk}/photos/"
    rejected = owner_api.get(address, {"state": "rejected"}).json()["results"]
    assert [(photo["name"], photo["code"], photo["thumb"]) for photo in rejected] == [("cut.jpg", "damaged", None)]
    ready = owner_api.get(address, {"state": "ready"}).json()["results"][0]
    assert ready["taken_at"] == "2026-06-20T18:30:00"
    assert ready["original"].startswith("http://testserver/api/v1/photos/")


def test_a_link_is_made_shown_again_changed_and_deleted(album: Album, owner_api: APIClient) -> None:
    made = owner_api.post(f"/api/v1/albums/{album.pk}/links/", {"can_browse": True}, format="json").json()
    assert len(made["token"]) == 43
    assert made["url"].endswith(f"/l/{made['token']}/")
    again = owner_api.get(f"/api/v1/links/{made['id']}/").json()
    assert again["token"] == made["token"]
    code = owner_api.get(made["qr_svg_url"])
    assert code["Content-Type"] == "image/svg+xml"
    assert b"<svg" in code.content
    stored = Link.objects.get()
    assert made["token"] not in f"{stored.token_hash}{bytes(stored.token_sealed)!r}"
    shared = APIClient().get(f"/api/v1/links/{made['token']}/").json()
    assert (shared["title"], shared["needs_password"]) == ("Summer party", False)
    changed = owner_api.patch(f"/api/v1/links/{made['id']}/", {"password": "sesame", "enabled": True}, format="json")
    assert changed.json()["needs_password"] is True
    assert "sesame" not in changed.content.decode()
    assert owner_api.delete(f"/api/v1/links/{made['id']}/").status_code == 204
    problem(APIClient().get(f"/api/v1/links/{made['token']}/"), 404, "not_found")


def test_a_new_password_locks_out_who_came_by_the_old(searchable: Album, owner_api: APIClient) -> None:
    link = Link.make(searchable, can_browse=True)
    photo = ready_photo(searchable)
    key = APIClient().post(f"/api/v1/links/{link.token}/unlock/", {}, format="json").json()["guest_key"]
    guest = guest_api(key)
    assert guest.get(f"/api/v1/photos/{photo.pk}/thumb").status_code == 200
    owner_api.patch(f"/api/v1/links/{link.pk}/", {"password": "sesame"}, format="json")
    assert guest.get(f"/api/v1/photos/{photo.pk}/thumb").status_code == 404
    guest.post(f"/api/v1/links/{link.token}/unlock/", {"password": "sesame"}, format="json")
    assert guest.get(f"/api/v1/photos/{photo.pk}/thumb").status_code == 200


def test_browsing_shows_what_is_ready_and_not_hidden(album: Album, owner_api: APIClient) -> None:
    link, closed = Link.make(album, can_browse=True, can_download=False), Link.make(album)
    shown, hidden = ready_photo(album), ready_photo(album, pictures.jpeg(pictures.faceless()), "b.jpg")
    add(album, pictures.jpeg(pictures.quadrants()), "waiting.jpg")
    owner_api.patch(f"/api/v1/photos/{hidden.pk}/", {"hidden": True}, format="json")
    page = APIClient().get(f"/api/v1/links/{link.token}/photos/").json()["results"]
    assert [(photo["id"], photo["original"]) for photo in page] == [(str(shown.pk), None)]
    problem(APIClient().get(f"/api/v1/links/{closed.token}/photos/"), 403, "browsing_off")


def test_quarantined_photos_are_taken_up_again_on_request(album: Album, owner_api: APIClient) -> None:
    photo = add(album, pictures.jpeg(pictures.quadrants())).photo
    album.photos.update(state="quarantined", strikes=3, attempts=4)
    assert owner_api.post(f"/api/v1/albums/{album.pk}/retry/").json() == {"retried": 1}
    work_off()
    photo.refresh_from_db()
    assert photo.state == "ready"


def test_the_schema_describes_every_route_without_a_warning(db: None) -> None:
    out, err = io.StringIO(), io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out, stderr=err)
    assert "/api/v1/selfies/{selfie_id}/archives/" in out.getvalue()
    assert APIClient().get("/api/v1/schema/").status_code == 200
    assert APIClient().get("/api/v1/docs/").status_code == 200


def test_create_token_prints_a_token_that_works(owner: User, album: Album) -> None:
    out = io.StringIO()
    call_command("create_token", owner.email.upper(), "--scopes", "read", stdout=out)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {out.getvalue().splitlines()[-1]}")
    assert client.get(f"/api/v1/albums/{album.pk}/").status_code == 200
    assert ApiToken.objects.get().scopes == "read"


def test_create_token_makes_a_user_only_when_told(db: None) -> None:
    with pytest.raises(CommandError, match="--create"):
        call_command("create_token", "new@example.org", stdout=io.StringIO())
    call_command("create_token", "new@example.org", "--create", stdout=io.StringIO())
    user = User.objects.get()
    assert not user.check_password(PASSWORD)
    assert not user.has_usable_password()
    for wrong in (["new@example.org", "--scopes", "read,everything"], ["no address", "--create"]):
        with pytest.raises(CommandError):
            call_command("create_token", *wrong, stdout=io.StringIO())
