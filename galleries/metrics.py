"""Measurements of all processes and containers as one: counted in Redis, asked of the database, told to Prometheus.

Best effort. While Redis is down, a process keeps its counts and sends them with a later one; it waits for Redis at most
a quarter of a second in five. No label says whose album, photo or search it was.
"""

import json
import logging
import os
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import redis

from galleries.broker import asked_once

logger = logging.getLogger(__name__)

_KEY = "pixora:metrics"
_REST_SECONDS = 5.0
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True)
class Measure:
    """Of seconds, in buckets, or a plain count."""

    help: str
    labels: tuple[str, ...] = ()
    timed: bool = False


MEASURES = {
    "decode_seconds": Measure("Decoding a photo.", timed=True),
    "engine_seconds": Measure("Finding and embedding the faces of a photo.", timed=True),
    "search_seconds": Measure("A search, from its claim to its result.", timed=True),
    "uploads": Measure("Files that arrived.", ("outcome",)),
    "upload_bytes": Measure("Bytes of files that arrived.", ("outcome",)),
    "searches": Measure("Searches that ended: done, or the reason.", ("outcome",)),
    "zips": Measure("Zips asked for.", ("size",)),
    "zip_bytes": Measure("Bytes of zips begun to be sent."),
    "broken_zips": Measure("Zips that broke off because a stored file failed, was short or altered."),
    "quarantines": Measure("Photos given up.", ("reason",)),
    "storage_errors": Measure("Requests and tasks that a failing disk or bucket held up."),
    "database_errors": Measure("Requests and tasks that the database failed: locked, full, slow or gone.", ("kind",)),
    "deliveries": Measure("Attempts to tell a webhook.", ("outcome",)),
    "lost_rings": Measure("Doorbells that Redis did not take; the sweeper makes them good.", ("queue",)),
    "server_errors": Measure("Answers of 500 and above.", ("status",)),
}

# Label values -> part -> sum. The part is "" of a count; of times it is "sum", or the number of a bucket.
_Rows = dict[tuple[str, ...], dict[str, float]]
# (name, help, label, {label value: number}); the label is "" where there is but one number.
Gauge = tuple[str, str, str, dict[str, float]]

_unsent: Counter[str] = Counter()
_changing = threading.Lock()
_rest_until = 0.0


def count(name: str, amount: float = 1, **labels: object) -> None:
    """Add to one of MEASURES. Never raises."""
    _add(name, labels, {"": amount})


@contextmanager
def timed(name: str, **labels: object) -> Iterator[None]:
    """Measure how long the block takes, unless it raises."""
    started = time.perf_counter()
    yield
    seconds = time.perf_counter() - started
    _add(name, labels, {str(bisect_left(_SECONDS, seconds)): 1, "sum": seconds})


def _add(name: str, labels: dict[str, object], parts: dict[str, float]) -> None:
    measure = MEASURES.get(name)
    if measure is None or set(labels) != set(measure.labels):
        logger.warning("There is no measure %s with labels %s.", name, sorted(labels))
        return
    values = [str(labels[label]) for label in measure.labels]
    with _changing:
        for part, amount in parts.items():
            _unsent[json.dumps([name, values, part])] += amount  # type: ignore[assignment]
    _send()


def _send() -> None:
    global _rest_until
    if time.monotonic() < _rest_until:
        return
    with _changing:
        sending = _unsent.copy()
        _unsent.clear()
    try:
        with _redis().pipeline(transaction=False) as pipeline:
            for field, amount in sending.items():
                pipeline.hincrbyfloat(_KEY, field, amount)
            pipeline.execute()
    except (redis.RedisError, OSError, ValueError):
        # The last is redis-py's own: from within a connection that was closed under it.
        _rest_until = time.monotonic() + _REST_SECONDS
        with _changing:
            _unsent.update(sending)


@cache
def _redis() -> redis.Redis:
    return asked_once(0.25)


def _begin_anew() -> None:
    """A child sends its own counts only: what its parent still has to send, the parent sends."""
    global _changing
    _changing = threading.Lock()
    _unsent.clear()


os.register_at_fork(after_in_child=_begin_anew)


# Rendering


def counted() -> dict[str, _Rows]:
    """All counts since Redis was first started: measure -> its rows. Raises RedisError."""
    _send()
    found: dict[str, _Rows] = {name: {} for name in MEASURES}
    fields: Any = _redis().hgetall(_KEY)
    for field, amount in fields.items():
        name, values, part = json.loads(field)
        if name in found and len(values) == len(MEASURES[name].labels):
            found[name].setdefault(tuple(values), {})[part] = float(amount)
    return found


def render(gauges: Callable[[], Iterable[Gauge]]) -> tuple[bytes, str]:
    """The text that Prometheus reads, and its content type. `pixora_up` says what could not be asked."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(gauges))
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class _Families:
    """As prometheus_client collects them."""

    def __init__(self, gauges: Callable[[], Iterable[Gauge]]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Any]:
        up = {"redis": self._families(counted, _counts), "database": self._families(self._gauges, _readings)}
        for families in up.values():
            yield from families
        alive = {name: float(bool(families)) for name, families in up.items()}
        yield from _readings([("up", "Whether the part could be asked.", "part", alive)])

    def _families(self, ask: Callable[[], Any], shape: Callable[[Any], Iterator[Any]]) -> list[Any]:
        try:
            return list(shape(ask()))
        except Exception as error:  # noqa: BLE001 (one part that is down shall not hide the other)
            logger.warning("Measurements are incomplete (%s).", type(error).__name__)
            return []


def _readings(gauges: Iterable[Gauge]) -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily

    for name, text, label, numbers in gauges:
        family = GaugeMetricFamily(f"pixora_{name}", text, labels=[label] if label else [])
        for value, number in numbers.items():
            family.add_metric([value] if label else [], number)
        yield family


def _counts(found: dict[str, _Rows]) -> Iterator[Any]:
    for name, rows in found.items():
        yield (_histogram if MEASURES[name].timed else _counter)(name, MEASURES[name], rows)


def _counter(name: str, measure: Measure, rows: _Rows) -> Any:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(f"pixora_{name}", measure.help, labels=measure.labels)
    for values, parts in rows.items():
        family.add_metric(values, parts[""])
    return family


def _histogram(name: str, measure: Measure, rows: _Rows) -> Any:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(f"pixora_{name}", measure.help, labels=measure.labels)
    for values, parts in rows.items():
        family.add_metric(values, buckets=_buckets(parts), sum_value=parts.get("sum", 0.0))
    return family


def _buckets(parts: dict[str, float]) -> list[tuple[str, float]]:
    """(upper bound, how many took no longer), as Prometheus has it."""
    total, buckets = 0.0, []
    for number, bound in enumerate([*map(str, _SECONDS), "+Inf"]):
        total += parts.get(str(number), 0.0)
        buckets.append((bound, total))
    return buckets
