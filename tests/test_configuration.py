"""Configuration that cannot be got wrong: refusals at the start, secrets from files, names that are misspelt."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from pixora_site import env, programs

ROOT = Path(django_settings.BASE_DIR)
KEY = "xW8-pYt2RkQ0uL5vN7sJ4hG1fD9aZ6cB3eM_oT"


def manage(data_dir: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command in surroundings that hold nothing but these variables."""
    surroundings = {"PATH": os.environ["PATH"], "PIXORA_DATA_DIR": str(data_dir)} | variables
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("changed", "complaints"),
    [
        ({"HOST": "0.0.0.0", "PIXORA_ALLOWED_HOSTS": "192.168.1.20", "PIXORA_DEBUG": "1"}, ["pixora.E002"]),
        ({"HOST": "0.0.0.0"}, ["pixora.E003"]),
        ({"HOST": "::1"}, []),
        ({"HOST": "192.168.1.20", "PIXORA_PUBLIC_URL": "http://photos.example.org"}, []),
        ({"PIXORA_SECRET_KEY": "short"}, ["pixora.E004"]),
        ({"PIXORA_SECRET_KEY": "a" * 60}, ["pixora.E004"]),
        ({"PIXORA_SECRET_KEY": f"change-me-{KEY}"}, ["pixora.E004"]),
        ({"PIXORA_SECRET_KEY": "", "DATABASE_URL": "postgres://pixora@127.0.0.1:1/pixora"}, ["pixora.E005"]),
        ({"PIXORA_SECRET_KEY": ""}, []),
        ({"PIXORA_SENDFILE": "1"}, ["pixora.E007"]),
        ({"PIXORA_SENDFILE": "1", "PIXORA_TRUSTED_PROXIES": "127.0.0.1"}, []),
    ],
)
def test_what_does_not_go_together_stops_the_start_with_a_hint(
    tmp_path: Path, changed: dict[str, str], complaints: list[str]
) -> None:
    done = manage(tmp_path, "check", **{"PIXORA_SECRET_KEY": KEY} | changed)
    assert [word.strip("():") for word in done.stderr.split() if word.startswith("(pixora.")] == complaints
    assert done.stderr.count("HINT") == len(complaints)
    assert (done.returncode != 0) == bool(complaints)


def test_a_misspelt_name_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", PIXORA_SECRET_KEY=KEY, PIXORA_WORKER="2", PIXORA_NOTHING_LIKE_IT="2")
    assert done.returncode == 0
    assert "PIXORA_WORKER is set, but there is no such setting." in done.stderr
    assert "Did you mean PIXORA_WORKERS?" in done.stderr
    assert "PIXORA_NOTHING_LIKE_IT" in done.stderr


def test_the_tests_own_names_are_not_misspelt_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXORA_REQUIRE_ALL", "1")
    assert "PIXORA_REQUIRE_ALL" not in dict(env.misspelt())
    assert not [each for each in run_checks() if each.id == "pixora.W001" and "REQUIRE_ALL" in each.msg]


def test_a_secret_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{KEY}\n")
    monkeypatch.delenv("PIXORA_SECRET_KEY", raising=False)
    monkeypatch.setenv("PIXORA_SECRET_KEY_FILE", str(file))
    assert env.secret_key("PIXORA_SECRET_KEY", tmp_path / "made") == KEY
    assert not (tmp_path / "made").exists()


def test_every_secret_is_read_by_one_rule(tmp_path: Path) -> None:
    """In a process, as a container starts: each from its file."""
    secrets = {
        "PIXORA_SECRET_KEY": KEY,
        "PIXORA_DATABASE_PASSWORD": "p@ss/word",
        "REDIS_URL": "redis://:red@redis:6379/0",
        "EMAIL_URL": "smtp+tls://user:mail@mail:587",
        "PIXORA_METRICS_TOKEN": "token",
    }
    for name, value in secrets.items():
        (tmp_path / name).write_text(value)
    program = (
        "from django.conf import settings as s; d = s.DATABASES['default'];"
        "print([s.SECRET_KEY, d['PASSWORD'], d['HOST'], s.REDIS_URL, s.EMAIL_HOST_PASSWORD, s.PIXORA_METRICS_TOKEN])"
    )
    files = {f"{name}_FILE": str(tmp_path / name) for name in secrets}
    done = manage(tmp_path, "shell", "--no-imports", "-c", program, DATABASE_URL="postgres://pixora@db/pixora", **files)
    assert done.stdout.strip() == str([KEY, "p@ss/word", "db", "redis://:red@redis:6379/0", "mail", "token"]), (
        done.stderr
    )


def test_a_secret_given_twice_or_in_a_file_that_is_not_there_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXORA_METRICS_TOKEN_FILE", str(tmp_path / "missing"))
    with pytest.raises(ImproperlyConfigured, match="PIXORA_METRICS_TOKEN_FILE cannot be read"):
        env.secret("PIXORA_METRICS_TOKEN")
    monkeypatch.setenv("PIXORA_METRICS_TOKEN", "token")
    with pytest.raises(ImproperlyConfigured, match="both set"):
        env.secret("PIXORA_METRICS_TOKEN")
    monkeypatch.delenv("PIXORA_METRICS_TOKEN")
    (tmp_path / "missing").write_text(" \n")
    with pytest.raises(ImproperlyConfigured, match="empty"):
        env.secret("PIXORA_METRICS_TOKEN")


def test_a_wrong_database_address_is_not_repeated(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", PIXORA_SECRET_KEY=KEY, DATABASE_URL="oracle-ish://someone:pa55@x/y")
    assert "DATABASE_URL cannot be read" in done.stderr
    assert not any("pa55" in line for line in done.stderr.splitlines() if "ImproperlyConfigured" in line)


def test_an_empty_address_means_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As docker-compose gives what .env does not name."""
    monkeypatch.setenv("DATABASE_URL", "")
    found: dict[str, Any] = env.database("DATABASE_URL", tmp_path / "x.sqlite3")
    assert found["NAME"] == str(tmp_path / "x.sqlite3")


@pytest.mark.parametrize(
    ("host", "answered", "address"),
    [
        ("127.0.0.1", [], "http://127.0.0.1:8000"),
        ("0.0.0.0", ["192.168.1.20"], "http://192.168.1.20:8000"),
        ("0.0.0.0", [".example.org", "photos.example.org"], "http://photos.example.org:8000"),
        ("0.0.0.0", ["*"], "http://127.0.0.1:8000"),
        ("::", ["[2001:db8::1]"], "http://[2001:db8::1]:8000"),
        ("::", ["*"], "http://[::1]:8000"),
    ],
)
def test_the_address_that_is_printed_is_one_that_is_answered(
    monkeypatch: pytest.MonkeyPatch, settings: Any, host: str, answered: list[str], address: str
) -> None:
    """As README says for phones in the same network."""
    monkeypatch.setenv("HOST", host)
    monkeypatch.setenv("PORT", "8000")
    settings.PIXORA_PUBLIC_URL, settings.ALLOWED_HOSTS = "", answered
    assert programs.site_address() == address


def environments() -> dict[str, dict[str, str]]:
    return {program.name: dict(program.environment) for program in programs.programs("127.0.0.1", 8000, 8001)}


def test_what_somebody_sets_beats_what_serve_would_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = environments()
    assert chosen["downloads"]["PIXORA_ZIP_STREAMS"] == "60"
    assert [chosen[name]["PIXORA_STATEMENT_SECONDS"] for name in ("web", "ingest")] == ["30", "45"]
    monkeypatch.setenv("PIXORA_ZIP_STREAMS", "100")
    monkeypatch.setenv("PIXORA_STATEMENT_SECONDS", "20")
    found = {program.name: program for program in programs.programs("127.0.0.1", 8000, 8001)}
    assert found["downloads"].environment["PIXORA_ZIP_STREAMS"] == "100"
    # Zips shall never hold all threads.
    assert "--threads=104" in found["downloads"].command
    assert {found[name].environment["PIXORA_STATEMENT_SECONDS"] for name in ("web", "ingest", "beat")} == {"20"}


def test_a_redis_that_a_file_names_is_the_only_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert "redis" in environments()
    (tmp_path / "address").write_text("redis://redis:6379/0")
    monkeypatch.setenv("REDIS_URL_FILE", str(tmp_path / "address"))
    assert "redis" not in environments()
