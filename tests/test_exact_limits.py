"""Limits that people are held to, in a crowd: of 200 requests of four processes exactly as many pass as may."""

import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from tests import services
from tests.running import environment

ROOT = Path(django_settings.BASE_DIR)
PROCESSES, REQUESTS, THREADS = 4, 50, 8
ALL = PROCESSES * REQUESTS
LIMITS = {"PIXORA_GUESTS_AN_HOUR": "10", "PIXORA_SEARCHES_A_DAY": "10", "PIXORA_SELFIES_WAITING": "1000"}
BEGIN = """
import json, sys, time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from django.conf import settings
import django; django.setup()
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from rest_framework.test import APIClient
from galleries.flows import admission
from galleries.models import Album, Alert, ApiToken, Guest, Link, User, Visit
from galleries.models.audit import label
from tests import pictures
"""
# An album for each question, with a guest who is in already. The network is the one that Django's client comes from.
PREPARE = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
owner = User.objects.create_user("olga@example.org", "x")
made = {}
for question in ("new guests", "link", "waiting", "day", "slowed"):
    album = Album.objects.create(owner=owner, title=question, face_search=True, engine="any+engine@1")
    link, (guest, key) = Link.make(album, max_uses=7 if question == "link" else None), Guest.make()
    Visit.objects.create(guest=guest, link=link, unlocked=True)
    made[question] = link.token, key
    if question == "slowed":
        Alert.objects.create(album=album, link=link, sign="many_refused", network_label=label(album, "127.0.0.1"))
token = ApiToken.objects.create(user=owner)[1]
client = APIClient(headers={"host": "localhost", "authorization": f"Token {token}"})
address = f"/api/v1/albums/{album.pk}/"
made["same key"] = made["if match"] = token, json.dumps([address, client.get(address)["ETag"]])
print(json.dumps(made))
"""
CROWD = """
made, requests, threads, folder = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
picture = pictures.jpeg(pictures.quadrants())

def enter(token, key):
    path = f"/api/v1/links/{token}/unlock/"
    return APIClient(headers={"host": "localhost"}).post(path, {"password": ""}, format="json")

def search(token, key):
    body = {"selfie": SimpleUploadedFile("me.jpg", picture), "consent": "true"}
    known = {"Pixora-Guest": key} if key else {}
    return APIClient(headers={"host": "localhost"} | known).post(f"/api/v1/links/{token}/selfies/", body)

def make(token, key):
    # One album; whoever is told that another is at it asks again.
    client = APIClient(headers={"host": "localhost", "authorization": f"Token {token}", "idempotency-key": "one"})
    while (answer := client.post("/api/v1/albums/", {"title": "once"}, format="json")).status_code == 409:
        time.sleep(0.05)
    return Answer({"code": answer.json()["id"]})

def change(token, key):
    address, seen = json.loads(key)
    client = APIClient(headers={"host": "localhost", "authorization": f"Token {token}", "if-match": seen})
    return client.patch(address, {"title": f"changed {time.monotonic_ns()}"}, format="json")

class Answer(dict):
    def json(self):
        return self

def together(question):
    folder.joinpath(f"{question}.{sys.argv[5]}").touch()
    while len(list(folder.glob(f"{question}.*"))) < 4:
        time.sleep(0.01)

def crowd(question, ask, token, key):
    together(question)
    def answered(_):
        try:
            return ask(token, key).json().get("code", "passed")
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return Counter(pool.map(answered, range(requests)))

told = {"new guests": crowd("new guests", enter, *made["new guests"]), "link": crowd("link", enter, *made["link"])}
told["waiting"] = crowd("waiting", search, *made["waiting"])
told["same key"] = crowd("same key", make, *made["same key"])
told["if match"] = crowd("if match", change, *made["if match"])
# More may wait at once than a day allows, or that limit would be the first to be met.
admission.SEARCHES_A_GUEST = 1000
told["day"] = crowd("day", search, *made["day"])
told["slowed"] = crowd("slowed", search, made["slowed"][0], "")
print(json.dumps(told))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def surroundings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    if request.param == "sqlite":
        yield environment(tmp_path / "data", **LIMITS)
    else:
        with services.postgres(tmp_path / "postgres") as url:
            yield environment(tmp_path / "data", **LIMITS, DATABASE_URL=url)


def python(program: str, surroundings: dict[str, str], *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-W", "ignore", "-c", BEGIN + program, *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=surroundings, stdout=pipe, stderr=pipe, text=True)


def said_by(process: "subprocess.Popen[str]") -> dict[str, Any]:
    out, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors[-3000:]
    return dict(json.loads(out.splitlines()[-1]))


def test_exactly_as_many_pass_as_may(surroundings: dict[str, str], tmp_path: Path) -> None:
    words = [json.dumps(said_by(python(PREPARE, surroundings))), str(REQUESTS), str(THREADS), str(tmp_path)]
    begun = time.monotonic()
    processes = [python(CROWD, surroundings, *words, str(number)) for number in range(PROCESSES)]
    told: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for process in processes:
        for question, answers in said_by(process).items():
            told[question].update(answers)
    slowed, made = told.pop("slowed"), told.pop("same key")
    assert told == {
        "new guests": {"passed": 10, "too_many_guests": ALL - 10},
        "link": {"passed": 7, "link_used_up": ALL - 7},
        "waiting": {"passed": 3, "too_many_searches": ALL - 3},
        "day": {"passed": 10, "searches_used_up": ALL - 10},
        "if match": {"passed": 1, "precondition_failed": ALL - 1},
    }
    # All were told of the same album.
    assert list(made.values()) == [ALL]
    # One at once, and one more for each half minute that all this took.
    assert 1 <= slowed["passed"] <= 1 + (time.monotonic() - begun) // 30
    assert slowed["passed"] + slowed["slowed_down"] == ALL
