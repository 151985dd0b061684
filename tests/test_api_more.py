"""The rest of the API: numbers, deleted albums, many photos at once, account and tokens, devices, filters."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from galleries import storage
from galleries.flows import account as account_flow
from galleries.flows import album as album_flow
from galleries.flows import api_token as token_flow
from galleries.flows import upkeep
from galleries.models import Album, ApiToken, Guest, Link, Photo, SearchRecord, Selfie, User
from tests import pictures
from tests.conftest import PASSWORD, add, api_of, browser_of, guest_api, ready_photo, search
from tests.test_api import problem

pytestmark = pytest.mark.django_db(transaction=True)


def results(client: APIClient, path: str, **asked: Any) -> list[dict[str, Any]]:
    answer = client.get(f"/api/v1/{path}", asked)
    assert answer.status_code == 200, answer.content
    return list(answer.json()["results"])


def test_numbers_of_an_album_and_of_a_link_add_up(searchable: Album, link: Link, owner_api: APIClient) -> None:
    photo = ready_photo(searchable)
    add(searchable, pictures.jpeg(pictures.quadrants()), "b.jpg")
    Photo.objects.filter(name="b.jpg").update(hidden=True)
    found = search(link)
    found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", {}, format="json")
    said = owner_api.get(f"/api/v1/albums/{searchable.pk}/stats/").json()
    assert said["photos"] | {"hidden": 0} == {
        "uploaded": 0, "processing": 0, "ready": 2, "rejected": 0, "quarantined": 0, "hidden": 0, "indexing": 0
    }  # fmt: skip
    assert (said["photos"]["hidden"], said["guests"], said["faces"]) == (1, 1, photo.face_count)
    assert said["bytes"] == sum(each.size for each in searchable.photos.all())
    assert said["searches"] == {"all": 1, "done": 1, "found": 1}
    assert said["downloads"]["zips"] == 1
    assert said["live"]["coverage"] == [0, 1, 0, 0]
    today = {"day": timezone.localdate().isoformat(), "photos": 2, "guests": 1, "searches": 1}
    assert said["days"] == [today]
    numbers = owner_api.get(f"/api/v1/links/{link.pk}/stats/").json()
    assert numbers == {"guest_count": 1, "searched_count": 1, "found_count": 1}


def test_a_deleted_album_is_listed_and_had_back_or_deleted_for_good(album: Album, owner_api: APIClient) -> None:
    ready_photo(album)
    for ending in ("restore", "for good"):
        owner_api.delete(f"/api/v1/albums/{album.pk}/")
        (listed,) = results(owner_api, "albums/deleted/")
        assert (listed["id"], listed["photo_count"]) == (str(album.pk), 1)
        assert listed["gone_at"] > listed["deleted_at"]
        if ending == "restore":
            assert owner_api.post(f"/api/v1/albums/{album.pk}/restore/").status_code == 200
            assert results(owner_api, "albums/deleted/") == []
    assert owner_api.delete(f"/api/v1/albums/deleted/{album.pk}/").status_code == 204
    assert not Album.objects.exists()
    assert not Photo.objects.exists()


def test_many_photos_are_changed_at_once(album: Album, owner_api: APIClient, other_owner: User) -> None:
    ids = [str(add(album, pictures.jpeg(pictures.quadrants() // n), f"{n}.jpg").photo.pk) for n in (1, 2, 3)]
    other = Album.objects.create(owner=other_owner, title="B")
    foreign = str(add(other, pictures.jpeg(pictures.quadrants())).photo.pk)
    address = f"/api/v1/albums/{album.pk}/photos/change/"

    def change(what: str, *photos: str) -> Any:
        return owner_api.post(address, {"photos": photos, "change": what}, format="json").json()

    assert change("hide", *ids[:2], foreign) == {"changed": 2}
    assert len(results(owner_api, f"albums/{album.pk}/photos/", hidden="true")) == 2
    assert change("show", ids[0]) == {"changed": 1}
    assert change("delete", *ids[:2], foreign) == {"changed": 2}
    assert {str(pk) for pk in Photo.objects.values_list("pk", flat=True)} == {ids[2], foreign}
    assert change("delete")["code"] == "invalid"
    assert change("paint", ids[2])["code"] == "invalid"


def test_a_cover_is_a_ready_photo_of_the_album(album: Album, owner_api: APIClient, other_owner: User) -> None:
    photo = ready_photo(album)
    waiting = add(album, pictures.jpeg(pictures.quadrants()), "b.jpg").photo
    foreign = ready_photo(Album.objects.create(owner=other_owner, title="B"))
    address = f"/api/v1/albums/{album.pk}/"
    assert owner_api.patch(address, {"cover": photo.pk}, format="json").json()["cover"] == str(photo.pk)
    Photo.objects.filter(pk=waiting.pk).update(state="uploaded")
    refused = [owner_api.patch(address, {"cover": each.pk}, format="json") for each in (waiting, foreign)]
    assert refused[0].content == refused[1].content
    problem(refused[0], 400, "invalid")
    assert owner_api.get(address).json()["cover"] == str(photo.pk)
    assert owner_api.patch(address, {"cover": None}, format="json").json()["cover"] is None
    problem(owner_api.post("/api/v1/albums/", {"title": "A", "cover": photo.pk}, format="json"), 400, "invalid")


def test_an_account_says_what_it_keeps_and_takes_a_name(album: Album, owner: User, owner_api: APIClient) -> None:
    photo = ready_photo(album)
    User.objects.filter(pk=owner.pk).update(photo_limit=10, byte_limit=0)
    said = owner_api.get("/api/v1/account/").json()
    assert said["email"] == owner.email
    assert said["usage"] == {"photos": 1, "bytes": photo.size, "photo_limit": 10, "byte_limit": None}
    changed = owner_api.patch("/api/v1/account/", {"name": "Olga", "email": "x@example.org"}, format="json").json()
    assert (changed["name"], changed["email"]) == ("Olga", owner.email)
    assert owner_api.get("/api/v1/account/").json() == changed
    _, secret = token_flow.make(owner, scopes=["read", "manage"], albums=[album])
    bound = APIClient()
    bound.credentials(HTTP_AUTHORIZATION=f"Token {secret}")
    for path in ("account/", "tokens/"):
        problem(bound.get(f"/api/v1/{path}"), 403, "token_bound")


def test_an_account_is_ended_with_all_it_has(searchable: Album, link: Link, owner: User, other_owner: User) -> None:
    ready_photo(searchable)
    found = search(link)
    elsewhere = Album.objects.create(owner=other_owner, title="B")
    elsewhere.collaborators.create(user=owner, role="editor")
    own = Guest.objects.create(user=owner)
    browser, token = browser_of(owner), api_of(owner)
    address = "/api/v1/account/close/"
    problem(token.post(address, {"password": PASSWORD}, format="json"), 403, "session_only")
    problem(browser.post(address, {"password": "guess"}, "application/json"), 403, "wrong_password")
    assert User.objects.get(pk=owner.pk).is_active
    assert browser.post(address, {"password": PASSWORD}, "application/json").status_code == 204
    assert not User.objects.filter(pk=owner.pk).exists()
    assert list(Album.objects.all()) == [elsewhere]
    assert [Photo.objects.count(), Selfie.objects.count(), Guest.objects.filter(pk=own.pk).count()] == [0, 0, 0]
    assert not [path for path in storage.path("originals").rglob("*") if path.is_file()]
    problem(browser.get("/api/v1/account/"), 401, "not_authenticated")
    problem(token.get("/api/v1/account/"), 401, "authentication_failed")
    problem(found.api.get(f"/api/v1/selfies/{found.selfie.pk}/"), 404, "not_found")


def test_what_is_left_of_a_closed_account_upkeep_erases(album: Album, owner: User, monkeypatch: Any) -> None:
    """As if its process had died; until then nobody sees anything of it."""
    ready_photo(album)
    link = Link.make(album, can_browse=True)
    with monkeypatch.context() as dying:
        dying.setattr(account_flow, "finish", lambda *_, **__: None)
        account_flow.close(owner, PASSWORD, "")
    problem(APIClient().get(f"/api/v1/links/{link.token}/"), 404, "not_found")
    assert User.objects.get(pk=owner.pk).closed_at
    upkeep.end_accounts()
    assert not User.objects.exists()
    assert not Photo.objects.exists()


def test_an_administrator_does_not_end_their_own_account(admin_user: User) -> None:
    answer = browser_of(admin_user).post("/api/v1/account/close/", {"password": PASSWORD}, "application/json")
    problem(answer, 403, "staff_account")


def test_guessing_the_password_of_an_open_browser_is_slow(owner: User, desk: Client) -> None:
    answers = [desk.post("/api/v1/account/close/", {"password": "guess"}, "application/json") for _ in range(6)]
    assert int(answers[-1]["Retry-After"]) > 0
    problem(answers[-1], 429, "too_many_guesses")


def test_tokens_are_listed_without_secrets_and_revoked_by_no_token(album: Album, owner: User, desk: Client) -> None:
    row, secret = token_flow.make(owner, scopes=["upload"], name="the studio", albums=[album])
    reader = api_of(owner, "read manage")
    listed = {each["name"]: each for each in results(reader, "tokens/")}
    assert listed["the studio"] | {"created_at": "", "expires_at": None} == {
        "id": str(row.public_id), "name": "the studio", "scopes": ["upload"], "albums": [str(album.pk)],
        "created_at": "", "expires_at": None, "last_used_at": None,
    }  # fmt: skip
    page = reader.get("/api/v1/tokens/?limit=1")
    told = page.content.decode() + page.json()["next"]
    assert not [each.digest for each in ApiToken.objects.all() if each.digest in told or secret in told]
    address = f"/api/v1/tokens/{row.public_id}/"
    problem(reader.delete(address), 403, "session_only")
    assert desk.delete(address).status_code == 204
    assert not ApiToken.objects.filter(public_id=row.public_id).exists()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner)
    problem(strict.delete(address), 403, "permission_denied")


def test_a_token_list_goes_on_page_by_page(owner: User, owner_api: APIClient) -> None:
    for number in range(5):
        token_flow.make(owner, scopes=["read"], name=str(number))
    address, names = "/api/v1/tokens/?limit=2&ordering=created_at", []
    while address:
        page = owner_api.get(address).json()
        names += [each["name"] for each in page["results"]]
        address = page["next"]
    assert names == ["", *"01234"]


def test_a_collaborator_leaves(album: Album, other_owner: User) -> None:
    album.collaborators.create(user=other_owner, role="editor")
    address = f"/api/v1/albums/{album.pk}/leave/"
    problem(api_of(other_owner, "read").post(address), 403, "scope_missing")
    assert api_of(other_owner).post(address).status_code == 204
    problem(api_of(other_owner).post(address), 404, "not_found")


def test_a_guest_lists_their_searches_and_goes_on_elsewhere(searchable: Album, link: Link) -> None:
    ready_photo(searchable)
    found = search(link)
    assert results(APIClient(), "selfies/") == []
    (listed,) = results(found.api, "selfies/")
    assert (listed["id"], listed["photo_count"], listed["album_title"]) == (str(found.selfie.pk), 1, "Summer party")
    address = f"/api/v1/selfies/{found.selfie.pk}/"
    made = found.api.post(f"{address}return/").json()
    assert made["url"].endswith(reverse("return", args=[made["token"]]))
    returned = APIClient().post("/api/v1/return/", {"token": made["token"]}, format="json").json()
    assert returned["id"] == str(found.selfie.pk)
    elsewhere = guest_api(returned["guest_key"])
    assert elsewhere.get(address).status_code == 200
    assert "guest_key" not in found.api.post("/api/v1/return/", {"token": made["token"]}, format="json").json()
    assert found.api.get(f"{address}devices/").json()["devices"] == 2
    assert found.api.delete(f"{address}devices/").status_code == 204
    problem(elsewhere.get(address), 401, "unknown_guest_key")
    problem(APIClient().post("/api/v1/return/", {"token": made["token"]}, format="json"), 404, "not_found")
    assert found.api.get(f"{address}devices/").json() == {"devices": 1, "return_url_until": None}


def test_a_return_address_ends_and_a_key_is_forgotten(searchable: Album, link: Link) -> None:
    found = search(link)
    address = f"/api/v1/selfies/{found.selfie.pk}/"
    token = found.api.post(f"{address}return/").json()["token"]
    assert found.api.delete(f"{address}return/").status_code == 204
    problem(APIClient().post("/api/v1/return/", {"token": token}, format="json"), 404, "not_found")
    problem(APIClient().delete("/api/v1/guest/"), 404, "not_found")
    assert found.api.delete("/api/v1/guest/").status_code == 204
    problem(found.api.get(address), 401, "unknown_guest_key")


def test_an_address_for_mail_is_given_and_taken_back(searchable: Album, link: Link, settings: Any) -> None:
    found = search(link, keep_me_posted="true")
    address = f"/api/v1/selfies/{found.selfie.pk}/mail/"
    problem(found.api.put(address, {"email": "gina@example.org"}, format="json"), 403, "mail_off")
    settings.PIXORA_MAILS_GUESTS, settings.PIXORA_PUBLIC_URL = True, "https://photos.example.org"
    # The validator of addresses takes 320 characters, the column 254.
    for wrong in ("gina", f"{'g' * 60}@{'.'.join(['x' * 60] * 4)}.org"):
        problem(found.api.put(address, {"email": wrong}, format="json"), 400, "invalid")
    assert found.api.put(address, {"email": "gina@example.org"}, format="json").status_code == 204
    found.selfie.refresh_from_db()
    assert found.selfie.email == "gina@example.org"
    assert found.api.delete(address).status_code == 204
    found.selfie.refresh_from_db()
    assert found.selfie.email == ""


def test_a_selfie_says_where_to_tell_of_later_photos(searchable: Album, link: Link, settings: Any) -> None:
    settings.PIXORA_MAILS_GUESTS, settings.PIXORA_PUBLIC_URL = True, "https://photos.example.org"
    assert search(link, keep_me_posted="true", email="gina@example.org").selfie.email == "gina@example.org"


def test_a_verdict_is_taken_back(searchable: Album, link: Link) -> None:
    photo = ready_photo(searchable)
    found = search(link)
    address = f"/api/v1/selfies/{found.selfie.pk}/feedback/"
    for verdict in ("not_me", ""):
        answer = found.api.post(address, {"photo": photo.pk, "verdict": verdict}, format="json")
        assert (answer.status_code, answer.json()["verdict"]) == (200, verdict)
    assert found.selfie.matches.get().verdict == ""


def test_a_guest_is_told_the_photographer_s_look(album: Album) -> None:
    Album.objects.update(brand_name="Studio", welcome="Hello", accent="#336699")
    said = APIClient().get(f"/api/v1/links/{Link.make(album).token}/").json()
    assert [said[name] for name in ("brand_name", "welcome", "accent", "logo_url")] == [
        "Studio",
        "Hello",
        "#336699",
        None,
    ]


# Filters


def test_albums_are_found_by_title_date_and_role(owner: User, other_owner: User, owner_api: APIClient) -> None:
    for title, day in (("Wedding of Nina", "2026-06-20"), ("Picnic", "2026-07-04"), ("A walk", None)):
        Album.objects.create(owner=owner, title=title, event_date=day)
    shared = Album.objects.create(owner=other_owner, title="Ottos")
    shared.collaborators.create(user=owner, role="editor")

    def titles(**asked: str) -> list[str]:
        return [each["title"] for each in results(owner_api, "albums/", **asked)]

    assert titles() == ["Ottos", "A walk", "Picnic", "Wedding of Nina"]
    assert titles(ordering="title") == ["A walk", "Ottos", "Picnic", "Wedding of Nina"]
    assert titles(ordering="event_date", role="owner") == ["Wedding of Nina", "Picnic", "A walk"]
    assert titles(title="wedding") == ["Wedding of Nina"]
    assert titles(role="editor") == ["Ottos"]
    assert titles(role="viewer") == []
    assert titles(event_date_from="2026-07-01", event_date_to="2026-07-31") == ["Picnic"]
    assert titles(face_search="true") == []
    assert len(titles(face_search="false")) == 4
    for wrong in ({"role": "king"}, {"event_date_from": "June"}, {"face_search": "perhaps"}, {"ordering": "size"}):
        problem(owner_api.get("/api/v1/albums/", wrong), 400, "invalid")


@pytest.mark.parametrize("ordering", ["event_date", "-event_date", "title", "created_at"])
def test_pages_of_albums_are_whole_in_any_order(owner: User, owner_api: APIClient, ordering: str) -> None:
    for number in range(5):
        day = None if number % 2 else "2026-06-20"
        Album.objects.create(owner=owner, title=f"{number % 2}", event_date=day)
    address, seen = f"/api/v1/albums/?ordering={ordering}&limit=2", []
    while address:
        page = owner_api.get(address).json()
        seen += [each["id"] for each in page["results"]]
        address = page["next"]
    assert len(seen) == len(set(seen)) == 5


def test_photos_are_found_by_state_name_folder_and_time(album: Album, owner_api: APIClient) -> None:
    for name, taken in (("a.jpg", "2026:06:20 18:30:00"), ("b.jpg", "2026:06:20 20:00:00")):
        picture = pictures.with_exif(pictures.quadrants(64 + ord(name[0])), taken=taken)
        add(album, picture, name, f"folder-{name[0]}")

    def names(**asked: str) -> list[str]:
        return [each["name"] for each in results(owner_api, f"albums/{album.pk}/photos/", **asked)]

    assert names(state="uploaded") == ["a.jpg", "b.jpg"]
    assert names(state="ready") == []
    assert names(hidden="false", name="B.J") == ["b.jpg"]
    assert names(folder="folder-a") == ["a.jpg"]
    assert names(taken_from="2026-06-20T19:00:00Z") == ["b.jpg"]
    assert names(taken_to="2026-06-20T19:00:00Z", ordering="-taken_at") == ["a.jpg"]
    problem(owner_api.get(f"/api/v1/albums/{album.pk}/photos/", {"hidden": "x"}), 400, "invalid")


def test_searches_are_found_by_outcome_link_and_time(searchable: Album, link: Link, owner_api: APIClient) -> None:
    search(link)
    SearchRecord.objects.update(created_at=timezone.now() - timedelta(days=2))
    search(Link.make(searchable))
    path = f"albums/{searchable.pk}/searches/"
    day_ago = (timezone.now() - timedelta(days=1)).isoformat()
    assert [len(results(owner_api, path, **asked)) for asked in (
        {}, {"outcome": "done"}, {"outcome": "no_face"}, {"link": link.pk}, {"created_from": day_ago}
    )] == [2, 2, 0, 1, 1]  # fmt: skip
    newest_last = results(owner_api, path, ordering="created_at")
    assert newest_last == results(owner_api, path)[::-1]
    assert results(owner_api, f"albums/{searchable.pk}/alerts/", settled="false") == []


def test_face_search_off_is_told_by_stats_too(album: Album, owner: User) -> None:
    album_flow.switch_face_search(album, False)
    said = browser_of(owner).get(f"/api/v1/albums/{album.pk}/stats/").json()
    assert (said["live"]["coverage"], said["days"]) == (None, [])
