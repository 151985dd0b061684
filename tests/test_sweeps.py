"""What is asked of every route: the headers of its answer, and that no failure of others is repeated on any."""

import json
from typing import Any

import pytest
from django.contrib import admin
from django.db import transaction
from django.test import Client
from django.urls import reverse

from galleries.flows import api_token as token_flow
from galleries.flows import photo as photo_flow
from galleries.flows import visit
from galleries.models import Album, ApiToken, Link, Photo, User
from tests.routes import address, methods, routes
from tests.world import World

# Each test in a transaction of its own, within the world's.
pytestmark = pytest.mark.django_db
PATTERNS = dict(routes())


SEALS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def faults_of(answer: Any) -> list[str]:
    """What an answer does not say as it must."""
    wrong = [name for name, value in SEALS.items() if answer.get(name) != value]
    policy = {part.split()[0]: part.split()[1:] for part in answer.get("Content-Security-Policy", "none").split(";")}
    if "'none'" not in policy.get("frame-ancestors", []) or policy.get("default-src") != ["'none'"]:
        wrong.append("Content-Security-Policy")
    if any("unsafe" in word or word in ("*", "https:", "http:") for words in policy.values() for word in words):
        wrong.append("Content-Security-Policy allows inline or anywhere")
    if not answer.get("Permissions-Policy", "").endswith("microphone=(), geolocation=()"):
        wrong.append("Permissions-Policy")
    return wrong


def test_every_route_for_everybody_in_every_way(world: World) -> None:
    wrong = []
    for name, pattern in routes():
        place = address(name, pattern, world.olga.ids)
        for persona in ("nobody", "guest", "owner"):
            for method in {"GET", "HEAD", "OPTIONS", *methods(pattern)} - {"DELETE"}:
                with world.asked(persona, method, place, b"{}", "application/json") as answer:
                    wrong += [f"{method} {name} as {persona}: {fault}" for fault in faults_of(answer)]
    assert wrong == []


def test_the_administration_and_what_is_not_there(world: World) -> None:
    places = ["/nothing", "/api/v1/nothing", "/static/nothing.js", "/admin/nothing/", "/l/nothing/"]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        places.append(reverse(f"{name}_changelist"))
        places.append(reverse(f"{name}_change", args=["1"]))
    for place in places:
        for persona in ("nobody", "staff", "owner", "manage"):
            assert faults_of(world.clients[persona].get(place)) == [], f"{place} as {persona}"


# The password of a link is asked on one endpoint, and every other forgets it


def opened(world: World, persona: str) -> list[str]:
    """The routes of what is the persona's that answer them, each asked as if it were the only one."""
    found = []
    for name, pattern in routes():
        if "_id>" in str(pattern.pattern):
            with world.asked(persona, "GET", address(name, pattern, world.olga.ids)) as answer:
                found += [name] if answer.status_code == 200 else []
    return found


def test_a_new_password_locks_every_page_photo_zip_and_api_of_those_who_came_by_the_old_one(world: World) -> None:
    link = Link.objects.get(pk=world.olga.ids["link_id"])
    link.can_browse = True
    link.save()
    assert len(opened(world, "guest")) >= 12
    visit.change_link(link, password="lake of glass")
    assert opened(world, "guest") == []


# A token that widens its own scope


@pytest.mark.parametrize("scopes", ["read", "upload", "read upload manage"])
def test_no_token_makes_changes_or_frees_a_token(world: World, scopes: str) -> None:
    token, secret = token_flow.make(world.olga.owner, scopes=scopes.split(), albums=[world.olga.album])
    before = list(ApiToken.objects.order_by("pk").values("pk", "scopes", "is_bound", "expiry", "name", "user"))
    wish = {"scopes": ["read", "upload", "manage"], "scope": "manage", "albums": [], "expiry": None, "is_bound": False}
    client = Client(headers={"authorization": f"Token {secret}"})
    for name, pattern in routes():
        for method in methods(pattern):
            # What deletes is for who may delete; here it would take away what is asked of next.
            if method not in ("GET", "DELETE") and "delete" not in name:
                with transaction.atomic():
                    path = address(name, pattern, world.olga.ids | {"token_id": token.public_id})
                    client.generic(method, path, json.dumps(wish), content_type="application/json").close()
                    now = ApiToken.objects.order_by("pk").values("pk", "scopes", "is_bound", "expiry", "name", "user")
                    assert list(now) == before, f"{method} {name}"
                    transaction.set_rollback(True)


# Hidden photos that show in zips


def test_a_photo_hidden_later_leaves_a_zip_that_was_made_before(world: World) -> None:
    photo_flow.hide(Photo.objects.get(pk=world.olga.ids["photo_id"]), hidden=True)
    answer = world.clients["guest"].get(reverse("api:archive", args=[world.olga.ids["archive_id"]]))
    assert (answer.status_code, answer.json()["code"]) == (410, "archive_stale")


# Filters that are joined by OR, and reach what is another's


def test_no_parameter_of_a_list_reaches_another_owners_rows(world: World) -> None:
    foreign, photo, link = world.otto.album, world.otto.photos["ready"], world.otto.found.selfie.link
    Album.objects.filter(pk=foreign.pk).update(title="canary-title")
    Photo.objects.filter(pk=photo.pk).update(name="canary-name.jpg")
    values = [str(foreign.pk), str(photo.pk), str(link.pk), str(foreign.owner_id), "canary", foreign.owner.email, "1"]
    words = ["album", "album_id", "owner", "owner_id", "user", "person", "state", "search", "q", "id", "id__in", "pk"]
    words += ["ordering", "after", "cursor", "page", "limit", "or", "title__contains", "judged", "filter", "fields"]
    queries = [dict.fromkeys(words, value) for value in values]
    queries += [{word: values[0]} for word in words] + [{"person": str(photo.pk), "state": "ready"}]
    for name in ("albums", "tokens", "albums-deleted", "my-photos", "album", "album-listing", "album-problems"):
        _no_canary(world, name, queries)
    for name in ("api:albums", "api:album-photos", "api:album-links", "api:album-progress", "api:selfie"):
        _no_canary(world, name, queries)


def _no_canary(world: World, name: str, queries: list[dict[str, str]]) -> None:
    pattern = next(pattern for route, pattern in routes() if route == name)
    for persona in ("owner", "guest", "stranger"):
        for query in queries:
            answer = world.clients[persona].get(address(name, pattern, world.olga.ids), query)
            assert answer.status_code < 500, (name, query)
            assert b"canary-" not in answer.content, (name, persona, query)


# What the administration can do beyond its pages


def test_nobody_but_staff_does_anything_at_any_address_of_the_administration(world: World) -> None:
    before = {model: model._default_manager.count() for model in admin.site._registry}
    places = ["/admin/"]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        row = str(model._default_manager.values_list("pk", flat=True).first() or 1)
        places += [reverse(f"{name}_{page}") for page in ("changelist", "add")]
        places += [reverse(f"{name}_{page}", args=[row]) for page in ("change", "delete", "history")]
    places += [reverse("admin:auth_user_password_change", args=["1"])]
    places += [reverse(f"admin:{page}") for page in ("jsi18n", "autocomplete", "password_change", "logout")]
    deletion = {"action": "delete_selected", "_selected_action": ["1"], "post": "yes", "is_staff": "on"}
    for persona in ("nobody", "stranger", "owner", "guest", "manage"):
        for place in places:
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                with world.asked(persona, method, place, json.dumps(deletion), "application/json") as answer:
                    assert answer.status_code in (302, 403, 404, 405), (persona, method, place)
                    rows = {model: model._default_manager.count() for model in before}
                    assert method == "GET" or rows == before, (persona, method, place)
    assert {model: model._default_manager.count() for model in before} == before
    assert User.objects.filter(is_staff=True).count() == 1
