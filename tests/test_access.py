"""The access table: every route and method, as each persona. A route without a row fails.

Columns: nobody; a stranger with an account and no album; staff, who have no more rights on pages than a stranger; a
guest of another album; the guest of this one; its owner. What is foreign and what is missing is the same 404.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from galleries import access
from galleries.access import Viewer
from galleries.flows import album as album_flow
from galleries.flows import brand as brand_flow
from galleries.models import Album, Alert, ApiToken, Archive, Link, Photo, ReturnLink, Selfie, User
from tests import pictures
from tests.conftest import Found, browser_of, ready_photo, search

PERSONAS = ("nobody", "stranger", "staff", "other guest", "guest", "owner")
# An owner's route of the API: who is not signed in is told so, whoever's it is.
OWNERS = "401 404 404 401 401"
# An owner's page asks whoever is not signed in to do so.
OWNERS_PAGE = "302 404 404 302 302"
NOT_OFFERED = "405 405 405 405 405 405"
FOR_ALL = "200 200 200 200 200 200"
TABLE: dict[tuple[str, str], str] = {
    ("GET", "api:albums"): "401 200 200 401 401 200",
    ("POST", "api:albums"): "401 201 201 401 401 201",
    ("GET", "api:album"): f"{OWNERS} 200",
    ("PATCH", "api:album"): f"{OWNERS} 200",
    ("DELETE", "api:album"): f"{OWNERS} 204",
    ("GET", "api:album-logo"): f"{OWNERS} 200",
    ("PUT", "api:album-logo"): f"{OWNERS} 200",
    ("DELETE", "api:album-logo"): f"{OWNERS} 204",
    ("GET", "api:album-photos"): f"{OWNERS} 200",
    ("POST", "api:album-photos"): f"{OWNERS} 201",
    ("POST", "api:album-photos-check"): f"{OWNERS} 200",
    ("GET", "api:album-progress"): f"{OWNERS} 200",
    ("POST", "api:album-retry"): f"{OWNERS} 200",
    ("GET", "api:album-searches"): f"{OWNERS} 200",
    ("GET", "api:album-alerts"): f"{OWNERS} 200",
    ("POST", "api:alert-settle"): f"{OWNERS} 200",
    ("GET", "api:album-links"): f"{OWNERS} 200",
    ("POST", "api:album-links"): f"{OWNERS} 201",
    ("POST", "api:album-archives"): f"{OWNERS} 201",
    ("GET", "api:photo"): f"{OWNERS} 200",
    ("PATCH", "api:photo"): f"{OWNERS} 200",
    ("DELETE", "api:photo"): f"{OWNERS} 204",
    ("GET", "api:photo-thumb"): "404 404 404 404 200 200",
    ("GET", "api:photo-preview"): "404 404 404 404 200 200",
    ("GET", "api:photo-original"): "404 404 404 404 200 200",
    # A guest's zip is theirs, not the owner's.
    ("GET", "api:archive"): "404 404 404 404 200 404",
    ("GET", "api:link"): f"{OWNERS} 200",
    ("PATCH", "api:link"): f"{OWNERS} 200",
    ("DELETE", "api:link"): f"{OWNERS} 204",
    ("GET", "api:link-qr"): f"{OWNERS} 200",
    # Who holds a link's token is let in by it, whoever they are.
    ("GET", "api:shared-link"): FOR_ALL,
    ("POST", "api:shared-link-unlock"): FOR_ALL,
    ("GET", "api:shared-link-photos"): "403 403 403 403 403 403",
    ("POST", "api:shared-link-selfies"): "202 202 202 202 202 202",
    ("GET", "api:selfie"): "404 404 404 404 200 404",
    ("DELETE", "api:selfie"): "404 404 404 404 204 404",
    ("POST", "api:selfie-feedback"): "404 404 404 404 200 404",
    ("POST", "api:selfie-archives"): "404 404 404 404 201 404",
    ("GET", "api:schema"): FOR_ALL,
    ("GET", "api:docs"): FOR_ALL,
    # Anything else below the API is the 404 of everything foreign.
    ("GET", "api:nothing"): "404 404 404 404 404 404",
    ("GET", "home"): "200 302 302 200 200 302",
    ("POST", "home"): NOT_OFFERED,
    # Choosing a language: back to where one was.
    ("GET", "set_language"): "302 302 302 302 302 302",
    ("POST", "set_language"): "302 302 302 302 302 302",
    ("GET", "manifest"): FOR_ALL,
    ("POST", "manifest"): NOT_OFFERED,
    ("GET", "healthz"): FOR_ALL,
    ("POST", "healthz"): NOT_OFFERED,
    # No Redis runs beside this test.
    ("GET", "readyz"): "503 503 503 503 503 503",
    ("POST", "readyz"): NOT_OFFERED,
    ("GET", "metrics"): "404 404 200 404 404 404",
    ("POST", "metrics"): NOT_OFFERED,
    # There is an administrator already.
    ("GET", "first-admin"): "404 404 404 404 404 404",
    ("POST", "first-admin"): "404 404 404 404 404 404",
    ("GET", "tokens"): "302 200 200 302 302 200",
    ("POST", "tokens"): NOT_OFFERED,
    # Who is signed in is asked for their password once more.
    ("GET", "token-new"): "302 302 302 302 302 302",
    ("POST", "token-new"): "302 302 302 302 302 302",
    ("GET", "token"): f"{OWNERS_PAGE} 302",
    ("POST", "token"): f"{OWNERS_PAGE} 302",
    ("GET", "token-revoke"): f"{OWNERS_PAGE} 200",
    ("POST", "token-revoke"): f"{OWNERS_PAGE} 302",
    ("GET", "albums"): "302 200 200 302 302 200",
    ("POST", "albums"): NOT_OFFERED,
    ("GET", "album-new"): "302 200 200 302 302 200",
    ("POST", "album-new"): "302 302 302 302 302 302",
    ("GET", "albums-deleted"): "302 200 200 302 302 200",
    ("POST", "albums-deleted"): NOT_OFFERED,
    # The album is not deleted: there is nothing to restore.
    ("GET", "album-restore"): NOT_OFFERED,
    ("POST", "album-restore"): "302 404 404 302 302 404",
    ("GET", "album-delete-for-good"): NOT_OFFERED,
    ("POST", "album-delete-for-good"): "302 404 404 302 302 404",
    ("POST", "api:album-restore"): f"{OWNERS} 404",
    ("GET", "album"): f"{OWNERS_PAGE} 200",
    ("POST", "album"): NOT_OFFERED,
    ("GET", "album-edit"): f"{OWNERS_PAGE} 200",
    ("POST", "album-edit"): f"{OWNERS_PAGE} 302",
    ("GET", "album-accent"): "404 404 404 404 404 200",
    ("POST", "album-accent"): NOT_OFFERED,
    ("GET", "album-logo"): "404 404 404 404 404 200",
    ("POST", "album-logo"): NOT_OFFERED,
    ("GET", "album-delete"): f"{OWNERS_PAGE} 200",
    ("POST", "album-delete"): f"{OWNERS_PAGE} 302",
    ("GET", "album-face-search"): NOT_OFFERED,
    ("POST", "album-face-search"): f"{OWNERS_PAGE} 302",
    ("GET", "album-progress"): f"{OWNERS_PAGE} 200",
    ("POST", "album-progress"): NOT_OFFERED,
    ("GET", "album-problems"): f"{OWNERS_PAGE} 200",
    ("POST", "album-problems"): NOT_OFFERED,
    ("GET", "album-upload"): f"{OWNERS_PAGE} 200",
    ("POST", "album-upload"): f"{OWNERS_PAGE} 302",
    ("GET", "album-retry"): NOT_OFFERED,
    ("POST", "album-retry"): f"{OWNERS_PAGE} 302",
    ("GET", "album-searches"): f"{OWNERS_PAGE} 200",
    ("POST", "album-searches"): f"{OWNERS_PAGE} 302",
    ("GET", "album-listing"): f"{OWNERS_PAGE} 200",
    ("POST", "album-listing"): NOT_OFFERED,
    ("GET", "album-photos-change"): NOT_OFFERED,
    ("POST", "album-photos-change"): f"{OWNERS_PAGE} 302",
    ("GET", "album-photos-delete"): NOT_OFFERED,
    ("POST", "album-photos-delete"): f"{OWNERS_PAGE} 302",
    ("GET", "album-zip"): NOT_OFFERED,
    ("POST", "album-zip"): f"{OWNERS_PAGE} 200",
    ("GET", "album-link-new"): f"{OWNERS_PAGE} 200",
    ("POST", "album-link-new"): f"{OWNERS_PAGE} 302",
    ("GET", "link"): f"{OWNERS_PAGE} 200",
    ("POST", "link"): f"{OWNERS_PAGE} 302",
    ("GET", "link-poster"): f"{OWNERS_PAGE} 200",
    ("POST", "link-poster"): NOT_OFFERED,
    ("GET", "link-delete"): f"{OWNERS_PAGE} 200",
    ("POST", "link-delete"): f"{OWNERS_PAGE} 302",
    ("GET", "photo"): "404 404 404 404 200 200",
    # Seen by the guest, and not theirs to change.
    ("POST", "photo"): "404 404 404 404 403 302",
    ("GET", "guest-link"): FOR_ALL,
    ("POST", "guest-link"): "302 302 302 302 302 302",
    # Whoever has the address of the link, and as long as it is open.
    ("GET", "guest-accent"): FOR_ALL,
    ("POST", "guest-accent"): NOT_OFFERED,
    ("GET", "guest-logo"): FOR_ALL,
    ("POST", "guest-logo"): NOT_OFFERED,
    ("GET", "guest-cover"): FOR_ALL,
    ("POST", "guest-cover"): NOT_OFFERED,
    ("GET", "shared"): "404 404 404 404 404 404",
    ("POST", "shared"): NOT_OFFERED,
    ("GET", "shared-listing"): "404 404 404 404 404 404",
    ("POST", "shared-listing"): NOT_OFFERED,
    ("GET", "my-photos"): FOR_ALL,
    ("POST", "my-photos"): NOT_OFFERED,
    ("GET", "selfie"): "404 404 404 404 200 404",
    ("POST", "selfie"): NOT_OFFERED,
    ("GET", "selfie-status"): "404 404 404 404 200 404",
    ("POST", "selfie-status"): NOT_OFFERED,
    ("GET", "selfie-feedback"): NOT_OFFERED,
    ("POST", "selfie-feedback"): "404 404 404 404 302 404",
    ("GET", "selfie-zip"): NOT_OFFERED,
    ("POST", "selfie-zip"): "404 404 404 404 200 404",
    ("GET", "selfie-devices"): "404 404 404 404 200 404",
    ("POST", "selfie-devices"): "404 404 404 404 200 404",
    # Who holds the token is let in by it, whoever they are; the guest is in already.
    ("GET", "return"): "200 200 200 200 302 200",
    ("POST", "return"): "302 302 302 302 302 302",
    ("GET", "selfie-mail"): NOT_OFFERED,
    # Where no mail is sent, an address is not taken.
    ("POST", "selfie-mail"): "404 404 404 404 403 404",
    # The link in a mail: who holds it may end the mails.
    ("GET", "mail"): FOR_ALL,
    ("POST", "mail"): FOR_ALL,
    ("GET", "selfie-withdraw"): "404 404 404 404 200 404",
    ("POST", "selfie-withdraw"): "404 404 404 404 302 404",
    # Signing in and out is allauth's: forms for those who are not signed in, and back to the albums for those who are.
    ("GET", "account_login"): "200 302 302 200 200 302",
    ("POST", "account_login"): "200 302 302 200 200 302",
    ("GET", "account_logout"): "302 200 200 302 302 200",
    ("POST", "account_logout"): "302 302 302 302 302 302",
    ("GET", "account_inactive"): FOR_ALL,
    ("POST", "account_inactive"): NOT_OFFERED,
    ("GET", "account_signup"): "200 302 302 200 200 302",
    ("POST", "account_signup"): "200 302 302 200 200 302",
    ("GET", "account_reauthenticate"): "302 200 200 302 302 200",
    ("POST", "account_reauthenticate"): "302 200 200 302 302 200",
    ("GET", "account_email"): "302 200 200 302 302 200",
    ("POST", "account_email"): "302 302 302 302 302 302",
    ("GET", "account_email_verification_sent"): FOR_ALL,
    ("POST", "account_email_verification_sent"): NOT_OFFERED,
    ("GET", "account_change_password"): "302 200 200 302 302 200",
    ("POST", "account_change_password"): "302 200 200 302 302 200",
    ("GET", "account_set_password"): "302 302 302 302 302 302",
    ("POST", "account_set_password"): "302 302 302 302 302 302",
    ("GET", "account_reset_password"): FOR_ALL,
    ("POST", "account_reset_password"): FOR_ALL,
    ("GET", "account_confirm_login_code"): "302 302 302 302 302 302",
    ("POST", "account_confirm_login_code"): "302 302 302 302 302 302",
    ("GET", "account_confirm_email"): FOR_ALL,
    ("POST", "account_confirm_email"): "404 404 404 404 404 404",
    ("GET", "account_reset_password_from_key_done"): FOR_ALL,
    ("POST", "account_reset_password_from_key_done"): NOT_OFFERED,
    ("GET", "account_reset_password_from_key"): FOR_ALL,
    ("POST", "account_reset_password_from_key"): FOR_ALL,
    # The second step at sign-in: nobody here has one.
    ("GET", "mfa_index"): "302 200 200 302 302 200",
    ("POST", "mfa_index"): "302 405 405 302 302 405",
    ("GET", "mfa_authenticate"): "302 302 302 302 302 302",
    ("POST", "mfa_authenticate"): "302 302 302 302 302 302",
    ("GET", "mfa_reauthenticate"): "302 302 302 302 302 302",
    ("POST", "mfa_reauthenticate"): "302 302 302 302 302 302",
    ("GET", "mfa_activate_totp"): "302 302 302 302 302 302",
    ("POST", "mfa_activate_totp"): "302 302 302 302 302 302",
    ("GET", "mfa_deactivate_totp"): "302 404 404 302 302 404",
    ("POST", "mfa_deactivate_totp"): "302 404 404 302 302 404",
    ("GET", "mfa_view_recovery_codes"): "302 404 404 302 302 404",
    ("POST", "mfa_view_recovery_codes"): "302 405 405 302 302 405",
    ("GET", "mfa_generate_recovery_codes"): "302 302 302 302 302 302",
    ("POST", "mfa_generate_recovery_codes"): "302 302 302 302 302 302",
    ("GET", "mfa_download_recovery_codes"): "302 404 404 302 302 404",
    ("POST", "mfa_download_recovery_codes"): "302 404 404 302 302 404",
    ("GET", "account_reset_password_done"): FOR_ALL,
    ("POST", "account_reset_password_done"): NOT_OFFERED,
}
SELFIE = {"selfie": pictures.selfie_jpeg(), "consent": "true"}
# What is sent where a form is wanted, "photo_id" standing for the world's; other routes of the API get JSON.
FORMS: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "api:album-photos"): {"file": pictures.jpeg(pictures.quadrants())},
    ("PUT", "api:album-logo"): {"logo": pictures.png(pictures.quadrants())},
    ("POST", "api:shared-link-selfies"): SELFIE,
    ("POST", "guest-link"): SELFIE | {"step": "selfie"},
    ("POST", "album-new"): {"title": "A"},
    ("POST", "album-edit"): {"title": "A"},
    ("POST", "album-delete"): {"confirmed": "yes"},
    ("POST", "album-face-search"): {"on": "no", "confirmed": "yes"},
    ("POST", "album-link-new"): {"can_browse": "on"},
    ("POST", "album-zip"): {"size": "original"},
    ("POST", "album-searches"): {"alert": "alert_id"},
    ("POST", "link"): {"enabled": "no"},
    ("POST", "link-delete"): {"confirmed": "yes"},
    ("POST", "token-revoke"): {"confirmed": "yes"},
    ("POST", "selfie-feedback"): {"photo": "photo_id", "verdict": "me"},
    ("POST", "selfie-zip"): {"size": "original"},
    ("POST", "selfie-devices"): {"step": "make"},
    ("POST", "selfie-mail"): {"email": "gina@example.org"},
    ("POST", "selfie-withdraw"): {"confirmed": "yes"},
}
JSON: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "api:albums"): {"title": "A"},
    ("POST", "api:album-photos-check"): {"files": []},
}


@dataclass
class World:
    """One album of each of two owners, a guest of each, and the ids that stand in the addresses of the first."""

    clients: dict[str, Client]
    ids: dict[str, Any]


def routes(patterns: list[Any] | None = None, space: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            if pattern.namespace != "admin":
                yield from routes(pattern.url_patterns, inner)
        else:
            yield f"{space}{pattern.name}", pattern


def methods(pattern: URLPattern) -> list[str]:
    """What a class of views implements; a function is asked both ways."""
    view = getattr(pattern.callback, "cls", None)
    known = [name for name in ("get", "post", "put", "patch", "delete") if view is None or hasattr(view, name)]
    return [name.upper() for name in known if view is not None or name in ("get", "post")] or ["GET"]


@pytest.fixture
def world(db: None) -> World:
    with transaction.atomic():
        owner, other_owner = (User.objects.create_user(f"{name}@example.org", "x") for name in ("olga", "otto"))
        found = {user: _found(user) for user in (owner, other_owner)}
    staff = User.objects.create_superuser("ada@example.org", "x")
    stranger = User.objects.create_user("sven@example.org", "x")
    guest, other_guest = found[owner], found[other_owner]
    clients = {
        "nobody": Client(),
        "stranger": browser_of(stranger),
        "staff": browser_of(staff),
        "other guest": _guest_browser(other_guest),
        "guest": _guest_browser(guest),
        "owner": browser_of(owner),
    }
    album = guest.selfie.album
    guest.selfie.email = "gina@example.org"
    guest.selfie.save()
    ids = {
        "album_id": album.pk,
        "photo_id": Photo.objects.get(album=album).pk,
        "alert_id": Alert.objects.create(album=album, link=guest.selfie.link, sign="many_guests", network_label="a").pk,
        "link_id": guest.selfie.link_id,
        "token": guest.selfie.link.token,
        "selfie_id": guest.selfie.pk,
        "return_token": ReturnLink.make(guest.selfie),
        "mail_token": guest.selfie.mail_token,
        "archive_id": Archive.objects.get(selfie=guest.selfie).pk,
        "token_id": ApiToken.objects.create(user=owner)[0].public_id,
        "rest": "no/such/route/",
        "uidb36": "1",
        "key": "no-key",
    }
    return World(clients, ids)


def _found(user: User) -> Found:
    album = Album.objects.create(owner=user, title="Party", accent="#336699", link_preview=True)
    brand_flow.change(album, logo=[pictures.png(pictures.quadrants())])
    album_flow.switch_face_search(album, True, by=user, basis="contract", attested=True)
    ready_photo(album)
    found = search(Link.make(album))
    made = found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", {}, format="json")
    assert made.status_code == 201
    return found


def _guest_browser(found: Found) -> Client:
    client = Client()
    client.cookies[settings.PIXORA_GUEST_COOKIE] = found.key
    return client


def address(name: str, pattern: URLPattern, ids: dict[str, Any]) -> str:
    wanted = pattern.pattern.regex.groupindex if hasattr(pattern.pattern, "regex") else {}
    kwargs = {key: ids[key] for key in wanted}
    return reverse(name, kwargs=kwargs)


def ask(world: World, persona: str, method: str, name: str, path: str) -> int:
    """The status, and everything as it was before."""
    client = world.clients[persona]
    cookies = client.cookies.output(header="", sep=";")
    with transaction.atomic():
        if (method, name) in FORMS or not name.startswith("api:"):
            answer = client.generic(method, path, *_form(world, FORMS.get((method, name), {})))
        else:
            answer = client.generic(method, path, _json(world, method, name), content_type="application/json")
        answer.close()
        transaction.set_rollback(True)
    client.cookies = SimpleCookie(cookies)
    return int(answer.status_code)


def _json(world: World, method: str, name: str) -> str:
    judged = {"photo": str(world.ids["photo_id"]), "verdict": "me"}
    return json.dumps(judged if name == "api:selfie-feedback" else JSON.get((method, name), {}))


def _form(world: World, fields: dict[str, Any]) -> tuple[bytes, str]:
    files = {name: io.BytesIO(value) for name, value in fields.items() if isinstance(value, bytes)}
    words = {name: world.ids.get(value, value) for name, value in fields.items() if isinstance(value, str)}
    return encode_multipart(BOUNDARY, words | files), MULTIPART_CONTENT


def test_every_route_has_its_row() -> None:
    asked = {(method, name) for name, pattern in routes() for method in methods(pattern)}
    assert asked - TABLE.keys() == set()
    assert TABLE.keys() - asked == set()


def test_every_persona_gets_what_its_column_says(world: World) -> None:
    wrong = []
    for name, pattern in routes():
        for method in methods(pattern):
            path = address(name, pattern, world.ids)
            got = " ".join(str(ask(world, persona, method, name, path)) for persona in PERSONAS)
            if got != TABLE[method, name]:
                wrong.append(f"{method} {name}: {got}, not {TABLE[method, name]}")
    assert not wrong, "\n".join(wrong)


def test_foreign_and_missing_are_the_same_to_the_byte(world: World) -> None:
    for name, pattern in routes():
        if TABLE.get(("GET", name), "").split()[1:2] == ["404"] and "_id" in str(pattern.pattern):
            missing = {key: uuid4() if key.endswith("_id") else value for key, value in world.ids.items()}
            pages = [world.clients["stranger"].get(address(name, pattern, ids)) for ids in (world.ids, missing)]
            assert [page.status_code for page in pages] == [404, 404], name
            assert pages[0].content == pages[1].content, name


def test_nobody_but_staff_gets_anything_of_the_admin(world: World) -> None:
    for model in admin.site._registry:
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        codes = [world.clients[persona].get(path).status_code for persona in PERSONAS]
        assert codes == [302, 302, 200, 302, 302, 302], path


def test_what_has_no_rule_is_nobodys() -> None:
    with pytest.raises(KeyError):
        access.visible_to(Viewer(), User)


def test_a_guest_kept_with_an_account_is_reached_only_while_it_is_signed_in(world: World) -> None:
    guest = Selfie.objects.get(pk=world.ids["selfie_id"]).guest
    guest.user = User.objects.get(email="sven@example.org")
    guest.save()
    path = reverse("api:selfie", kwargs={"selfie_id": world.ids["selfie_id"]})
    assert world.clients["stranger"].get(path).status_code == 200
    assert world.clients["guest"].get(path).status_code == 404
