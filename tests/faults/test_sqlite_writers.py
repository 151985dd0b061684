"""Web and workers write one SQLite file at once, and nobody is told that it is locked."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from tests import pictures
from tests.faults.album import Uploader
from tests.faults.conftest import Size
from tests.faults.machine import Machine
from tests.faults.report import Row

_WRITERS = 6
_OF_A_PHOTO = 4  # transactions at least: its upload, its claim, its album's turn, its result
_PHOTOS_SHARE = 0.25


def specks(count: int) -> dict[str, bytes]:
    """Tiny pictures without a face: what they cost is the database's work."""
    return {
        f"{number}.png": pictures.png(np.full((24, 24, 3), (number % 256, number // 256, 7), np.uint8))
        for number in range(count)
    }


@pytest.mark.databases("sqlite", short=["sqlite"])
def test_the_web_and_two_workers_write_sqlite(machine: Machine, row: Row, size: Size) -> None:
    """web and two workers writing SQLite."""
    uploader = Uploader(machine)
    count = int(size.transactions * _PHOTOS_SHARE / _OF_A_PHOTO)
    files = specks(count)
    uploader.send_all(dict(list(files.items())[:_WRITERS]), at_once=_WRITERS)
    answers: Counter[int] = Counter()
    changes = (size.transactions - _OF_A_PHOTO * count) // _WRITERS + 1
    with_threads([lambda: uploader.send_all(files, at_once=2), *changers(uploader, machine, changes, answers)])
    uploader.wait_until_settled(machine, count)
    row.figure("transactions, at least", answers.total() + _OF_A_PHOTO * count)
    row.figure("locked, in the logs", machine.site.log().count("database is locked"))
    assert set(answers) == {200}, answers
    assert uploader.retries == 0
    row.holds("nobody was told of it")
    assert machine.database.rows("SELECT DISTINCT state FROM galleries_photo") == [("ready",)]
    row.holds("all ready")


def changers(uploader: Uploader, machine: Machine, changes: int, answers: Counter[int]) -> list[Callable[[], None]]:
    """Each hides and shows a photo of its own, over and over."""
    api, session = uploader.photographer.api, uploader.photographer.session
    rows = machine.database.rows(f"SELECT id FROM galleries_photo LIMIT {_WRITERS}")

    def change(photo: uuid.UUID) -> None:
        for number in range(changes):
            answer = session.patch(f"{api}/photos/{photo}/", json={"hidden": number % 2 == 0}, timeout=60)
            answers[answer.status_code] += 1

    return [partial(change, uuid.UUID(str(photo))) for (photo,) in rows]


def with_threads(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
