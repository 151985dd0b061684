"""What every answer says to browsers: pages, API, administration, errors, files, photos, probes."""

from collections.abc import Iterator
from typing import Any

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
from tests.test_sweeps import faults_of


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
