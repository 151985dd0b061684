"""Health checks: of the process, and of all it needs; on real parts, some of them dead."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from galleries import storage
from galleries.flows import readiness
from tests import services
from tests.running import Site

NAMES = ["database", "migrations", "redis", "storage", "disk"]


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "KEPT_SECONDS", -1.0)


@pytest.fixture
def redis_here(tmp_path: Path, settings: Any) -> Iterator[str]:
    with services.redis(tmp_path / "redis") as url:
        settings.REDIS_URL = url
        yield url


def asked(client: Client | None = None) -> tuple[int, dict[str, Any]]:
    answer = (client or Client()).get("/readyz")
    assert answer["Content-Type"] == "application/json"
    return answer.status_code, answer.json()


def failing(body: dict[str, Any]) -> list[str]:
    return [name for name in NAMES if not body["checks"][name]["ok"]]


@pytest.mark.django_db(transaction=True)
def test_all_is_well(redis_here: str) -> None:
    status, body = asked()
    assert (status, body["ready"]) == (200, True)
    assert body["checks"] == {name: {"ok": True, "words": ANY} for name in NAMES}
    assert not list(storage.path("selfies").glob("*"))


@pytest.mark.django_db(transaction=True)
def test_without_redis_it_says_so_without_its_address(settings: Any) -> None:
    settings.REDIS_URL = "redis://someone:secret@127.0.0.1:1/0"
    status, body = asked()
    assert (status, failing(body)) == (503, ["redis"])
    assert not any(word in str(body) for word in ("secret", "someone", "127.0.0.1"))


@pytest.mark.django_db(transaction=True)
def test_a_redis_that_hangs_is_told_within_three_seconds_and_not_asked_again(redis_here: str, tmp_path: Path) -> None:
    process = int(subprocess.check_output(["pgrep", "-f", redis_here.removeprefix("unix://")]).split()[0])
    os.kill(process, signal.SIGSTOP)
    try:
        started = time.monotonic()
        assert failing(asked()[1]) == ["redis"]
        assert time.monotonic() - started < 3.0
    finally:
        os.kill(process, signal.SIGCONT)
    assert asked()[0] == 200


@pytest.mark.django_db(transaction=True)
def test_a_pending_migration_is_named(redis_here: str) -> None:
    applied = MigrationRecorder(connection)
    applied.record_unapplied("galleries", "0002_cache_table")
    try:
        status, body = asked()
    finally:
        applied.record_applied("galleries", "0002_cache_table")
    assert (status, failing(body)) == (503, ["migrations"])
    assert "galleries.0002_cache_table" in body["checks"]["migrations"]["words"]


@pytest.mark.django_db(transaction=True)
def test_too_little_room_on_the_disk(redis_here: str, settings: Any) -> None:
    settings.PIXORA_MIN_FREE_BYTES = 10**18
    status, body = asked()
    assert (status, failing(body)) == (503, ["disk"])


@pytest.mark.django_db(transaction=True)
def test_a_store_that_cannot_be_written(redis_here: str, settings: Any, tmp_path: Path) -> None:
    (tmp_path / "media").write_text("a file where the folder should be")
    settings.PIXORA_DATA_DIR = tmp_path
    status, body = asked()
    assert (status, failing(body)) == (503, ["storage"])
    assert str(tmp_path) not in str(body)


def test_without_a_database_both_answer_and_neither_asks_for_a_session(settings: Any) -> None:
    """pytest-django stands in for the dead database: it lets nobody near it in this test."""
    client = Client()
    client.cookies[django_settings.SESSION_COOKIE_NAME] = "a-session-that-would-be-looked-up"
    assert client.get("/healthz", HTTP_HOST="an.unknown.host").status_code == 200
    status, body = asked(client)
    assert status == 503
    assert {"database", "migrations"} <= set(failing(body))


@pytest.mark.django_db(transaction=True)
def test_a_session_is_not_looked_up(client: Client, django_assert_num_queries: Any) -> None:
    client.cookies[django_settings.SESSION_COOKIE_NAME] = "a" * 32
    with django_assert_num_queries(0):
        client.get("/readyz")
    assert not Session.objects.exists()


def test_a_running_site_is_ready_whatever_name_it_is_asked_by(site: Site) -> None:
    with closing(HTTPConnection("127.0.0.1", int(site.url.rpartition(":")[2]), timeout=10)) as asked:
        asked.request("GET", "/readyz", headers={"Host": "balancer.internal"})
        answer = asked.getresponse()
        assert (answer.status, json.loads(answer.read())["ready"]) == (200, True)
