"""`manage.py bench growth`: how cost grows with the faces of an album, and with the albums of a site."""

import os
import secrets
import statistics
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from . import inhabited, pictures
from .sides import Side, own_environment


@dataclass(frozen=True, slots=True)
class Size:
    """`faces` of the album that is asked; the other albums have 400 each."""

    name: str
    faces: int
    albums: int


# Each a decade above the one before it.
FACES = [Size(f"{faces // 1000}k faces", faces, 10) for faces in (1_000, 10_000, 100_000)]
ALBUMS = [Size(f"{albums:,} albums", 400, albums) for albums in (10, 100, 1_000)]
QUICK_FACES = [Size("40 faces", 40, 2), Size("400 faces", 400, 2)]
QUICK_ALBUMS = [Size("1 album", 40, 1), Size("2 albums", 40, 2)]


@dataclass(frozen=True, slots=True)
class Grown:
    """What one thing costs at each size of a row of sizes; `factors` say how it grew from each to the next."""

    name: str
    unit: str
    sizes: list[str]
    values: list[float]

    @property
    def factors(self) -> list[float]:
        pairs = zip(self.values, self.values[1:], strict=False)
        return [round(after / before, 2) if before else 0.0 for before, after in pairs]


_ROWS: dict[str, Callable[..., float]] = {
    "search": inhabited.search,
    "first_search": inhabited.first_search,
    "album_page": inhabited.album_page,
    "listing": inhabited.listing,
    "claim": inhabited.claim,
    "sweep": inhabited.sweep,
    "progress": inhabited.progress,
    "live_card": inhabited.live_card,
    "coverage": inhabited.coverage,
    "album_list": inhabited.album_list,
    "list_of_all_albums": inhabited.all_albums,
    "result_page": inhabited.result,
    "verify_quick": inhabited.check,
}
# Too long to be done again and again.
_ONCE = {"verify_quick"}


def measured(sizes: Sequence[Size], times: int) -> list[Grown]:
    found = [dict(_of_size(size, times)) for size in sizes]
    names = [size.name for size in sizes]
    return [Grown(name, unit, names, [each[name, unit] for each in found]) for name, unit in found[0]]


def _of_size(size: Size, times: int) -> Iterator[tuple[tuple[str, str], float]]:
    """In a database and a folder of its own, and a process that has seen no other size."""
    with tempfile.TemporaryDirectory(prefix="pixora-growth-") as name, ExitStack() as stack:
        folder = Path(name)
        database = stack.enter_context(_own_database())
        stack.enter_context(own_environment(folder / "data", **database))
        us = Side()
        stack.callback(us.end)
        selfie = us.do(pictures.selfie, folder / "selfie.jpg")
        us.do(inhabited.prepare, size.faces, size.albums, folder, selfie)
        for row, ask in _ROWS.items():
            work = partial(us.do, ask, selfie) if "search" in row else partial(us.do, ask)
            seconds = [work() for _ in range(1 if row in _ONCE else times + 1)]
            # The first one only warms up.
            yield (row, "ms"), round(1000 * statistics.median(seconds[1:] or seconds), 1)
        yield ("database", "MB"), round(us.do(inhabited.database_bytes) / 1e6, 1)


@contextmanager
def _own_database() -> Iterator[dict[str, str]]:
    """On the server of DATABASE_URL a new one that goes again, where that is PostgreSQL; else SQLite's file."""
    url = urlsplit(os.environ.get("DATABASE_URL", ""))
    if not url.scheme.startswith("postgres"):
        yield {}
        return
    name = f"pixora_growth_{uuid.uuid4().hex[:8]}"
    _run(url.geturl(), f"CREATE DATABASE {name}")
    try:
        address = urlunsplit(url._replace(path=f"/{name}"))
        # Pixora does not start on PostgreSQL without one.
        yield {"DATABASE_URL": address, "PIXORA_SECRET_KEY": secrets.token_urlsafe(48)}
    finally:
        _run(url.geturl(), f"DROP DATABASE {name} WITH (FORCE)")


def _run(url: str, statement: Any) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
