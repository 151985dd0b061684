"""Processes that take turns on the same cores, so that whatever else the machine does meets both sides alike."""

import logging
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

_Result = TypeVar("_Result")
# For us: as a worker of `manage.py serve` has, where there is one to a core.
_ONE_THREAD = dict.fromkeys(
    ("PIXORA_ENGINE_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VIPS_CONCURRENCY"), "1"
)


class Side:
    """A process that lives as long as the bench, keeps its models loaded and does one thing at a time."""

    def __init__(self, core: int | None = None) -> None:
        # Spawned: neither TensorFlow nor ONNX Runtime survives a fork.
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin, initargs=(core,))

    def start(self, work: Callable[..., _Result], *arguments: Any) -> Future[_Result]:
        return self._pool.submit(work, *arguments)

    def do(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        return self.start(work, *arguments).result()

    def end(self) -> None:
        self._pool.shutdown()


def cores() -> list[int]:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _begin(core: int | None) -> None:
    import django

    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    django.setup()
    # There is no Redis behind a bench, and every photo would say that its ring was lost.
    logging.getLogger("galleries.flows.doorbell").disabled = True
    logging.getLogger("pyvips").setLevel(logging.WARNING)


@contextmanager
def own_environment(data_dir: Path, **more: str) -> Iterator[None]:
    """For all processes started inside: a database and a data folder of their own, and the default engine."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("PIXORA_") or name in {"DATABASE_URL", "REDIS_URL", "EMAIL_URL", "DEEPFACE_HOME"}:
            del os.environ[name]
    settings = {"DJANGO_SETTINGS_MODULE": "pixora_site.settings", "PIXORA_DATA_DIR": str(data_dir)}
    os.environ.update(settings | _ONE_THREAD | more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def seconds_of(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(*works: Callable[[], float], rounds: int) -> list[float]:
    """The median of what each gives; the first round only warms up."""
    taken = [[work() for work in works] for _ in range(rounds + 1)]
    return [statistics.median(values) for values in zip(*taken[1:], strict=True)]


def over_items(items: Sequence[Any], *works: Callable[[Any], float]) -> list[float]:
    """The median over the items of what each work gives, item by item in turn; the first item warms up before."""
    for work in works:
        work(items[0])
    taken = [[work(item) for work in works] for item in items]
    return [statistics.median(values) for values in zip(*taken, strict=True)]
