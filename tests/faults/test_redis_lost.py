"""Redis and its messages are only a doorbell: without them everything is done all the same, a little later."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from tests.faults.album import Result, Uploader, photos, result, search
from tests.faults.conftest import Size
from tests.faults.machine import Machine
from tests.faults.report import Row
from tests.faults.visitor import Visitor

_QUEUES = ("ingest", "selfie", "upkeep")
_MIDDLE = 0.4  # of the album is sent before the fault


def sent_in_two(uploader: Uploader, files: dict[str, bytes]) -> Iterator[None]:
    """Sends one part, lets the fault come, and sends the rest."""
    names = list(files)
    first = int(len(names) * _MIDDLE)
    uploader.send_all({name: files[name] for name in names[:first]}, at_once=5)
    yield
    uploader.send_all({name: files[name] for name in names[first:]}, at_once=5)


def finish(machine: Machine, row: Row, uploader: Uploader, quiet: Result) -> None:
    started = time.monotonic()
    uploader.wait_until_settled(machine, len(quiet.photos))
    row.figure("until all were done", time.monotonic() - started, "s")
    assert result(machine, uploader).differences(quiet) == []
    row.holds("all done without a hand, result equal")


def pages_stayed_up(row: Row, visitor: Visitor) -> None:
    row.figure("pages", visitor.answers.total())
    row.figure("slowest page", visitor.longest, "s")
    assert set(visitor.answers) == {"200"}, visitor.answers
    row.holds("every page 200")


def redis_is_killed(
    machine: Machine, row: Row, size: Size, files: dict[str, bytes], quiet: Result, *, keeps_file: bool
) -> None:
    uploader = Uploader(machine)
    found: list[list[tuple[str, str]]] = []
    guest = threading.Thread(target=lambda: found.append(search(uploader)))
    with Visitor(machine) as visitor:
        for _ in sent_in_two(uploader, files):
            machine.redis.kill()
            down = time.monotonic()
            guest.start()
        time.sleep(max(0.0, size.outage - (time.monotonic() - down)))
        if not keeps_file:
            machine.redis.lose_file()
        machine.redis.start()
        finish(machine, row, uploader, quiet)
        guest.join()
    assert found
    row.holds("a guest who came meanwhile was answered")
    pages_stayed_up(row, visitor)


@pytest.mark.databases(short=["postgresql"])
def test_redis_is_killed_and_its_file_is_gone(
    machine: Machine, row: Row, seed: int, size: Size, quiet: Callable[[int, int], Result]
) -> None:
    """Redis killed for 30 s, and its file gone."""
    redis_is_killed(machine, row, size, photos(seed, size.small), quiet(seed, size.small), keeps_file=False)


@pytest.mark.databases(short=[])
def test_redis_is_killed_and_keeps_its_file(
    machine: Machine, row: Row, seed: int, size: Size, quiet: Callable[[int, int], Result]
) -> None:
    """Redis killed for 30 s."""
    redis_is_killed(machine, row, size, photos(seed, size.small), quiet(seed, size.small), keeps_file=True)


@pytest.mark.databases(short=[])
def test_all_messages_are_dropped(
    machine: Machine, row: Row, seed: int, size: Size, quiet: Callable[[int, int], Result]
) -> None:
    """all messages dropped in the middle, three times."""
    uploader = Uploader(machine)
    with Visitor(machine) as visitor, machine.redis.client() as client:
        for _ in sent_in_two(uploader, photos(seed, size.small)):
            for _ in range(3):
                client.flushall()
                time.sleep(1)
        client.flushall()
        finish(machine, row, uploader, quiet(seed, size.small))
    pages_stayed_up(row, visitor)


@pytest.mark.databases(short=[])
def test_messages_come_thrice_and_out_of_order(
    machine: Machine, row: Row, seed: int, size: Size, quiet: Callable[[int, int], Result]
) -> None:
    """each message thrice and out of order."""
    uploader = Uploader(machine)
    with Visitor(machine) as visitor:
        with tripled(machine.redis.client(), random.Random(seed)) as copied:
            for _ in sent_in_two(uploader, photos(seed, size.small)):
                pass
            finish(machine, row, uploader, quiet(seed, size.small))
        row.figure("messages copied", len(copied))
    assert copied
    pages_stayed_up(row, visitor)


@contextmanager
def tripled(client: redis.Redis, chance: random.Random) -> Iterator[set[bytes]]:
    """Puts two copies of each waiting message into its queue, and shuffles the queue; gives the messages so copied."""
    copied: set[bytes] = set()
    stop = threading.Event()

    def copy(queue: str) -> None:
        with client.pipeline() as pipeline:
            pipeline.lrange(queue, 0, -1)
            pipeline.delete(queue)
            waiting: list[Any] = pipeline.execute()[0]
        new = [message for message in waiting if message not in copied]
        copied.update(new)
        shuffled = chance.sample(waiting + new * 2, len(waiting) + 2 * len(new))
        if shuffled:
            client.lpush(queue, *shuffled)

    def go_on() -> None:
        while not stop.wait(0.01):
            for queue in _QUEUES:
                copy(queue)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield copied
    finally:
        stop.set()
        thread.join()
        client.close()
