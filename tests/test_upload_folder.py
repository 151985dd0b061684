"""`manage.py upload_folder`: a photographer's folder, sent to a running site from a machine without one."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from django.core.management import CommandError, call_command
from rich.filesize import decimal

from galleries.management.folder_upload.folder import Changed, File
from galleries.management.folder_upload.form import form_of
from galleries.management.folder_upload.site import Site
from tests import pictures
from tests.answering import JSON, NOTHING, answering
from tests.pictures import fill, small
from tests.running import ROOT, environment, free_port, wait_for

pytestmark = pytest.mark.xdist_group("web")
# Whoever touches a database or a Redis of this machine fails.
NOWHERE = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing", "REDIS_URL": "redis://127.0.0.1:1"}


class Web:
    """The web of a site, and nothing else of it: what arrives is kept and not worked at. May be killed."""

    def __init__(self, data_dir: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = environment(data_dir, PORT=str(self.port), HOST="127.0.0.1", WEB_CONCURRENCY="1")
        self._manage("migrate", "--verbosity=0")
        self.token = self._manage("create_token", "olga@example.org", "--create").splitlines()[-1]
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Token {self.token}"
        self._process: subprocess.Popen[bytes] | None = None

    def _manage(self, *words: str) -> str:
        command = [sys.executable, "manage.py", *words]
        return subprocess.run(command, cwd=ROOT, env=self._settings, capture_output=True, text=True, check=True).stdout

    def start(self) -> None:
        command = [sys.executable, "-W", "ignore", "manage.py", "serve", "web"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=self._settings, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(self._answers, "the web")

    def kill(self) -> None:
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)

    def _answers(self) -> bool:
        with suppress(requests.ConnectionError):
            return requests.get(f"{self.url}/healthz").ok
        return False

    def album(self, title: str = "A") -> str:
        return str(self.session.post(f"{self.url}/api/v1/albums/", json={"title": title}).json()["id"])

    def photos(self, album: str) -> list[dict[str, Any]]:
        answer = self.session.get(f"{self.url}/api/v1/albums/{album}/photos/?limit=1000&ordering=name")
        return list(answer.json()["results"])

    def progress(self, album: str) -> dict[str, int]:
        return dict(self.session.get(f"{self.url}/api/v1/albums/{album}/progress/").json())


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    web = Web(tmp_path_factory.mktemp("web"))
    web.start()
    yield web
    web.kill()


class Started:
    """The command as a process of its own; what it says is read while it runs."""

    def __init__(self, web: Web, url: str, folder: Path, *words: str) -> None:
        command = [sys.executable, "-W", "ignore", "manage.py", "upload_folder", url, str(folder), "--json", *words]
        variables = environment(folder.parent / "data", **NOWHERE, PIXORA_TOKEN=web.token)
        self.process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True)
        self.said: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as lines:
            # The last of one that was killed may be half a line.
            for line in lines:
                if line.endswith("\n"):
                    self.said.append(json.loads(line))

    def sent(self) -> list[dict[str, Any]]:
        return [each for each in self.said if each.get("outcome") == "sent"]

    def end(self) -> tuple[int, dict[str, Any]]:
        code = self.process.wait(120)
        self._reader.join(10)
        return code, self.said[-1]


def run(web: Web, url: str, folder: Path, *words: str, token: str = "") -> tuple[int, dict[str, Any], list[Any]]:
    """In this process: its exit code, the last line and those before."""
    said = StringIO()
    with redirected(said):
        try:
            call_command("upload_folder", url, str(folder), "--json", f"--token={token or web.token}", *words)
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    return code, lines[-1], lines[:-1]


@contextmanager
def redirected(to: StringIO) -> Iterator[None]:
    before, sys.stdout = sys.stdout, to
    try:
        yield
    finally:
        sys.stdout = before


def address(web: Web, album: str) -> str:
    return f"{web.url}/albums/{album}/"


# To its end, whatever happens


def test_a_command_that_was_killed_goes_on_where_it_was(web: Web, tmp_path: Path) -> None:
    album, folder = web.album(), fill(tmp_path / "card", 200)
    started = Started(web, address(web, album), folder)
    wait_for(lambda: len(started.sent()) >= 30, "a part of it")
    started.process.kill()
    started.process.wait(30)
    there = len(web.photos(album))
    assert 30 <= there < 200
    code, end, _ = run(web, address(web, album), folder)
    assert (code, end["files"], end["sent"] + end["here"], end["left"]) == (0, 200, 200, 0)
    # One was perhaps just being answered.
    assert there <= end["here"] <= there + 3
    assert [photo["name"] for photo in web.photos(album)] == [f"IMG_{number:04}.png" for number in range(200)]
    assert web.progress(album)["received"] == 200


def test_a_site_that_is_killed_and_comes_back_has_every_photo_once(web: Web, tmp_path: Path) -> None:
    album, folder = web.album(), fill(tmp_path / "card", 80)
    started = Started(web, address(web, album), folder)
    wait_for(lambda: len(started.sent()) >= 10, "a part of it")
    web.kill()
    wait_for(lambda: [each for each in started.said if each.get("waiting")], "that it waits")
    assert len(started.sent()) < 80
    web.start()
    code, end = started.end()
    assert (code, end["files"], end["sent"] + end["here"]) == (0, 80, 80)
    assert len({photo["sha256"] for photo in web.photos(album)}) == len(web.photos(album)) == 80


def test_ctrl_c_leaves_nothing_half_and_says_what_is_left(web: Web, tmp_path: Path) -> None:
    album, folder = web.album(), fill(tmp_path / "card", 150)
    started = Started(web, address(web, album), folder, "--parallel=1")
    wait_for(lambda: len(started.sent()) >= 5, "a part of it")
    started.process.send_signal(signal.SIGINT)
    code, end = started.end()
    assert code == 130
    assert end["left"] == 150 - end["sent"] > 0
    assert "Run it again" in end["end"]
    assert end["sent"] <= len(web.photos(album)) <= end["sent"] + 1
    assert {photo["size"] for photo in web.photos(album)} <= {len(small(number)) for number in range(150)}


# What it sends, and what it says of the rest


def test_photos_go_with_their_folders_and_each_once(web: Web, tmp_path: Path) -> None:
    album, folder = web.album(), fill(tmp_path / "card", 3)
    for name in ("church/A.jpg", 'church/B "1" é.JPG', "party/A.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(small(100 + len(name)))
    (folder / "copy.png").write_bytes(small(0))
    for name in (".hidden.jpg", "._A.jpg", "A.jpg.part", "B.tmp.jpg", "~C.jpg", "notes.txt", "raw.CR3"):
        (folder / name).write_bytes(b"x")
    (folder / ".trash").mkdir()
    (folder / ".trash" / "D.jpg").write_bytes(small(999))
    (folder / "empty.jpg").touch()
    (folder / "page.jpg").write_bytes(pictures.html())
    code, end, said = run(web, f"{web.url}/api/v1/albums/{album}/", folder)
    assert code == 1
    assert {name: end[name] for name in ("files", "sent", "here", "rejected", "failed", "left")} == {
        "files": 9, "sent": 6, "here": 1, "rejected": 2, "failed": 0, "left": 0,
    }  # fmt: skip
    reasons = {each["file"]: each["detail"] for each in said if each.get("outcome") == "rejected"}
    assert said[0] == {"note": "5 files are left out: they are no photos by their names."}
    assert reasons["empty.jpg"] == "The file is empty."
    assert reasons["page.jpg"].startswith("This file is not a photo.")
    stored = {(photo["folder"], photo["name"]) for photo in web.photos(album) if photo["state"] != "rejected"}
    assert {("church", "A.jpg"), ("party", "A.jpg"), ("church", "B _1_ é.JPG")} <= stored
    for reason in ("empty.jpg", "page.jpg"):
        (folder / reason).unlink()
    code, end, _ = run(web, address(web, album), folder)
    assert (code, end["sent"], end["here"], end["bytes_sent"]) == (0, 0, 7, 0)


def test_an_album_is_found_by_its_title_or_made(web: Web, tmp_path: Path) -> None:
    title, folder = f"Wedding {uuid4()}", fill(tmp_path / "card", 2)
    for _ in range(2):
        assert run(web, web.url, folder, f"--album={title}")[0] == 0
    albums = web.session.get(f"{web.url}/api/v1/albums/?limit=1000").json()["results"]
    (made,) = [each for each in albums if each["title"] == title]
    assert len(web.photos(made["id"])) == 2
    web.album(title)
    code, end, _ = run(web, web.url, folder, f"--album={title}")
    assert code == 2
    assert f"{web.url}/albums/{made['id']}/" in end["end"]


def test_a_changed_file_takes_the_place_of_its_old_photo_if_asked(web: Web, tmp_path: Path) -> None:
    album, folder = web.album(), fill(tmp_path / "card", 1)
    run(web, address(web, album), folder)
    (folder / "IMG_0000.png").write_bytes(small(7))
    assert run(web, address(web, album), folder)[1]["sent"] == 1
    assert len(web.photos(album)) == 2
    (folder / "IMG_0000.png").write_bytes(small(8))
    assert run(web, address(web, album), folder, "--replace")[1]["sent"] == 1
    # It goes once the new one is ready, which is the workers' business.
    assert len(web.photos(album)) == 3


def test_a_file_that_changes_while_it_is_sent_leaves_nothing_at_the_site(web: Web, tmp_path: Path) -> None:
    album, path = web.album(), tmp_path / "a.png"
    path.write_bytes(small(1))
    file = File.at(path, "a.png")
    sha256 = file.sha256()
    moved: list[int] = []
    changed = bytearray(small(1))
    changed[-20] ^= 1
    site = Site(web.url, web.token, 0, lambda words: None)
    for other in (bytes(changed), small(1) + b"longer", small(1)[:-9]):
        path.write_bytes(other)
        with pytest.raises(Changed):
            site.send(album, form_of(file, sha256, "", moved.append))
    assert web.progress(album)["received"] == 0
    path.write_bytes(small(1))
    moved.clear()
    form = form_of(file, sha256, "", moved.append)
    assert len(site.send(album, form)["accepted"]) == len(web.photos(album)) == 1
    assert sum(moved) == len(small(1))
    site.hang_up()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_people_see_the_numbers(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:
    album, folder = web.album(), fill(tmp_path / "card", 2)
    (folder / "page.jpg").write_bytes(pictures.html())
    monkeypatch.setenv("PIXORA_TOKEN", web.token)
    monkeypatch.setenv("TTY_COMPATIBLE", "1" if is_terminal else "0")
    said = StringIO()
    with redirected(said), pytest.raises(SystemExit) as ended:
        call_command("upload_folder", address(web, album), str(folder))
    assert ended.value.code == 1
    size = decimal(sum(path.stat().st_size for path in folder.iterdir()))
    assert f"3 photos ({size}): 2 sent, 0 already there, 1 rejected" in said.getvalue()
    assert "rejected: page.jpg: This file is not a photo." in said.getvalue()
    assert ("Sending" in said.getvalue()) == is_terminal
    assert web.token not in said.getvalue()


def test_what_there_is_no_room_for_is_not_sent(web: Web, tmp_path: Path) -> None:
    folder = fill(tmp_path / "card", 1)
    sha256 = hashlib.sha256(small(0)).hexdigest()
    room = {"sha256": sha256, "code": "quota_bytes", "detail": "There is no room for more."}
    full = {"missing": [sha256], "duplicate": [], "same_name": [], "over_quota": [room]}
    with answering(NOTHING, (200, JSON, json.dumps(full).encode())) as server:
        code, end, said = run(web, f"{server.url}/albums/{uuid4()}/", folder)
    assert (code, end["failed"], end["bytes_sent"]) == (1, 1, 0)
    assert said == [{"file": "IMG_0000.png", "outcome": "failed", "detail": "There is no room for more."}]


# Refusals


def test_what_can_not_be_sent_to_is_said_in_words(web: Web, tmp_path: Path) -> None:
    album, folder = web.album(), fill(tmp_path / "card", 1)
    gone = web.album()
    web.session.delete(f"{web.url}/api/v1/albums/{gone}/")
    tries = {
        (address(web, album), "f" * 64): "token is not valid",
        (address(web, gone), web.token): "no such album",
        (address(web, str(uuid4())), web.token): "no such album",
        (f"http://127.0.0.1:{free_port()}/albums/{album}/", web.token): "No connection",
        (web.url, web.token): "address of an album",
        (f"{web.url}/pricing/", web.token): "not the address of an album",
        ("photos.example.org", web.token): "https://",
    }
    for (url, token), words in tries.items():
        code, end, _ = run(web, url, folder, token=token)
        assert code == 2, url
        assert words in end["end"]
        assert token not in json.dumps(end)
    for words_given in (
        (address(web, album), str(tmp_path / "none")),
        (address(web, album), str(folder), "--parallel=0"),
    ):
        with pytest.raises(CommandError) as refused:
            call_command("upload_folder", *words_given, f"--token={web.token}")
        assert refused.value.returncode == 2
    with pytest.raises(CommandError, match="no token"):
        call_command("upload_folder", address(web, album), str(folder), "--token=a b\r\nX: y")
    assert web.photos(album) == []


# A hot folder


def test_a_hot_folder_is_sent_while_it_fills(web: Web, tmp_path: Path) -> None:
    """The site is off at first, and goes away in between; one file is written slowly, one is renamed."""
    album, folder = web.album(), fill(tmp_path / "hot", 1)
    web.kill()
    started = Started(web, address(web, album), folder, "--watch")
    wait_for(lambda: [each for each in started.said if each.get("waiting")], "that it waits")
    web.start()
    names = lambda: {each["file"] for each in started.sent()}  # noqa: E731
    wait_for(lambda: "IMG_0000.png" in names(), "what was there")
    data = small(1)
    (folder / "renamed.tmp").write_bytes(small(2))
    with (folder / "slow.png").open("wb") as slow:
        for part in (data[:50], data[50:90], data[90:]):
            slow.write(part)
            slow.flush()
            time.sleep(2)
        assert "slow.png" not in names()
    (folder / "renamed.tmp").rename(folder / "renamed.png")
    wait_for(lambda: {"slow.png", "renamed.png"} <= names(), "what came")
    web.kill()
    (folder / "offline.png").write_bytes(small(3))
    wait_for(lambda: started.said[-1].get("waiting"), "that it waits")
    web.start()
    wait_for(lambda: "offline.png" in names(), "what came meanwhile")
    started.process.send_signal(signal.SIGINT)
    code, end = started.end()
    assert (code, end["files"], end["sent"], end["left"]) == (0, 4, 4, 0)
    sizes = {photo["name"]: photo["size"] for photo in web.photos(album)}
    assert sizes["slow.png"] == len(data)
    assert len(sizes) == 4
    took = {each["file"]: each["seconds"] for each in started.sent() if "seconds" in each}
    assert "IMG_0000.png" not in took
    assert took["slow.png"] >= 6
