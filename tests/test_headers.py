"""What every answer says to browsers: pages, API, administration, errors, files, photos, probes."""

from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT
from django.urls import path, reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from galleries.models import Album
from pixora_site import urls
from tests import pictures
from tests.conftest import browser_of, ready_photo
from tests.test_access import PERSONAS, World, address, methods, routes, world  # noqa: F401 (a fixture)

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


def test_every_route_for_everybody_in_every_way(world: World) -> None:  # noqa: F811
    wrong = []
    for name, pattern in routes():
        place = address(name, pattern, world.ids)
        for persona in ("nobody", "guest", "owner"):
            for method in {"GET", "HEAD", "OPTIONS", *methods(pattern)} - {"DELETE"}:
                wrong += [f"{method} {name} as {persona}: {fault}" for fault in asked(world, persona, method, place)]
    assert wrong == []


def asked(world: World, persona: str, method: str, place: str) -> list[str]:  # noqa: F811
    client = world.clients[persona]
    cookies = client.cookies.output(header="", sep=";")
    with transaction.atomic():
        answer = client.generic(method, place, b"{}", "application/json")
        answer.close()
        transaction.set_rollback(True)
    client.cookies = SimpleCookie(cookies)
    return faults_of(answer)


def test_the_administration_and_what_is_not_there(world: World) -> None:  # noqa: F811
    places = ["/nothing", "/api/v1/nothing", "/static/nothing.js", "/admin/nothing/", "/l/nothing/"]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        places.append(reverse(f"{name}_changelist"))
        places.append(reverse(f"{name}_change", args=["1"]))
    for place in places:
        for persona in PERSONAS:
            assert faults_of(world.clients[persona].get(place)) == [], f"{place} as {persona}"


def _breaks(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


class _Urls:
    urlpatterns = [path("breaks/", _breaks), path("api/v1/breaks/", _breaks), *urls.urlpatterns]
    handler500 = urls.handler500


def errors(owner: Any) -> Iterator[Any]:
    client = Client(raise_request_exception=False)
    yield client.get("/breaks/")
    yield client.get("/api/v1/breaks/")
    yield client.get("/", headers={"host": "evil.example.org"})
    yield Client(enforce_csrf_checks=True).post(reverse("account_login"))
    yield client.post("/accounts/login/", b"", content_type="text/plain", headers={"transfer-encoding": "chunked"})
    yield client.post("/albums/new/", b"x", content_type="text/plain", CONTENT_LENGTH="99999999999")
    yield APIClient().post("/api/v1/albums/", b"{", content_type="application/json")
    body = f"--{BOUNDARY}\r\nbroken".encode()
    yield browser_of(owner).generic("POST", "/albums/new/", body, MULTIPART_CONTENT)


def test_errors_too(owner: Any, settings: Settings) -> None:
    settings.ROOT_URLCONF = _Urls
    found = list(errors(owner))
    assert [answer.status_code for answer in found[:5]] == [500, 500, 400, 403, 411]
    for answer in found:
        assert faults_of(answer) == [], answer.status_code


def test_static_files_too(db: None, settings: Settings) -> None:
    settings.WHITENOISE_AUTOREFRESH = settings.WHITENOISE_USE_FINDERS = True
    for file in ("css/pixora.css", "js/upload/hash.js", "img/mark.svg", "photoswipe/photoswipe.css"):
        answer = Client().get(f"/static/{file}")
        assert answer.status_code == 200, file
        assert faults_of(answer) == [], file
        answer.close()


def test_an_original_comes_as_a_download_of_its_detected_type_and_can_be_no_page(desk: Client, album: Album) -> None:
    """Whatever it is called: nobody's name for a file makes a page of it."""
    photo = ready_photo(album, pictures.jpeg(pictures.quadrants()), name="page.html")
    answer = desk.get(reverse("api:photo-original", args=[photo.pk]))
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    answer.close()


def test_behind_tls_browsers_are_told_so_with_everything(db: None, settings: Settings) -> None:
    settings.PIXORA_TRUSTED_PROXIES = ["10.0.0.1"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_HSTS_SECONDS, settings.SECURE_SSL_REDIRECT = 31_536_000, True
    proxy, https = "10.0.0.1", {"x-forwarded-proto": "https"}
    for place in ("/", "/api/v1/albums/", "/healthz", "/nothing", "/accounts/login/", "/api/v1/schema/"):
        said = Client().get(place, REMOTE_ADDR=proxy, headers=https)
        assert said["Strict-Transport-Security"] == "max-age=31536000", place
        plain = Client().get(place, REMOTE_ADDR=proxy)
        assert "Strict-Transport-Security" not in plain, place
    lied = Client().get("/", REMOTE_ADDR="10.0.0.66", headers=https)
    assert lied["Location"].startswith("https://"), "who comes past the proxy has not come by https, whatever they say"
    assert "Strict-Transport-Security" not in lied
