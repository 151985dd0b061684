"""A whole running site with its database and its Redis, and its processes by the names of their programs."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.faults.servers import Database, Redis, a_database, a_redis
from tests.running import Site, environment, running_site


@dataclass
class Machine:
    site: Site
    database: Database
    redis: Redis

    def program(self, name: str) -> int | None:
        """The process of a program, one of pixora_site.programs.NAMES; None while it is not running."""
        mark = self._mark(name)
        for child in psutil.Process(self.site.supervisor).children():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if mark in child.cmdline():
                    return child.pid
        return None

    def pool(self, name: str) -> list[int]:
        """The processes in which a program does its work: a Celery worker's pool, gunicorn's workers."""
        with suppress(psutil.NoSuchProcess):
            if pid := self.program(name):
                return [child.pid for child in psutil.Process(pid).children()]
        return []

    def ingest(self) -> list[psutil.Process]:
        """The parent of the workers, and they."""
        pid = self.program("ingest")
        return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)] if pid else []

    def processes(self) -> list[psutil.Process]:
        """All of the site, the supervisor first."""
        supervisor = psutil.Process(self.site.supervisor)
        return [supervisor, *supervisor.children(recursive=True)]

    @contextmanager
    def another(self, *words: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        """One more process of the site, as a container of its own would run it: `words` follow `python`."""
        with (self.site.data_dir / "others.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=Path(__file__).resolve().parents[2],
                env=environment(self.site.data_dir, **{**self.site.settings, **settings}),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    def _mark(self, name: str) -> str:
        if name == "beat":
            return "beat"
        if name == "web":
            return f"--bind={self.site.url.removeprefix('http://')}"
        if name == "downloads":
            host, _, port = self.site.url.removeprefix("http://").rpartition(":")
            return f"--bind={host}:{int(port) + 1}"
        return f"--hostname={name}@%h"


def prepare(data_dir: Path) -> None:
    """What a first start does, once for all sites of a session: static files alone take several seconds."""
    command = [sys.executable, "manage.py", "serve", "--prepare"]
    subprocess.run(command, cwd=Path(__file__).resolve().parents[2], env=environment(data_dir), check=True)


@contextmanager
def a_machine(database: str, data_dir: Path, prepared: Path, **settings: str) -> Iterator[Machine]:
    """A site of its own in `data_dir`; `settings` are variables of its environment."""
    shutil.copytree(prepared, data_dir, dirs_exist_ok=True)
    data_dir.chmod(0o700)
    with ExitStack() as stack:
        store = stack.enter_context(a_database(database, data_dir))
        broker = stack.enter_context(a_redis(data_dir / "broker"))
        given = {"PIXORA_WORKERS": "2", **store.settings, **broker.settings, **settings}
        site = stack.enter_context(running_site(data_dir, **given))
        yield Machine(site, store, broker)
