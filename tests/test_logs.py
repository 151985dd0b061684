"""What the log says: enough to follow one request or photo, and nothing that is secret or personal."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.conf import settings as django_settings
from django.db import IntegrityError, OperationalError
from django.test import Client

from galleries import access, logs
from galleries.flows import photo as photo_flow
from galleries.models import Album, Photo
from pixora_site.celery import app
from pixora_site.logs import Json, Line
from tests import pictures
from tests.conftest import add
from tests.running import environment, running_site

ROOT = Path(django_settings.BASE_DIR)
SECRET = "Wq3xT0kZ9uYbN4vCmL8sHd2RfG7jPaE5"
EMAIL = "gina.guest@example.org"


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """Tests that call a task's function note what it claims, outside of any task."""
    with logs.apart():
        yield


def record(message: str, *args: object, error: Exception | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("galleries", logging.WARNING, __file__, 1, message, args, info)


@pytest.mark.parametrize("shape", [Line(), Json()])
@pytest.mark.parametrize(
    "words",
    [
        f"Not Found: /l/{SECRET}/",
        f"postgres://pixora:{SECRET}@db:5432/pixora refused",
        f"redis://:{SECRET}@redis:6379/0 refused",
        f"Authorization: Token {SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"Pixora-Guest: {SECRET}",
        f"duplicate key: Key (email)=({EMAIL}) already exists",
        f"GET /accounts/login/?email={EMAIL.replace('@', '%40')}",
    ],
)
def test_secrets_and_addresses_are_masked_in_the_message_its_facts_and_its_traceback(
    shape: logging.Formatter, words: str
) -> None:
    try:
        raise IntegrityError(words)
    except IntegrityError as error:
        with logs.apart(request=words):
            line = shape.format(record("It failed: %s", words, error=error))
    assert "IntegrityError" in line
    assert SECRET not in line
    assert EMAIL.split("@")[0] not in line


def test_a_json_line_has_its_time_its_level_and_what_it_is_about() -> None:
    with logs.apart(request="4f2a"):
        logs.note(photo="7c1e")
        line = json.loads(Json().format(record("Photo %s", "x")))
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING", "logger": "galleries", "message": "Photo x", "request": "4f2a", "photo": "7c1e",
    }  # fmt: skip
    assert logs.known() == {}


def test_a_task_and_what_it_claimed_stand_on_its_lines(
    album: Album, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    photo = add(album, pictures.jpeg(pictures.quadrants())).photo
    seen: list[dict[str, str]] = []
    monkeypatch.setattr(photo_flow, "examine", lambda claimed: seen.append(dict(logs.known())))
    app.tasks["galleries.flows.photo.work"]()
    assert seen == [{"task": "galleries.flows.photo.work", "photo": str(photo.pk)}]
    assert logs.known() == {}
    assert Photo.objects.get().attempts == 1


def test_only_a_proxy_we_trust_may_name_the_request(db: None, settings: Any) -> None:
    def named(given: str, address: str) -> str:
        return Client(REMOTE_ADDR=address).get("/", headers={"X-Request-Id": given})["X-Request-Id"]

    settings.PIXORA_TRUSTED_PROXIES = ["172.16.0.0/12"]
    assert named("from-the-proxy-1", "172.20.0.9") == "from-the-proxy-1"
    others = [
        named("from-the-proxy-1", "203.0.113.9"),
        named('"} {"level": "x', "172.20.0.9"),
        named("short", "172.20.0.9"),
        named("from-the-proxy-1", ""),
    ]
    assert all(len(name) == 12 and name.isalnum() for name in others)
    assert len(set(others)) == 4


def test_the_objects_of_a_request_stand_on_its_lines(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, seen = uuid4(), []
    monkeypatch.setattr(access, "photo_for", lambda viewer, pk: seen.append(dict(logs.known())))
    client = Client(raise_request_exception=False)
    answer = client.get(f"/api/v1/photos/{wanted}/thumb")
    assert seen == [{"request": answer["X-Request-Id"], "photo": str(wanted)}]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("a fault"), 500, "server_error"),
        (OperationalError("connection refused"), 503, "busy"),
        (OperationalError("database is locked"), 503, "busy"),
        (OperationalError("no such table: x"), 500, "server_error"),
    ],
)
def test_an_error_page_and_a_problem_name_the_request_and_say_nothing_else(
    db: None, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    def fails(request: object) -> None:
        raise error

    monkeypatch.setattr(access, "viewer_of", fails)
    client = Client(raise_request_exception=False)
    page, problem = client.get("/"), client.get(f"/api/v1/photos/{uuid4()}/thumb")
    assert (page.status_code, problem.status_code) == (status, status)
    assert page["X-Request-Id"] in page.content.decode()
    body = problem.json()
    assert (body["code"], body["request_id"]) == (code, problem["X-Request-Id"])
    assert str(error) not in page.content.decode() + problem.content.decode()
    assert page.has_header("Retry-After") == problem.has_header("Retry-After") == (status == 503)


def test_the_whole_site_writes_json_and_no_secret(tmp_path: Path) -> None:
    def get(path: str, **more: Any) -> str:
        return requests.get(site.url + path, timeout=30, **more).headers["X-Request-Id"]

    with running_site(tmp_path, PIXORA_LOG="json") as site:
        get(f"/l/{SECRET}/", headers={"Referer": f"{site.url}/l/{SECRET}/"})
        get("/albums/", params={"email": EMAIL}, headers={"Authorization": f"Token {SECRET}"})
        get("/api/v1/albums/", headers={"Authorization": f"Token {SECRET}", "Pixora-Guest": SECRET})
        get("/accounts/login/", params={"next": f"/l/{SECRET}/"})
        named = get("/my/")
        time.sleep(0.5)
        log = site.log()
    said = [line.partition("| ")[2] for line in log.splitlines() if line.startswith("web")]
    lines = [json.loads(line) for line in said if line.startswith("{")]
    assert len(lines) == len([line for line in said if "Traceback" not in line])
    assert any(line["logger"] == "gunicorn.access" and line["request"] == named for line in lines)
    assert SECRET not in log
    assert EMAIL not in log


def test_a_worker_writes_the_same(tmp_path: Path) -> None:
    """It says that it finds no broker."""
    surroundings = environment(tmp_path, PIXORA_LOG="json", REDIS_URL="redis://:a-secret@127.0.0.1:1/0")
    command = [sys.executable, "manage.py", "serve", "upkeep"]
    with subprocess.Popen(
        command, cwd=ROOT, env=surroundings, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout
        line = next(line for line in worker.stdout if "annot connect" in line)
        worker.kill()
    assert json.loads(line)["level"] == "ERROR"
    assert "a-secret" not in line
