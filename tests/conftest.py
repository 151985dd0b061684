"""Personas, their clients, and a site that runs for real."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management.commands import flush
from django.db import connection, transaction
from django.test import Client
from django.utils import translation
from pytest_django import DjangoDbBlocker, Settings
from rest_framework.test import APIClient

from galleries import storage
from galleries.flows import album as album_flow
from galleries.flows import photo as photo_flow
from galleries.flows import selfie as selfie_flow
from galleries.models import Album, ApiToken, Link, Photo, Selfie, User
from galleries.models import site as site_settings
from pixora_site import env
from tests import pictures, services
from tests.receiver import NETWORKS, Receiver, receiver
from tests.running import Site, running_site

REQUIRE_ALL = os.environ.get("PIXORA_REQUIRE_ALL") == "1"
PASSWORD = "a long enough password"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """In CI everything is there: what would be skipped elsewhere is a failure."""
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"Skipped, though PIXORA_REQUIRE_ALL is set: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def an_empty_store(request: pytest.FixtureRequest) -> Iterator[None]:
    assert str(storage.path("originals")).startswith(tempfile.gettempdir()), "these are somebody's photos"
    yield
    # It is the whole module's.
    if "world" not in request.fixturenames:
        _empty_store()


def _empty_store() -> None:
    for folder in ("originals", "renditions", "selfies"):
        shutil.rmtree(storage.path(folder), ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def the_log_can_be_emptied_between_tests() -> Iterator[None]:
    """Django empties all tables after a test that commits; the log's triggers would rightly refuse."""
    guards = import_module("galleries.migrations.0003_append_only_log")
    emptied = flush.Command.handle

    def unguarded(command: flush.Command, **options: Any) -> None:
        guards.unguard(connection)
        try:
            emptied(command, **options)
        finally:
            guards.guard(connection)

    flush.Command.handle = unguarded  # type: ignore[method-assign, assignment]
    yield
    flush.Command.handle = emptied  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def settings_of_no_other_test() -> None:
    """A process keeps the site's settings for some seconds."""
    site_settings.forget()


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """A request leaves its language behind in the thread, for Django's next request sets its own."""
    yield
    translation.deactivate()


@pytest.fixture
def photos_dir() -> Path:
    """The labelled photos of real events, where the machine has them."""
    folder = os.environ.get("PIXORA_PHOTOS")
    if not folder:
        pytest.skip("PIXORA_PHOTOS does not name a folder of labelled photos")
    return Path(folder)


def needs_program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not on this machine")
    return path


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Any]:
    """tests/world.py, built once a module; whatever is asked of it is taken back."""
    from tests.world import build

    with django_db_blocker.unblock(), transaction.atomic():
        yield build()
        transaction.set_rollback(True)
    _empty_store()


@pytest.fixture
def owner(transactional_db: None) -> User:
    return User.objects.create_user("olga@example.org", PASSWORD)


@pytest.fixture
def other_owner(transactional_db: None) -> User:
    return User.objects.create_user("otto@example.org", PASSWORD)


@pytest.fixture
def admin_user(transactional_db: None) -> User:
    return User.objects.create_superuser("ada@example.org", PASSWORD)


@pytest.fixture
def album(owner: User) -> Album:
    return Album.objects.create(owner=owner, title="Summer party")


@pytest.fixture
def searchable(owner: User, album: Album) -> Album:
    """The album with face search on."""
    album_flow.switch_face_search(album, True, by=owner, basis="explicit_consent", attested=True)
    return album


@pytest.fixture
def link(searchable: Album) -> Link:
    return Link.make(searchable)


def api_of(user: User, scopes: str = "read upload manage") -> APIClient:
    _, token = ApiToken.objects.create(user=user, scopes=scopes)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def desk(owner: User) -> Client:
    """The owner's browser, signed in."""
    return browser_of(owner)


@pytest.fixture
def save(tmp_path: Path) -> Callable[[bytes], Path]:
    """Writes bytes as a file of a folder of the test's own."""

    def save(content: bytes) -> Path:
        path = tmp_path / "picture.jpg"
        path.write_bytes(content)
        return path

    return save


def guest_api(key: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_PIXORA_GUEST=key)
    return client


@pytest.fixture
def owner_api(owner: User) -> APIClient:
    return api_of(owner)


def add(album: Album, data: bytes, name: str = "a.jpg", folder: str = "") -> photo_flow.Reception:
    return photo_flow.receive(album, name, folder, [data])


def upload(client: APIClient, album_id: UUID | str, files: list[tuple[str, bytes]], **fields: Any) -> Any:
    sent = [SimpleUploadedFile(name, data) for name, data in files]
    return client.post(f"/api/v1/albums/{album_id}/photos/", {"file": sent, **fields})


def work_off() -> None:
    """Do in this process what workers would: all due photos, then all due selfies."""
    while Photo.objects.due().exists():
        photo_flow.work()
    while Selfie.objects.due().exists():
        selfie_flow.work()


def ready_photo(album: Album, data: bytes | None = None, name: str = "a.jpg", folder: str = "") -> Photo:
    photo = add(album, data or pictures.jpeg(pictures.portrait()), name, folder).photo
    work_off()
    photo.refresh_from_db()
    return photo


@dataclass
class Found:
    """A guest who has searched: the key they hold, and the search."""

    key: str
    selfie: Selfie

    @property
    def api(self) -> APIClient:
        return guest_api(self.key)


def search(link: Link, data: bytes | None = None, **fields: Any) -> Found:
    """A new guest sends a selfie over the API, and workers search."""
    picture = SimpleUploadedFile("me.jpg", data or pictures.selfie_jpeg())
    answer = APIClient().post(f"/api/v1/links/{link.token}/selfies/", {"selfie": picture, "consent": "true", **fields})
    assert answer.status_code == 202, answer.content
    work_off()
    return Found(answer.json()["guest_key"], Selfie.objects.get(pk=answer.json()["id"]))


@pytest.fixture
def server(settings: Settings) -> Iterator[Receiver]:
    """The owner's own, which this site's webhooks may reach."""
    settings.PIXORA_WEBHOOK_NETWORKS = NETWORKS
    with receiver() as here:
        yield here


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server with the bucket "pixora"."""
    with services.s3(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture
def bucket(s3_server: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """This test's bytes lie in a bucket, below a prefix of its own; gives its address."""
    for name, value in services.S3_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    address = s3_server.replace("/media?", f"/{uuid4().hex}?")
    monkeypatch.setenv("PIXORA_STORAGE", address)
    settings.PIXORA_STORAGE = env.bucket("PIXORA_STORAGE")
    return address


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole site as `make run` starts it: Redis, web, downloads, workers, upkeep, beat."""
    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site
