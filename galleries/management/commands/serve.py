"""Runs Pixora on one machine, or one of its programs in a container of its own. `make run` calls this after set-up."""

import fcntl
import hashlib
import http.client
import os
import select
import socket
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from galleries import storage
from galleries.flows import upkeep
from galleries.models import User
from galleries.models.account import first_admin_token
from pixora_site import redis_server
from pixora_site.programs import NAMES, demo_album, listen_address, programs, site_address
from pixora_site.supervisor import Program, Supervisor
from recognition import weights

_PORTS_TO_TRY = 50
# Static files of installed packages that no page of ours asks for, and half of the work: the API is shown by Swagger.
_UNUSED = ["redoc", "rest_framework", "umd", "types", "photoswipe-lightbox*"]


class Command(BaseCommand):
    help = "Serves Pixora on $HOST:$PORT with all its programs, or becomes the one that is named."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("program", nargs="?", choices=NAMES, help="become this program (in a container)")
        parser.add_argument("--prepare", action="store_true", help="only migrate, collect static files, place weights")
        parser.add_argument("--demo", action="store_true", help="with a small real album, and a selfie to try")

    def handle(self, *args: Any, program: str | None, prepare: bool, demo: bool, **options: Any) -> None:
        os.umask(0o077)
        os.chdir(settings.BASE_DIR)
        settings.PIXORA_DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        if prepare:
            self._prepare()
            # With containers nothing else would say it: the programs there are not started by one that watches them.
            self.stdout.writelines(first_steps())
            return
        host, port = listen_address()
        if program:
            everything = programs(host, port, settings.PIXORA_DOWNLOADS_PORT or port)
            become(next(each for each in everything if each.name == program))
        with only_one_here():
            refuse_taken(host, port)
            self._prepare()
            self._supervise(host, port, demo)

    def _prepare(self) -> None:
        storage.prepare()
        for name in weights.PACKAGED:
            weights.place(name)
        self._migrate()
        upkeep.end_what_ran_out()
        connection.close()
        self._collect_static()

    def _migrate(self) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.stdout.write("Preparing the database ...")
            call_command("migrate", interactive=False, verbosity=0)
        connection.close()

    def _collect_static(self) -> None:
        """Hashing and compressing takes many seconds; knowing that nothing changed, a tenth of one."""
        stamp, present = settings.PIXORA_DATA_DIR / "static.stamp", static_digest()
        if not stamp.exists() or stamp.read_text() != present or not settings.STATIC_ROOT.exists():
            self.stdout.write("Collecting static files ...")
            call_command("collectstatic", interactive=False, clear=True, verbosity=0, ignore_patterns=_UNUSED)
            stamp.write_text(present)

    def _supervise(self, host: str, port: int, demo: bool) -> None:
        redis_server.make_folders(settings.PIXORA_DATA_DIR)
        zips = downloads_port(host, port)
        os.environ["PIXORA_DOWNLOADS_PORT"] = str(zips)
        supervisor = Supervisor([*programs(host, port, zips), *([demo_album()] if demo else [])])
        supervisor.run(tick=Announcement(supervisor, host, port))


class Announcement:
    """Says once, when web answers, where Pixora is and how to begin."""

    def __init__(self, supervisor: Supervisor, host: str, port: int) -> None:
        self._supervisor = supervisor
        self._probe: Probe | None = Probe(host, port)

    def __call__(self) -> None:
        if self._probe and self._probe.answered():
            self._probe = None
            for line in self._lines():
                self._supervisor.say(line)

    def _lines(self) -> Iterator[str]:
        yield f"\nPixora is running at {site_address()} (Ctrl-C stops it)"
        yield from first_steps()


def first_steps() -> list[str]:
    """What is to be done before anybody can administrate the site; nothing once somebody can."""
    known = User.objects.filter(is_superuser=True).exists()
    connection.close()
    setup = f"{site_address()}/setup/{first_admin_token()}/"
    return [] if known else [f"Make the first administrator with this link, once, within a day: {setup}"]


class Probe:
    """Asks a web server one question until it is answered, without waiting for the answer."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port)  # noqa: S104

    def answered(self) -> bool:
        try:
            if self._connection.sock is None:
                self._connection.request("GET", "/healthz")
            if not select.select([self._connection.sock], [], [], 0)[0]:
                return False
            self._connection.getresponse()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return False
        self._connection.close()
        return True


def become(program: Program) -> None:
    os.execvpe(program.command[0], program.command, {**os.environ, **program.environment})  # noqa: S606


@contextmanager
def only_one_here() -> Iterator[None]:
    """A second Pixora on the same data folder would take the first one's Redis away."""
    with (settings.PIXORA_DATA_DIR / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"Pixora already runs with the data folder {settings.PIXORA_DATA_DIR}.") from None
        yield


def refuse_taken(host: str, port: int) -> None:
    if reason := _why_taken(host, port):
        raise CommandError(
            f"Cannot listen on {host}:{port} ({reason}). "
            "Stop what runs there, or choose another port: PORT=8010 make run"
        )


def downloads_port(host: str, port: int) -> int:
    """The port of PIXORA_DOWNLOADS_PORT, else the next free one above the site's."""
    if given := settings.PIXORA_DOWNLOADS_PORT:
        refuse_taken(host, given)
        return given
    for candidate in range(port + 1, port + 1 + _PORTS_TO_TRY):
        if not _why_taken(host, candidate):
            return candidate
    raise CommandError(f"No free port above {port} for downloads: set PIXORA_DOWNLOADS_PORT.")


def _why_taken(host: str, port: int) -> str:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            return getattr(error, "strerror", None) or str(error)
    return ""


def static_digest() -> str:
    """Changes when a static file comes, goes or is written."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, found_in in finder.list([]):
            facts = Path(found_in.path(path)).stat()
            digest.update(f"{found_in.path(path)}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()
