"""The production stack: nginx before the programs of docker-compose.yml, with PostgreSQL, on files and on a bucket.

There is no Docker here: the commands are those of the containers, started by hand.
"""

import hashlib
import io
import os
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from django.conf import settings

from galleries.middleware import PLAIN_BYTES
from tests import pictures, services
from tests.failing import Asked, Failing, Fault, failing
from tests.running import Site, environment
from tests.test_end_to_end import Photographer, variants, wait_for

pytestmark = pytest.mark.xdist_group("production")
ROOT = Path(settings.BASE_DIR)
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
PROGRAMS = ("web", "downloads", "ingest", "selfie", "upkeep", "beat")
SECRET = "only for these tests, and long enough to be one; no other site has it"


@dataclass(frozen=True)
class Production:
    site: Site
    web: str
    folder: Path
    s3: Failing | None

    def log(self, program: str) -> str:
        return (self.folder / f"{program}.log").read_text(errors="replace")


def command_of(service: str) -> list[str]:
    words = [str(word) for word in COMPOSE[service]["command"]]
    assert words[:2] == ["python", "manage.py"]
    return [sys.executable, *words[1:]]


@pytest.fixture(scope="module", params=["files", "bucket"])
def production(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    folder = tmp_path_factory.mktemp("production")
    data = folder / "data"
    web, downloads = services.free_port(), services.free_port()
    with ExitStack() as stack:
        chosen: dict[str, str] = {
            "DATABASE_URL": stack.enter_context(services.postgres(folder / "postgres")),
            "REDIS_URL": stack.enter_context(services.redis(folder / "redis")),
            "PIXORA_SECRET_KEY": SECRET,
            "PIXORA_TRUSTED_PROXIES": "127.0.0.1",
            "PIXORA_SENDFILE": "1",
            "PIXORA_WORKERS": "1",
            **services.S3_CREDENTIALS,
        }
        s3 = None
        if request.param == "bucket":
            behind = stack.enter_context(services.s3(folder / "s3"))
            chosen["PIXORA_STORAGE"], s3 = stack.enter_context(failing(behind))
        (data / "media").mkdir(mode=0o700, parents=True)
        port = stack.enter_context(services.nginx(folder, data, web=web, downloads=downloads))
        chosen["PIXORA_PUBLIC_URL"] = f"http://127.0.0.1:{port}"
        subprocess.run(command_of("setup"), cwd=ROOT, env=environment(data, **chosen), check=True)
        for name in PROGRAMS:
            more = {"HOST": "127.0.0.1", "PORT": str({"web": web, "downloads": downloads}.get(name, 0) or 1)}
            stack.callback(stop, start(name, folder, environment(data, **chosen, **more)))
        site = Site(chosen["PIXORA_PUBLIC_URL"], data, settings=chosen)
        for each in (web, downloads):
            wait_for(partial(answers, f"http://127.0.0.1:{each}/healthz"), "the site")
        yield Production(site, f"http://127.0.0.1:{web}", folder, s3)


def start(name: str, folder: Path, variables: dict[str, str]) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(command_of(name), cwd=ROOT, env=variables, stdout=log, stderr=log)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(60)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


@dataclass(frozen=True)
class Guest:
    key: dict[str, str]
    search: str
    photos: list[dict[str, Any]]


def searching(photographer: Photographer, token: str) -> Guest:
    sent = requests.post(
        f"{photographer.api}/links/{token}/selfies/",
        data={"consent": "true"},
        files={"selfie": ("me.jpg", pictures.selfie_jpeg())},
    ).json()
    key = {"Pixora-Guest": sent["guest_key"]}
    found = wait_for(
        lambda: (state := requests.get(sent["url"], headers=key).json())["state"] == "done" and state, "the search"
    )
    return Guest(key, sent["id"], found["photos"])


@dataclass(frozen=True)
class Shared:
    """An album of three photos, its link, and a guest who found them."""

    photographer: Photographer
    album: str
    token: str
    guest: Guest


@pytest.fixture(scope="module")
def shared(production: Production) -> Shared:
    """One that no test changes."""
    return share(production)


def share(production: Production) -> Shared:
    photographer = Photographer(production.site, "olga@example.org")
    album = photographer.make_album()
    photographer.upload(album, variants(3))
    numbers = wait_for(lambda: photographer.finished(album), "the album")
    assert (numbers["ready"], numbers["faces"]) == (3, 3)
    token = photographer.link(album)
    return Shared(photographer, album, token, searching(photographer, token))


def zip_of(shared: Shared) -> dict[str, Any]:
    address = f"{shared.photographer.api}/selfies/{shared.guest.search}/archives/"
    made: dict[str, Any] = requests.post(address, json={}, headers=shared.guest.key).json()
    return made


def test_a_guest_gets_their_photos_whole_and_their_zip_resumed(production: Production, shared: Shared) -> None:
    assert {photo["name"] for photo in shared.guest.photos} == set(variants(3))
    for photo in shared.guest.photos:
        original = requests.get(photo["original"], headers=shared.guest.key)
        assert original.content == variants(3)[photo["name"]]
        assert requests.get(photo["original"]).status_code == 404
    made = zip_of(shared)
    whole = requests.get(made["url"], headers=shared.guest.key)
    assert int(whole.headers["Content-Length"]) == len(whole.content) == made["bytes"]
    with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == variants(3)
    for start in (1, made["bytes"] // 3, made["bytes"] - 1):
        held = {"Range": f"bytes={start}-", "If-Range": whole.headers["ETag"]}
        rest = requests.get(made["url"], headers=shared.guest.key | held)
        assert (rest.status_code, whole.content[:start] + rest.content) == (206, whole.content)


def owners_key(shared: Shared) -> dict[str, str]:
    return {"Authorization": str(shared.photographer.session.headers["Authorization"])}


# What belongs to the connection, and what Django says of pages and of the API's routes.
OF_THE_WAY = {"server", "date", "connection", "transfer-encoding", "x-request-id", "allow", "content-language"}


def told(answer: requests.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.lower() not in OF_THE_WAY}


@pytest.mark.parametrize("variant", ["thumb", "preview", "original"])
def test_nginx_sends_the_same_as_pixora_would(production: Production, shared: Shared, variant: str) -> None:
    address = shared.guest.photos[0][variant]
    by_pixora = address.replace(production.site.url, production.web)
    # A guest's original is no file, but ranges of one, which Pixora sends.
    key = owners_key(shared) if variant == "original" else shared.guest.key
    alone = {"X-Sendfile-Failed": "1", "Host": production.site.url.removeprefix("http://")}
    redirected = requests.get(by_pixora, headers=key | {"Host": alone["Host"]})
    assert (redirected.headers["X-Accel-Redirect"][:10], redirected.content) == ("/protected", b"")
    for more in ({}, {"Range": "bytes=1-5"}, {"If-None-Match": '"other"'}, {"Cookie": "a=b"}):
        ours, theirs = requests.get(by_pixora, headers=key | alone | more), requests.get(address, headers=key | more)
        assert theirs.status_code == ours.status_code == 200
        assert theirs.content == ours.content
        assert told(theirs) == told(ours)
    assert "sandbox" in theirs.headers["Content-Security-Policy"]
    same = {"If-None-Match": theirs.headers["ETag"]}
    for changed in (same, {"If-Modified-Since": "Mon, 01 Jan 2035 00:00:00 GMT"}):
        both = [requests.get(by_pixora, headers=key | alone | changed), requests.get(address, headers=key | changed)]
        assert both[0].status_code == both[1].status_code == (304 if changed is same else 200)
    heads = [requests.head(by_pixora, headers=key | alone), requests.head(address, headers=key)]
    assert told(heads[0]) == told(heads[1])
    assert heads[1].headers["Content-Length"] == str(len(theirs.content))


def test_a_guests_original_comes_whole_and_in_ranges(production: Production, shared: Shared) -> None:
    """Without its metadata it is no file that nginx could send: the answers of Pixora come through unchanged."""
    address, key = shared.guest.photos[0]["original"], shared.guest.key
    direct = {"Host": production.site.url.removeprefix("http://")}
    whole = requests.get(address, headers=key)
    ours = requests.get(address.replace(production.site.url, production.web), headers=key | direct)
    assert (whole.status_code, whole.content) == (200, ours.content)
    assert whole.headers["Content-Length"] == str(len(whole.content))
    part = requests.get(address, headers=key | {"Range": "bytes=100-", "If-Range": whole.headers["ETag"]})
    assert (part.status_code, part.content) == (206, whole.content[100:])


def test_what_is_protected_has_no_address_of_its_own(production: Production, shared: Shared) -> None:
    redirected = requests.get(
        shared.guest.photos[0]["thumb"].replace(production.site.url, production.web), headers=shared.guest.key
    ).headers["X-Accel-Redirect"]
    for path in (
        redirected.partition("?")[0],
        "/protected/",
        "/protected/../secret_key",
        "/protected-bucket/http/127.0.0.1:1/x",
    ):
        assert requests.get(f"{production.site.url}{path}", headers=shared.guest.key).status_code == 404


def test_a_withdrawn_link_ends_what_nginx_sends_at_once(production: Production) -> None:
    shared = share(production)
    made = zip_of(shared)
    links = requests.get(
        f"{shared.photographer.api}/albums/{shared.album}/links/", headers=shared.photographer.session.headers
    ).json()["results"]
    gone = shared.photographer.session.delete(f"{shared.photographer.api}/links/{links[0]['id']}/")
    assert gone.status_code == 204
    addresses = [shared.guest.photos[0][variant] for variant in ("thumb", "preview", "original")] + [made["url"]]
    for address in addresses:
        assert requests.get(address, headers=shared.guest.key).status_code in (404, 410)


def test_a_file_that_is_gone_is_the_same_404_and_breaks_the_zip(production: Production) -> None:
    shared = share(production)
    photo = next(photo for photo in shared.guest.photos if photo["name"] == max(variants(3)))
    program = f"from galleries import storage; storage.delete(['originals/{shared.album}/{photo['id']}.jpg'])"
    production.site.manage("shell", "--no-imports", "-c", program)
    answer = requests.get(photo["original"], headers=shared.guest.key)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert requests.head(photo["original"], headers=shared.guest.key).status_code == 404
    made = zip_of(shared)
    try:
        # Before the first bytes are out it can still be said; later the connection breaks.
        broken_at_once = requests.get(made["url"], headers=shared.guest.key)
        assert (broken_at_once.status_code, broken_at_once.json()["code"]) == (503, "zip_unreadable")
    except requests.exceptions.ChunkedEncodingError as broken:
        assert "IncompleteRead" in str(broken)  # noqa: PT017 (one of two ways)


@pytest.mark.parametrize("production", ["bucket"], indirect=True)
def test_what_the_bucket_refuses_nginx_pixora_fetches_again(production: Production, shared: Shared) -> None:
    assert production.s3
    address, key = shared.guest.photos[0]["original"], owners_key(shared)
    whole = requests.get(address, headers=key)

    def signed_fails(asked: Asked) -> Fault | None:
        return Fault.SLOW_DOWN if "X-Amz-Signature" in asked.path else None

    production.s3.asked.clear()
    production.s3.plan = signed_fails
    again = requests.get(address, headers=key)
    production.s3.plan = lambda asked: Fault.HANG_UP
    never = requests.get(address, headers=key)
    production.s3.plan = lambda asked: None
    assert (again.content, told(again)) == (whole.content, told(whole))
    assert any("X-Amz-Signature" in asked.path for asked in production.s3.asked)
    assert never.status_code >= 500
    by_nginx = [asked for asked in production.s3.asked if "X-Amz-Signature" in asked.path]
    assert {name.lower() for asked in by_nginx for name in asked.headers} <= {"host", "connection"}
    assert {asked.headers["Host"] for asked in by_nginx} == {env_endpoint(production)}


def env_endpoint(production: Production) -> str:
    return production.site.settings["PIXORA_STORAGE"].split("endpoint=http://")[1].split("&")[0]


def test_too_much_is_refused_in_words(production: Production, shared: Shared) -> None:
    api, site = shared.photographer.api, production.site.url
    token = shared.photographer.session.headers["Authorization"]
    for path, length, kind in [
        (f"{api}/albums/", PLAIN_BYTES + 1, "application/problem+json"),
        (f"{api}/links/{shared.token}/selfies/", 70_000_001, "application/problem+json"),
        (f"{api}/albums/{shared.album}/photos/", 6_010_000_001, "application/problem+json"),
        (f"{site}/albums/{shared.album}/upload/", 6_010_000_001, "text/html"),
        (f"{site}/l/{shared.token}/", 70_000_001, "text/html"),
    ]:
        status, headers, body = announced(path, length, Authorization=str(token))
        assert status == 413, path
        assert headers["content-type"].startswith(kind)
        assert "too much for one request" in body


def test_a_stranger_is_refused_before_the_body_of_many_files(production: Production, shared: Shared) -> None:
    for length in (6_000_000_000, 100_000_000):
        status, _, _ = announced(f"{shared.photographer.api}/albums/{shared.album}/photos/", length)
        assert status in (401, 413)


@pytest.mark.parametrize("production", ["files"], indirect=True)
def test_what_nginx_passes_on_as_it_comes_arrives_whole(production: Production) -> None:
    photographer = Photographer(production.site, "lena@example.org")
    heavy = {name: data + os.urandom(51_000_000) for name, data in variants(2).items()}
    answer = photographer.upload(photographer.make_album(), heavy)
    accepted = {each["name"]: each["sha256"] for each in answer["accepted"]}
    assert accepted == {name: hashlib.sha256(data).hexdigest() for name, data in heavy.items()}
    assert list((production.site.data_dir / "media" / "incoming").iterdir()) == []


def announced(url: str, length: int, **headers: str) -> tuple[int, dict[str, str], str]:
    """The answer to a request that says how long its body is, and sends none of it."""
    host, _, path = url.removeprefix("http://").partition("/")
    lines = [f"POST /{path} HTTP/1.1", f"Host: {host}", f"Content-Length: {length}", "Content-Type: text/plain"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with closing(socket.create_connection((host.split(":")[0], int(host.split(":")[1])), timeout=30)) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = connection.recv(65536).decode()
    head, _, body = answer.partition("\r\n\r\n")
    first, *rest = head.split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
    return int(first.split()[1]), fields, body


def test_slow_phones_hold_no_thread(production: Production, shared: Shared) -> None:
    """More than the web has threads: each has sent half a selfie."""
    host = production.site.url.removeprefix("http://")
    with ExitStack() as stack:
        for _ in range(80):
            phone = stack.enter_context(closing(socket.create_connection(tuple_of(host), timeout=30)))
            head = f"POST /api/v1/links/{shared.token}/selfies/ HTTP/1.1\r\nHost: {host}\r\nContent-Length: 200000\r\n"
            phone.sendall(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode() + b"-" * 100_000)
        for _ in range(3):
            assert requests.get(f"{production.site.url}/", timeout=10).status_code == 200


def tuple_of(host: str) -> tuple[str, int]:
    return host.split(":")[0], int(host.split(":")[1])


def test_who_comes_by_another_name_gets_no_answer(production: Production) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(production.site.url, headers={"Host": "evil.example.org"}, timeout=10)


def test_what_watches_over_the_site_is_not_for_the_public(production: Production) -> None:
    codes = [requests.get(f"{production.site.url}/{path}").status_code for path in ("healthz", "metrics", "readyz")]
    assert codes == [200, 404, 404]


def test_nobody_outside_says_how_they_came(production: Production, shared: Shared) -> None:
    spoofed = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example.org", "Forwarded": "proto=https"}
    made = requests.post(
        f"{shared.photographer.api}/selfies/{shared.guest.search}/archives/",
        json={}, headers=shared.guest.key | spoofed,
    ).json()  # fmt: skip
    assert made["url"].startswith(production.site.url)


def test_no_log_tells_a_secret(production: Production, shared: Shared) -> None:
    requests.get(f"{production.site.url}/l/{shared.token}/?asked=somebody")
    requests.get(f"{shared.photographer.api}/links/{shared.token}/")
    for line in ('/l/***/"', '/api/v1/links/***/"'):
        # nginx writes it after the answer is out.
        wait_for(lambda: line in production.log("nginx"), f"{line} in the access log")  # noqa: B023
    assert "asked=somebody" not in production.log("nginx")
    logs = "\n".join(production.log(name) for name in ("nginx", *PROGRAMS))
    secrets = [SECRET, *services.S3_CREDENTIALS.values(), shared.token, shared.guest.key["Pixora-Guest"]]
    for secret in [*secrets, "X-Amz-Signature"]:
        assert secret not in logs
