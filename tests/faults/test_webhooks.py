"""What happened is told, whoever dies: at least once, by the same id, and in the end all of it."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.faults.album import Uploader, photos
from tests.faults.machine import Machine
from tests.faults.report import Row
from tests.faults.servers import kill
from tests.receiver import NETWORKS, Receiver, receiver
from tests.running import wait_for

_PHOTOS = 20
_KINDS = ["photo.ready", "album.ready"]
_Start = Callable[..., AbstractContextManager[Machine]]


def listen(uploader: Uploader, server: Receiver) -> None:
    said = {"url": server.url, "events": _KINDS}
    made = uploader.photographer.session.post(f"{uploader.photographer.api}/webhooks/", json=said, timeout=60)
    assert made.status_code == 201, made.text


def all_told(machine: Machine, row: Row, server: Receiver, count: int) -> None:
    """Each photo by one id, and then the album, by one."""
    wait_for(lambda: "album.ready" in {each["kind"] for each in server.said}, "that the album is ready is told", 300)
    waiting = "SELECT COUNT(*) FROM galleries_delivery WHERE sent_at IS NULL"
    wait_for(lambda: machine.database.rows(waiting) == [(0,)], "the last delivery", 200)
    kinds = {each["id"]: each["kind"] for each in server.said}
    assert Counter(kinds.values()) == {"photo.ready": count, "album.ready": 1}
    named = {each["photo"]["id"] for each in server.said if each["kind"] == "photo.ready"}
    assert len(named) == count
    row.holds("each photo told by one id, and the album")


@pytest.mark.databases(short=[])
def test_webhooks_are_told_after_redis_is_gone(start: _Start, row: Row, seed: int) -> None:
    """Redis killed while webhooks are due."""
    with receiver() as server, start(PIXORA_WEBHOOK_NETWORKS=" ".join(NETWORKS)) as machine:
        uploader = Uploader(machine)
        listen(uploader, server)
        files = photos(seed, _PHOTOS)
        names = list(files)
        uploader.send_all({name: files[name] for name in names[:5]}, at_once=5)
        machine.redis.kill()
        uploader.send_all({name: files[name] for name in names[5:]}, at_once=5)
        machine.redis.lose_file()
        machine.redis.start()
        all_told(machine, row, server, len(files))


@pytest.mark.databases(short=[])
def test_webhooks_are_told_once_more_after_their_worker_died(start: _Start, row: Row, seed: int) -> None:
    """the sender of webhooks killed between sending and noting it."""
    with receiver() as server, start(PIXORA_WEBHOOK_NETWORKS=" ".join(NETWORKS)) as machine:
        killed: list[str] = []

        def kill_who_asks(_: Any) -> None:
            if len(server.received) == 3 and (pid := machine.program("upkeep")):
                killed.append(server.said[-1]["id"])
                kill(pid)

        server.before = kill_who_asks
        uploader = Uploader(machine)
        listen(uploader, server)
        uploader.send_all(photos(seed, _PHOTOS), at_once=5)
        all_told(machine, row, server, _PHOTOS)
        times = Counter(each["id"] for each in server.said)
        assert killed
        assert times[killed[0]] == 2
        row.holds("what was under way came twice, by the same id")
        row.figure("told twice", sum(1 for count in times.values() if count > 1))
