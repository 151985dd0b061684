"""Speed as ratios, each of two sides measured in turn in one run, so that a slow or busy machine slows both."""

import json
import os
import platform
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from galleries.images import DECODE_EDGE
from galleries.management.benchmarks import growth, load, ours, pictures, visited
from galleries.management.benchmarks.sides import Side, cores, in_turn, over_items, own_environment
from galleries.management.benchmarks.site import serving
from recognition import peer

# Photos for each worker at a time. With one each, whoever has the easier photo would wait for the other.
_IN_A_GROUP = 4


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured. The peer takes 2 to 8 s a photo of 1600 px, and several times that of 12 megapixels."""

    photos: int = 24
    large_photos: int = 6
    faces: int = 200_000
    find_faces: int = 5_000
    zip_bytes: int = 400_000_000
    page_faces: int = 2_000
    viewers: int = 20
    asks: int = 15
    rounds: int = 5


QUICK = Sizes(
    photos=1,
    large_photos=1,
    faces=2_000,
    find_faces=40,
    zip_bytes=9_000_000,
    page_faces=40,
    viewers=4,
    asks=5,
    rounds=1,
)


@dataclass(frozen=True, slots=True)
class Row:
    """`ratio` > 1 is better for us. Against a limit, product or file it is the share reached, at most about 1."""

    name: str
    ours: float
    other: float
    unit: str
    ratio: float

    @classmethod
    def of_times(cls, name: str, unit: str, taken: list[float]) -> "Row":
        """From the seconds that our side took and those of the other."""
        ours, other = taken
        scale = 1000 if unit.startswith("ms") else 1
        return cls(name, round(ours * scale, 3), round(other * scale, 3), unit, round(other / ours, 3))


class Bench:
    """The sides and what they measure with, each made when it is first asked for, below one folder."""

    def __init__(self, folder: Path, given_photos: Path | None, sizes: Sizes, stack: ExitStack) -> None:
        self.folder, self.sizes = folder, sizes
        self._given, self._stack = given_photos, stack

    @cached_property
    def us(self) -> Side:
        side = self._side(cores()[-1])
        side.do(ours.prepare)
        return side

    @cached_property
    def workers(self) -> list[Side]:
        """One to a core, as `manage.py serve` runs them."""
        others = [self._side(core) for core in cores()[:-1]]
        for side in others:
            side.do(ours.load)
        return [*others, self.us]

    @cached_property
    def deepface(self) -> Side:
        """Stock, so it may use all cores, by as many threads as its libraries start."""
        return self._side()

    def _side(self, core: int | None = None) -> Side:
        side = Side(core)
        self._stack.callback(side.end)
        return side

    @cached_property
    def photos(self) -> list[Path]:
        count = self.sizes.photos
        found = pictures.photos_in(self._given, count) if self._given else []
        return found or pictures.make_photos(self.folder, count)

    @cached_property
    def large_photos(self) -> list[Path]:
        sources = self.photos[: self.sizes.large_photos]
        return [pictures.enlarge(source, self.folder / f"large-{source.name}") for source in sources]

    @cached_property
    def selfie(self) -> Path:
        return pictures.selfie(self.folder / "selfie.jpg")

    def ingest_vs_deepface(self, name: str) -> Row:
        """Both with all cores: ours by a worker on each, who take photo after photo; the peer with the same photos."""
        paths = self.photos if name == "ingest_1600_vs_deepface" else self.large_photos[: 2 * len(self.workers)]
        count = min(len(paths), _IN_A_GROUP * len(self.workers))
        groups = [paths[start : start + count] for start in range(0, len(paths) - count + 1, count)]
        taken = over_items(groups, self._ingested, self._represented)
        return Row.of_times(name, "s a photo", [seconds / count for seconds in taken])

    def _ingested(self, paths: list[Path]) -> float:
        for path in paths:
            self.us.do(ours.upload, path)
        at_work = [worker.start(ours.work_off) for worker in self.workers]
        taken = max(each.result() for each in at_work)
        self.us.do(ours.require_ready)
        return taken

    def _represented(self, paths: list[Path]) -> float:
        return sum(self.deepface.do(peer.represent, path) for path in paths)

    def ingest_vs_limit(self, name: str) -> Row:
        paths = self.photos if name == "ingest_1600_vs_limit" else self.large_photos
        taken = over_items(
            paths, lambda path: self.us.do(ours.ingest, path), lambda path: self.us.do(ours.ingest_limit, path)
        )
        return Row.of_times(name, "s a photo", taken)

    def decode_vs_other(self, name: str) -> Row:
        by_pyvips = partial(peer.decode_by_pyvips, edge=DECODE_EDGE)
        other = peer.decode_by_opencv if name == "decode_12mp_vs_opencv" else by_pyvips
        taken = over_items(
            self.large_photos, lambda path: self.us.do(ours.decode, path), lambda path: self.us.do(other, path)
        )
        return Row.of_times(name, "s a photo", taken)

    def strip_vs_crc32(self, name: str) -> Row:
        taken = over_items(
            self.large_photos, lambda path: self.us.do(ours.strip, path), lambda path: self.us.do(ours.add_up, path)
        )
        return Row.of_times(name, "ms a photo", taken)

    def match_vs_product(self, name: str) -> Row:
        album = self.us.do(ours.fill, self.sizes.faces)
        taken = in_turn(
            lambda: self.us.do(ours.match, album), lambda: self.us.do(ours.products, album), rounds=self.sizes.rounds
        )
        return Row.of_times(name, "ms a search", taken)

    def search_vs_find(self, name: str) -> Row:
        album = self.us.do(ours.fill, self.sizes.find_faces, self.selfie)
        index = self.folder / "find"
        index.mkdir()
        self.deepface.do(peer.write_index, index, self.us.do(ours.vectors_of, album), self.selfie)
        taken = in_turn(
            lambda: self.us.do(ours.search, album, self.selfie),
            lambda: self.deepface.do(peer.find, index, self.selfie),
            rounds=min(3, self.sizes.rounds),
        )
        return Row.of_times(name, "s a search", taken)

    def zip_vs_file(self, name: str) -> Row:
        bundle, whole, headers = self.us.do(visited.zip_and_file, self.sizes.zip_bytes)
        with serving() as server:
            taken = in_turn(
                lambda: server.download(bundle, headers),
                lambda: server.download(whole, headers),
                rounds=self.sizes.rounds,
            )
        return Row.of_times(name, f"s for {self.sizes.zip_bytes // 1_000_000} MB", taken)

    def page_vs_static(self, name: str) -> Row:
        album = self.us.do(ours.fill, self.sizes.page_faces)
        page, static, headers = self.us.do(visited.page_and_file, album)
        viewers, asks = self.sizes.viewers, self.sizes.asks
        with serving() as server:
            taken = in_turn(
                lambda: server.slowest_first_byte(page, headers, viewers, asks),
                lambda: server.slowest_first_byte(static, headers, viewers, asks),
                rounds=self.sizes.rounds,
            )
        return Row.of_times(name, "ms to the first byte, p95", taken)


ROWS: Mapping[str, Callable[[Bench, str], Row]] = {
    "ingest_1600_vs_deepface": Bench.ingest_vs_deepface,
    "ingest_12mp_vs_deepface": Bench.ingest_vs_deepface,
    "ingest_1600_vs_limit": Bench.ingest_vs_limit,
    "ingest_12mp_vs_limit": Bench.ingest_vs_limit,
    "decode_12mp_vs_opencv": Bench.decode_vs_other,
    "decode_12mp_vs_pyvips": Bench.decode_vs_other,
    "strip_12mp_vs_crc32": Bench.strip_vs_crc32,
    "match_200k_vs_product": Bench.match_vs_product,
    "search_vs_deepface_find": Bench.search_vs_find,
    "zip_vs_file": Bench.zip_vs_file,
    "album_page_vs_static": Bench.page_vs_static,
}


class Command(BaseCommand):
    help = "Measure speed as ratios, in a database and a data folder of its own; the site's are not touched."

    def add_arguments(self, parser: ArgumentParser) -> None:
        words = "load: many guests, large zips and slow phones; growth: with 1,000 to 100,000 faces, 10 to 1,000 albums"
        parser.add_argument("what", nargs="?", choices=["load", "growth"], help=words)
        parser.add_argument("--long", action="store_true", help="load: with 20,000 photos taken in")
        parser.add_argument("--parts", nargs="+", choices=load.PARTS, metavar="PART", help="load: these parts only")
        parser.add_argument("--json", type=Path, metavar="OUT", help="where to write the rows")
        parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME", help="these rows")
        parser.add_argument("--photos", type=Path, metavar="DIR", help="photos of 1600 x 1067 (else $PIXORA_PHOTOS)")
        parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run? The figures mean little")

    def handle(self, *args: Any, **options: Any) -> None:
        photos: Path | None = options["photos"] or _path(os.environ.get("PIXORA_PHOTOS", ""))
        if photos and not photos.is_dir():
            raise CommandError(f"{photos} is not a folder.")
        if (out := options["json"]) and not out.absolute().parent.is_dir():
            raise CommandError(f"There is no folder {out.absolute().parent} to write {out.name} into.")
        if options["what"] == "load":
            self._load(options["parts"], options["quick"], options["long"], out)
            return
        if options["what"] == "growth":
            self._growth(options["quick"], out)
            return
        rows = []
        for row in measured(options["only"], photos, QUICK if options["quick"] else Sizes()):
            self.stdout.write(f"{row.name}: {row.ratio}")
            rows.append(row)
        Console(file=self.stdout).print(table_of(rows))  # type: ignore[arg-type]  # OutputWrapper writes like a file
        if out:
            out.write_text(json.dumps({"rows": [asdict(row) for row in rows]}, indent=1) + "\n", encoding="utf-8")

    def _load(self, parts: list[str] | None, quick: bool, long: bool, out: Path | None) -> None:
        figures = []
        for figure in loaded(parts or [part for part in load.PARTS if part != "long" or long], quick):
            bounds = [f"at least {figure.least:g}"] if figure.least is not None else []
            bounds += [f"at most {figure.most:g}"] if figure.most is not None else []
            verdict = f" ({', '.join(bounds)}: {'holds' if figure.holds else 'DOES NOT HOLD'})" if bounds else ""
            self.stdout.write(f"{figure.name}: {figure.value:g} {figure.unit}{verdict}")
            figures.append(asdict(figure) | {"holds": figure.holds})
        if out:
            out.write_text(json.dumps({"figures": figures}, indent=1) + "\n", encoding="utf-8")

    def _growth(self, quick: bool, out: Path | None) -> None:
        by_faces, by_albums = _grown(quick)
        Console(file=self.stdout, width=200).print(table_of_growth(by_faces, by_albums))  # type: ignore[arg-type]
        if out:
            figures = [asdict(row) | {"factors": row.factors} for row in (*by_faces, *by_albums)]
            out.write_text(json.dumps({"figures": figures}, indent=1) + "\n", encoding="utf-8")


def _grown(quick: bool) -> Iterator[list[growth.Grown]]:
    times = 1 if quick else 7
    yield growth.measured(growth.QUICK_FACES if quick else growth.FACES, times)
    yield growth.measured(growth.QUICK_ALBUMS if quick else growth.ALBUMS, times)


def table_of_growth(by_faces: list[growth.Grown], by_albums: list[growth.Grown]) -> Table:
    table = Table(title=machine(), title_justify="left", caption="x: how it grew from each size to the next")
    table.add_column("row")
    for first in (by_faces[0], by_albums[0]):
        for heading in [*first.sizes, "x"]:
            table.add_column(heading, justify="right")
    for rows in zip(by_faces, by_albums, strict=True):
        cells = [[*(f"{value:g}" for value in row.values), " ".join(f"{x:.2g}" for x in row.factors)] for row in rows]
        table.add_row(f"{rows[0].name}, {rows[0].unit}", *cells[0], *cells[1])
    return table


def loaded(parts: list[str], quick: bool) -> Iterator[load.Figure]:
    with tempfile.TemporaryDirectory(prefix="pixora-load-") as folder, ExitStack() as stack:
        stack.enter_context(own_environment(Path(folder, "data")))
        site = load.Load(Path(folder), load.QUICK if quick else load.Sizes(), stack)
        for part in parts:
            yield from load.PARTS[part](site)


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def measured(names: list[str], photos: Path | None, sizes: Sizes) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="pixora-bench-") as folder, ExitStack() as stack:
        stack.enter_context(own_environment(Path(folder, "data")))
        bench = Bench(Path(folder), photos, sizes, stack)
        for name in names:
            yield ROWS[name](bench, name)


def table_of(rows: list[Row]) -> Table:
    table = Table(title=machine(), title_justify="left", caption="ratio > 1: better than the other side")
    table.add_column("row")
    for heading in ("ours", "other", "ratio"):
        table.add_column(heading, justify="right")
    table.add_column("unit")
    for row in rows:
        table.add_row(row.name, f"{row.ours:g}", f"{row.other:g}", f"{row.ratio:.2f}", row.unit)
    return table


def machine() -> str:
    """What the figures depend on."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("deepface", "onnxruntime", "numpy", "pillow"))
    return f"{_processor()}, {len(cores())} cores, {platform.system()}, Python {platform.python_version()}, {libraries}"


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
