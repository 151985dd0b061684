"""Measurements: added up over processes in a real Redis, asked of the database, and read by those who may."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from galleries import metrics, storage
from galleries.flows import doorbell, gauges
from galleries.flows import photo as photo_flow
from galleries.models import Album, Link, Photo, User
from tests import pictures, services
from tests.conftest import add, browser_of, ready_photo, search, upload
from tests.running import environment

ROOT = Path(django_settings.BASE_DIR)
TOKEN = "a-token-that-only-prometheus-knows"


@pytest.fixture
def redis_here(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with services.redis(tmp_path / "redis") as url:
        settings.REDIS_URL = url
        forget(monkeypatch)
        yield url
    metrics._redis.cache_clear()


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a process begins."""
    metrics._redis.cache_clear()
    metrics._unsent.clear()
    monkeypatch.setattr(metrics, "_rest_until", 0.0)


def read() -> dict[str, float]:
    """`name{label values}` -> value, of everything there is."""

    def fresh() -> Iterable[metrics.Gauge]:
        cache.delete("gauges")
        return gauges.gauges()

    text = metrics.render(fresh)[0].decode()
    return {
        f"{sample.name}{{{','.join(sample.labels.values())}}}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.django_db(transaction=True)
def test_counts_and_times_of_several_processes_add_up(redis_here: str, tmp_path: Path) -> None:
    program = (
        "import django; django.setup(); from galleries import metrics;"
        "[metrics.count('uploads', outcome='accepted') for _ in range(50)];"
        "metrics.timed('decode_seconds').__enter__();"
        "[metrics._add('decode_seconds', {}, {'3': 1, 'sum': 0.07}) for _ in range(10)]"
    )
    ran = [
        subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment(tmp_path, REDIS_URL=redis_here))
        for _ in range(3)
    ]
    assert [process.wait(60) for process in ran] == [0, 0, 0]
    found = read()
    assert found["pixora_uploads_total{accepted}"] == 150
    assert found["pixora_decode_seconds_bucket{0.05}"] == 0
    assert found["pixora_decode_seconds_bucket{0.1}"] == found["pixora_decode_seconds_bucket{+Inf}"] == 30
    assert found["pixora_decode_seconds_count{}"] == 30
    assert found["pixora_decode_seconds_sum{}"] == pytest.approx(2.1)


@pytest.mark.django_db(transaction=True)
def test_what_was_counted_without_redis_is_sent_once_it_is_back(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with services.redis(tmp_path / "redis") as url:
        settings.REDIS_URL = url
        forget(monkeypatch)
    monkeypatch.setattr(metrics, "_REST_SECONDS", 0.0)
    for _ in range(5):
        metrics.count("lost_rings", queue="ingest")
    assert read()["pixora_up{redis}"] == 0
    with services.redis(tmp_path / "redis"):
        metrics.count("lost_rings", queue="ingest")
        assert read()["pixora_lost_rings_total{ingest}"] == 6
    metrics._redis.cache_clear()


def test_nothing_that_redis_does_holds_up_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    forget(monkeypatch)

    def closed_under_it() -> None:
        raise ValueError("I/O operation on closed file.")

    monkeypatch.setattr(metrics, "_redis", closed_under_it)
    metrics.count("zips", size="original")
    assert sum(metrics._unsent.values()) == 1
    metrics._unsent.clear()


@pytest.mark.django_db(transaction=True)
def test_a_photo_a_search_and_a_zip_are_measured_where_they_happen(redis_here: str, searchable: Album) -> None:
    ready_photo(searchable)
    add(searchable, pictures.jpeg(pictures.portrait()), "again.jpg")
    add(searchable, b"no picture at all", "b.jpg")
    found = search(Link.make(searchable))
    found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", {}, format="json")
    seen = read()
    assert [seen[f"pixora_uploads_total{{{outcome}}}"] for outcome in photo_flow.Outcome] == [1, 1, 1]
    assert seen["pixora_upload_bytes_total{rejected}"] == len(b"no picture at all")
    assert seen["pixora_decode_seconds_count{}"] == seen["pixora_engine_seconds_count{}"] == 1
    assert seen["pixora_searches_total{done}"] == seen["pixora_search_seconds_count{}"] == 1
    assert seen["pixora_zips_total{original}"] == 1
    assert seen["pixora_photos{ready}"] == seen["pixora_photos{rejected}"] == 1
    assert seen["pixora_stored_bytes{originals}"] == Photo.objects.get(state="ready").size
    assert seen["pixora_due{ingest}"] == 0


@pytest.mark.django_db(transaction=True)
def test_what_waits_is_told_with_its_age(redis_here: str, album: Album) -> None:
    photo = add(album, pictures.jpeg(pictures.quadrants())).photo
    Photo.objects.filter(pk=photo.pk).update(received_at=timezone.now() - timedelta(minutes=5))
    seen = read()
    assert seen["pixora_due{ingest}"] == 1
    assert 300 <= seen["pixora_oldest_due_seconds{ingest}"] < 400
    assert (seen["pixora_due{selfie}"], seen["pixora_oldest_due_seconds{selfie}"]) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_a_lost_ring_is_counted(redis_here: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = redis.Redis(unix_socket_path="/nowhere/redis.sock")
    monkeypatch.setattr(doorbell, "_broker", lambda: gone)
    doorbell.ring(photo_flow.work)
    assert read()["pixora_lost_rings_total{ingest}"] == 1


@pytest.mark.django_db(transaction=True)
def test_the_token_opens_them_under_any_host_name_and_nothing_else_does(settings: Any) -> None:
    settings.PIXORA_METRICS_TOKEN = TOKEN

    def status(client: Client, given: str = "") -> int:
        headers = {"Authorization": given} if given else {}
        return int(client.get("/metrics", headers=headers, HTTP_HOST="web:8000" if given else "testserver").status_code)

    assert status(Client(), f"Bearer {TOKEN}") == 200
    assert [status(Client(), given) for given in ("", "Bearer", "Bearer ", f"Token {TOKEN}", f"Bearer {TOKEN}x")] == [
        404
    ] * 5
    assert status(Client(), "Bearer schlüssel") == 404
    settings.PIXORA_METRICS_TOKEN = ""
    assert [status(Client(), given) for given in ("Bearer ", "Bearer", f"Bearer {TOKEN}")] == [404] * 3


@pytest.mark.django_db(transaction=True)
def test_staff_read_them_in_the_browser_and_say_nothing_of_anybody(album: Album, admin_user: User, owner: User) -> None:
    page = browser_of(admin_user).get("/metrics")
    assert page["Content-Type"].startswith("text/plain")
    for word in (str(album.pk), album.title, owner.email):
        assert word not in page.content.decode()
    foreign, missing = browser_of(owner).get("/metrics"), browser_of(owner).get("/no-such-page")
    assert (foreign.status_code, foreign.content) == (404, missing.content)


@pytest.mark.django_db(transaction=True)
def test_they_cost_a_handful_of_queries_and_the_large_sums_once_a_minute(django_assert_max_num_queries: Any) -> None:
    cache.delete("gauges")
    with django_assert_max_num_queries(17):
        list(gauges.gauges())
    with django_assert_max_num_queries(7):
        list(gauges.gauges())


def test_every_measure_in_the_code_is_declared_with_its_labels() -> None:
    used: dict[str, set[str | None]] = {}
    for path in (ROOT / "galleries").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and (node.func.value.id, node.func.attr) in {("metrics", "count"), ("metrics", "timed")}
            ):
                names = [str(part.value) for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
                used |= {name: {keyword.arg for keyword in node.keywords} for name in names}
    assert used == {name: set(measure.labels) for name, measure in metrics.MEASURES.items()}


def test_without_a_database_the_counts_are_still_told(redis_here: str) -> None:
    """pytest-django stands in for the dead database."""
    metrics.count("server_errors", status=503)
    seen = read()
    assert (seen["pixora_up{database}"], seen["pixora_up{redis}"]) == (0, 1)
    assert seen["pixora_server_errors_total{503}"] == 1


@pytest.mark.django_db(transaction=True)
def test_what_held_up_a_photo_is_counted_by_its_kind(
    redis_here: str, album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = [OSError(5, "Input/output error"), OperationalError("database is locked")]
    photo = add(album, pictures.jpeg(pictures.quadrants())).photo

    def fails(claimed: Photo) -> None:
        raise errors.pop()

    monkeypatch.setattr(photo_flow, "_look_at", fails)
    for _ in range(2):
        Photo.objects.filter(pk=photo.pk).update(lease_until=None)
        photo_flow.work()
    seen = read()
    assert (seen["pixora_database_errors_total{locked}"], seen["pixora_storage_errors_total{}"]) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_full_disk_is_counted_whether_a_program_or_a_page_is_told(
    redis_here: str, album: Album, owner_api: APIClient, desk: Client, settings: Any
) -> None:
    settings.PIXORA_MIN_FREE_BYTES = 10**18
    photo = pictures.jpeg(pictures.quadrants())
    assert upload(owner_api, album.pk, [("a.jpg", photo)]).status_code == 507
    desk.raise_request_exception = False
    page = desk.post(reverse("album-upload", args=[album.pk]), {"file": SimpleUploadedFile("a.jpg", photo)})
    assert page.status_code == 507
    seen = read()
    assert (seen["pixora_storage_errors_total{}"], seen["pixora_server_errors_total{507}"]) == (2, 2)


@pytest.mark.django_db(transaction=True)
def test_a_zip_that_breaks_off_is_counted(redis_here: str, album: Album, owner_api: APIClient) -> None:
    photo = ready_photo(album)
    url = owner_api.post(f"/api/v1/albums/{album.pk}/archives/", {}, format="json").json()["url"]
    storage.delete([photo.original_key])
    assert owner_api.get(url).json()["code"] == "zip_unreadable"
    assert read()["pixora_broken_zips_total{}"] == 1
