"""The programs that make a running Pixora: the same commands on one machine and in containers."""

import os
import sys

from django.conf import settings

from . import env, redis_server
from .supervisor import Program

_WEB_THREADS = 16
# A page is mostly Python, which keeps to one core a process. More than two would take memory from the engine.
_WEB_WORKERS = min(2, os.cpu_count() or 1)
# A zip holds a thread for as long as a phone takes; the few beyond the cap say at once that it is full.
_ZIP_STREAMS, _SPARE_THREADS = 60, 4
# Seconds that PostgreSQL works at one statement: nobody waits longer for a page, and a task is killed after 50.
_PAGE_STATEMENT, _TASK_STATEMENT = 30, 45
# Pages come before a guest's search, and that before an album of thousands.
_SOON, _LATER = 5, 10
_THREAD_SETTINGS = (
    "PIXORA_ENGINE_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
NAMES = ("web", "downloads", "ingest", "selfie", "upkeep", "beat")


def listen_address() -> tuple[str, int]:
    return env.text("HOST", "127.0.0.1"), env.whole_number("PORT", 8000, least=1)


def site_address() -> str:
    """Where a browser finds the site: the public address, else one that this machine listens on and answers by."""
    host, port = listen_address()
    if local := {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host):  # noqa: S104
        names = [name for name in settings.ALLOWED_HOSTS if name[0] not in "*."]
        host = (names or [local])[0].strip("[]")
    return settings.PIXORA_PUBLIC_URL or f"http://{_joined(host, port)}"


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def programs(host: str, port: int, downloads_port: int) -> list[Program]:
    """All of NAMES, behind a Redis of our own if REDIS_URL names none."""
    zips = env.whole_number("PIXORA_ZIP_STREAMS", _ZIP_STREAMS, least=1)
    return [
        *([] if env.secret("REDIS_URL") else [_redis()]),
        _gunicorn("web", host, port, _WEB_THREADS, {"WEB_CONCURRENCY": str(_WEB_WORKERS)}),
        _gunicorn(
            "downloads",
            host,
            downloads_port,
            zips + _SPARE_THREADS,
            # With an arena a thread, each would keep what its largest zip once took: 20 streams hold a third less.
            {"PIXORA_ZIP_STREAMS": str(zips), "WEB_CONCURRENCY": "1", "MALLOC_ARENA_MAX": "2"},
        ),
        _worker("selfie", _SOON, "--pool=prefork", "--concurrency=1"),
        _worker("ingest", _LATER, "--pool=prefork", f"--concurrency={settings.PIXORA_WORKERS}", queues="ingest,people"),
        _worker("upkeep", _SOON, "--pool=solo", queues="upkeep,outgoing"),
        # Without files of its own, a crash leaves nothing that stops the next start, and two do not share any.
        _celery("beat", _SOON, "beat", "--scheduler=celery.beat:Scheduler", "--pidfile="),
    ]


def demo_album() -> Program:
    return _python("demo", ("django", "seed_demo", "--settings=pixora_site.settings"), {}, once=True)


def _redis() -> Program:
    return Program("redis", tuple(redis_server.command(settings.PIXORA_DATA_DIR)), ends_last=True)


def _gunicorn(name: str, host: str, port: int, threads: int, environment: dict[str, str]) -> Program:
    config = ("--config=python:pixora_site.gunicorn", f"--bind={_joined(host, port)}", f"--threads={threads}")
    return _python(name, ("gunicorn", *config), {**environment, **_statements(_PAGE_STATEMENT)})


def _worker(name: str, niceness: int, *options: str, queues: str = "") -> Program:
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    return _celery(name, niceness, "worker", f"--queues={queues or name}", f"--hostname={name}@%h", *options, *quiet)


def _celery(name: str, niceness: int, *words: str) -> Program:
    # `serve` has run Django's checks, which load all pages.
    module = ("celery", "--quiet", "--skip-checks", "--app=pixora_site", *words, "--loglevel=WARNING")
    return _python(name, module, {**_threads(), **_statements(_TASK_STATEMENT)}, niceness)


def _statements(seconds: int) -> dict[str, str]:
    return {"PIXORA_STATEMENT_SECONDS": str(env.whole_number("PIXORA_STATEMENT_SECONDS", seconds))}


def _threads() -> dict[str, str]:
    share = max(1, (os.cpu_count() or 1) // settings.PIXORA_WORKERS)
    return dict.fromkeys(_THREAD_SETTINGS, str(env.whole_number("PIXORA_ENGINE_THREADS", share, least=1)))


def _python(
    name: str, module: tuple[str, ...], environment: dict[str, str], niceness: int = 0, *, once: bool = False
) -> Program:
    common = {
        "PYTHONUNBUFFERED": "1",
        "PIXORA_DATA_DIR": str(settings.PIXORA_DATA_DIR),
        "PGAPPNAME": f"pixora-{name}",
    }
    return Program(name, (sys.executable, "-m", *module), {**common, **environment}, niceness=niceness, once=once)
