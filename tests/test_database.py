"""PostgreSQL that is slow, silent, gone and back: what a visitor is told, and in how short a time."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from tests import services
from tests.running import environment

ROOT = Path(django_settings.BASE_DIR)
# By WSGI as gunicorn asks, since Django's test client keeps connections as they are.
ASK = """
import json, time
from django.conf import settings
import django; django.setup()
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
from django.db import connection
from django.test import RequestFactory
from pixora_site.wsgi import application

said = {}

def answered(request):
    started, head = time.monotonic(), {}
    answer = application(request.environ, lambda status, headers: head.update(dict(headers), status=int(status[:3])))
    body = b"".join(answer).decode()
    answer.close()
    took = time.monotonic() - started
    return {"status": head["status"], "took": took, "retry": head.get("Retry-After"), "body": body}

def ask(path, **headers):
    return answered(RequestFactory().get(path, headers={"host": "localhost", **headers}))
"""


def told(data_dir: Path, url: str, program: str, **settings: str) -> dict[str, Any]:
    surroundings = environment(data_dir, DATABASE_URL=url, **settings)
    command = [sys.executable, "-W", "ignore", "-c", f"{ASK}\n{program}\nprint(json.dumps(said))"]
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


DEAD = """
said["page"] = ask("/albums/", cookie="sessionid=" + "a" * 32)
said["problem"] = ask("/api/v1/albums/", authorization="Token " + "a" * 64)
said["ready"] = ask("/readyz")
said["alive"] = ask("/healthz")
"""


def held_to(said: dict[str, Any]) -> None:
    assert (said["page"]["status"], said["problem"]["status"]) == (503, 503)
    assert said["page"]["retry"] == said["problem"]["retry"] == "10"
    assert "We are back in a moment" in said["page"]["body"]
    assert json.loads(said["problem"]["body"])["code"] == "busy"
    assert (said["ready"]["status"], said["alive"]["status"]) == (503, 200)
    assert said["ready"]["took"] < 3.0
    assert not json.loads(said["ready"]["body"])["checks"]["database"]["ok"]


def test_a_database_that_refuses_is_a_moments_patience(tmp_path: Path) -> None:
    held_to(told(tmp_path, "postgres://pixora:secret@127.0.0.1:1/pixora", DEAD))


def test_a_database_that_says_nothing_is_told_within_three_seconds(tmp_path: Path) -> None:
    """It takes connections and answers none, as a machine that hangs."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        held_to(told(tmp_path, f"postgres://pixora@127.0.0.1:{silent.getsockname()[1]}/pixora", DEAD))


def test_a_pool_serves_and_fails_the_same(tmp_path: Path) -> None:
    held_to(told(tmp_path, "postgres://pixora@127.0.0.1:1/pixora", DEAD, PIXORA_DATABASE_POOL="2"))


@pytest.mark.parametrize("pool", ["0", "2"])
def test_limits_hold_and_a_broken_connection_costs_one_request_at_most(tmp_path: Path, pool: str) -> None:
    program = """
from django.core.management import call_command
from django.db import OperationalError
from galleries.database import trouble_of
from galleries.models import User
import psycopg
call_command("migrate", verbosity=0)
connection.close()
with connection.cursor() as cursor:
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "application_name"):
        cursor.execute(f"SHOW {name}")
        said[name] = cursor.fetchone()[0]
    try:
        cursor.execute("SELECT pg_sleep(5)")
    except OperationalError as error:
        said["slow"] = trouble_of(error)
said["before"] = ask("/api/v1/albums/", authorization="Token " + "a" * 64)
parameters = {k: v for k, v in connection.get_connection_params().items() if k in ("host", "dbname", "user", "port")}
with psycopg.connect(**parameters, autocommit=True) as other:
    ours = "application_name = 'pixora-test' AND pid <> pg_backend_pid()"
    other.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")
said["after"] = ask("/api/v1/albums/", authorization="Token " + "a" * 64)
"""
    with services.postgres(tmp_path / "postgres") as url:
        said = told(
            tmp_path, url, program, PIXORA_STATEMENT_SECONDS="1", PIXORA_DATABASE_POOL=pool, PGAPPNAME="pixora-test"
        )
    limits = [said[name] for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")]
    assert limits == ["1s", "10s", "1min"]
    assert said["application_name"] == "pixora-test"
    assert said["slow"] == "slow"
    assert (said["before"]["status"], said["after"]["status"]) == (401, 401)


def test_sqlite_that_is_locked_is_a_moments_patience(tmp_path: Path) -> None:
    """A backup that somebody takes by hand holds the file longer than the 20 s that we wait."""
    program = """
import sqlite3
from django.core.management import call_command
from galleries.models import ApiToken, User
call_command("migrate", verbosity=0)
_, token = ApiToken.objects.create(user=User.objects.create_user("olga@example.org"), scopes="manage")
connection.settings_dict["OPTIONS"]["timeout"] = 0.2
connection.close()
other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)

def make_album():
    headers = {"host": "localhost", "authorization": f"Token {token}"}
    sent = {"data": {"title": "A"}, "content_type": "application/json", "headers": headers}
    answer = answered(RequestFactory().post("/api/v1/albums/", **sent))
    return [answer["status"], answer["retry"]]

other.execute("BEGIN IMMEDIATE")
said["locked"] = make_album()
other.execute("ROLLBACK")
said["free"] = make_album()
"""
    said = told(tmp_path, "", program)
    assert said == {"locked": [503, "10"], "free": [201, None]}
