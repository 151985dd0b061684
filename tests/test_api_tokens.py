"""API tokens on their user's desk: shown once, bound, ended, changed; and never by a token."""

import re
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from galleries.flows import album as album_flow
from galleries.flows import api_token as token_flow
from galleries.models import Album, ApiToken, User
from tests.conftest import PASSWORD
from tests.pages import read, text_of

pytestmark = pytest.mark.django_db


def client_with(secret: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {secret}")
    return client


@pytest.fixture
def sure_desk(owner: User, desk: Client) -> Client:
    """The owner's browser, who has just given their password again."""
    answer = desk.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    assert answer.status_code == 302
    return desk


def made_by(desk: Client, **fields: object) -> str:
    page = desk.post(reverse("token-new"), {"scopes": ["read", "upload"], **fields})
    found = re.search(r"<textarea[^>]*>([0-9a-f]{64})</textarea>", page.content.decode())
    assert found, text_of(page)
    return found[1]


def test_a_token_is_asked_the_password_for_and_shown_once(sure_desk: Client, owner: User, album: Album) -> None:
    secret = made_by(sure_desk, name="Studio", albums=[str(album.pk)], last_day="")
    token = ApiToken.objects.get()
    assert (token.user, token.name, token.scopes, token.album_ids()) == (owner, "Studio", "read upload", {album.pk})
    assert client_with(secret).get("/api/v1/albums/").status_code == 200
    page = sure_desk.get(reverse("tokens"))
    assert "Studio" in text_of(page)
    assert secret not in page.content.decode()
    assert "last used on" in text_of(page)
    assert read(page.content.decode()).inline == []


def test_making_and_changing_want_the_password_once_more(desk: Client, owner: User) -> None:
    token, _ = token_flow.make(owner, scopes=["read"])
    for path in (reverse("token-new"), reverse("token", args=[token.public_id])):
        for answer in (desk.get(path), desk.post(path, {"scopes": ["read", "manage"]})):
            assert answer["Location"].startswith(reverse("account_reauthenticate"))
    assert [each.scopes for each in ApiToken.objects.all()] == ["read"]


def test_a_token_opens_no_page_and_so_never_widens_itself(owner: User) -> None:
    token, secret = token_flow.make(owner, scopes=["read", "upload", "manage"])
    client = client_with(secret)
    for path in (reverse("tokens"), reverse("token-new"), reverse("token", args=[token.public_id])):
        for answer in (client.get(path), client.post(path, {"scopes": ["read"]})):
            assert answer.status_code in (302, 405)
            assert answer.status_code == 405 or "/accounts/" in answer["Location"]
    described = client.get("/api/v1/schema/?format=json").json()["paths"]
    offered = {path: {*methods} for path, methods in described.items() if "tokens" in path}
    # Looked at by any, revoked by whoever is signed in, made and changed by neither.
    assert offered == {"/api/v1/tokens/": {"get"}, "/api/v1/tokens/{token_id}/": {"delete"}}
    assert client.delete(f"/api/v1/tokens/{token.public_id}/").status_code == 403


def test_scopes_albums_and_last_day_are_changed_and_count_at_once(sure_desk: Client, owner: User, album: Album) -> None:
    token, secret = token_flow.make(owner, scopes=["read"], albums=[album])
    path = reverse("token", args=[token.public_id])
    assert "checked" in sure_desk.get(path).content.decode()
    day = timezone.localdate() + timedelta(days=3)
    answer = sure_desk.post(path, {"name": "B", "scopes": ["upload"], "albums": [str(album.pk)], "last_day": day})
    assert answer["Location"] == reverse("tokens")
    token.refresh_from_db()
    assert (token.name, token.scopes, timezone.localdate(token.expiry)) == ("B", "upload", day)
    assert client_with(secret).get("/api/v1/albums/").json()["code"] == "scope_missing"


def test_a_bound_token_is_not_opened_to_all_albums_by_leaving_the_ticks_away(sure_desk: Client, owner: User) -> None:
    album = Album.objects.create(owner=owner, title="A")
    token, _ = token_flow.make(owner, scopes=["read"], albums=[album])
    page = sure_desk.post(reverse("token", args=[token.public_id]), {"scopes": ["read"]})
    assert "Tick an album" in text_of(page)
    album_flow.delete_for_good(album)
    token.refresh_from_db()
    assert token.album_ids() == frozenset(), "bound to an album that is gone: to none, not to all"
    assert "no album any more" in text_of(sure_desk.get(reverse("tokens")))


def test_others_albums_cannot_be_ticked(sure_desk: Client, other_owner: User) -> None:
    foreign = Album.objects.create(owner=other_owner, title="Secret wedding")
    page = sure_desk.post(reverse("token-new"), {"scopes": ["read"], "albums": [str(foreign.pk)]})
    assert "Secret wedding" not in text_of(page)
    assert not ApiToken.objects.exists()


def test_an_ended_and_a_revoked_token_are_refused(desk: Client, owner: User) -> None:
    _, over = token_flow.make(owner, scopes=["read"], expires_at=timezone.now() - timedelta(seconds=1))
    token, secret = token_flow.make(owner, scopes=["read"])
    assert client_with(over).get("/api/v1/albums/").status_code == 401
    assert client_with(secret).get("/api/v1/albums/").status_code == 200
    path = reverse("token-revoke", args=[token.public_id])
    assert "Revoke this token?" in text_of(desk.get(path))
    desk.post(path, {"confirmed": "yes"})
    assert client_with(secret).get("/api/v1/albums/").status_code == 401


def test_the_row_holds_no_token(owner: User) -> None:
    token, secret = token_flow.make(owner, scopes=["read"])
    stored = ApiToken.objects.values().get()
    assert not any(secret in str(value) for value in stored.values())
    assert len(token.digest) == 128


def test_the_command_binds_and_ends_a_token(owner: User, album: Album) -> None:
    out = StringIO()
    call_command("create_token", owner.email, "--days", "7", "--album", str(album.pk), stdout=out)
    token = ApiToken.objects.get()
    assert token.album_ids() == {album.pk}
    assert token.expiry
    assert timedelta(days=6) < token.expiry - timezone.now() < timedelta(days=8)
    assert client_with(out.getvalue().splitlines()[-1]).get("/api/v1/albums/").status_code == 200
    for wrong in (["--album", str(uuid4())], ["--days", "0"]):
        with pytest.raises(CommandError):
            call_command("create_token", owner.email, *wrong)
    assert ApiToken.objects.count() == 1
