"""How large the faults are, on which databases, and the table at their end.

`make faults` sets FAULTS=full; in `make test` a short form runs, each fault once. SEED= repeats a run that printed it.
"""

import fcntl
import os
import pickle
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from tests.faults.album import Result, Uploader, photos, result
from tests.faults.machine import Machine, a_machine, prepare
from tests.faults.report import Row, table

FULL = os.environ.get("FAULTS") == "full"
LONG = FULL and os.environ.get("LONG") == "1"
# One for all processes of pytest: the first one hands it down.
SEED = int(os.environ.setdefault("SEED", str(random.SystemRandom().randrange(10_000)))) if FULL else 1
DATABASES = ("sqlite", "postgresql")
_USUAL = ["sqlite"]  # in the short form
# Those that mostly wait beside one that mostly works.
_LONGEST = ["test_workers_killed", "test_sqlite_writers", "test_poison", "test_storage_errors", "test_web_killed"]


@dataclass(frozen=True)
class Size:
    photos: int
    small: int  # photos, where fewer show as much
    kills: int
    outage: float  # seconds that a server stays away
    transactions: int
    slack: float  # what the bounds of time are multiplied by, where other tests want the processor too


SIZE = (
    Size(1000, 300, 200, 60, 60_000, 1)
    if LONG
    else Size(300, 80, 60, 30, 20_000, 1)
    if FULL
    else Size(photos=20, small=20, kills=3, outage=4, transactions=1000, slack=4)
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "databases(*names, short): those of the full form, and those of the short one")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A fault that asks for `database` runs on both; in the short form on SQLite, or those of its marker."""
    if "database" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("databases")
        every = marker.args if marker and marker.args else DATABASES
        metafunc.parametrize("database", [_parameter(name) for name in (every if FULL else _short(marker) or every)])
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", [SEED, SEED + 1, SEED + 2] if LONG else [SEED])


def _short(marker: pytest.Mark | None) -> list[str]:
    return list(marker.kwargs.get("short", _USUAL)) if marker else _USUAL


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The short form takes the faults that tell most in the least time; the full one begins with the longest."""
    if FULL:
        # Begun last, they would be waited for alone.
        items.sort(key=lambda item: _LONGEST.index(item.path.stem) if item.path.stem in _LONGEST else len(_LONGEST))
        return
    ours = [item for item in items if "database" in getattr(item, "fixturenames", [])]
    left_out = [item for item in ours if not _short(item.get_closest_marker("databases"))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _parameter(database: str) -> Any:
    """The short form keeps to one process of pytest, for the other tests want the processor too."""
    return pytest.param(database, marks=[] if FULL else pytest.mark.xdist_group("faults"))


@pytest.fixture
def size() -> Size:
    return SIZE


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder)
    return folder


@pytest.fixture
def start(database: str, tmp_path: Path, prepared: Path) -> Callable[..., AbstractContextManager[Machine]]:
    """`start(**settings)`: a machine of the test's own, with variables of the environment."""
    return partial(a_machine, database, tmp_path / "site", prepared)


@pytest.fixture
def machine(start: Callable[..., AbstractContextManager[Machine]]) -> Iterator[Machine]:
    with start() as machine:
        yield machine


@pytest.fixture(scope="session")
def quiet(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], Result]:
    """`quiet(seed, count)`: the result of that album where nothing happens; by SQLite, once for all processes."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def quiet(seed: int, count: int) -> Result:
        known = shared / f"quiet-{seed}-{count}"
        with known.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not known.exists():
                with a_machine("sqlite", tmp_path_factory.mktemp("quiet") / "site", prepared) as machine:
                    known.write_bytes(pickle.dumps(in_peace(machine, seed, count)))
        return cast(Result, pickle.loads(known.read_bytes()))

    return quiet


def in_peace(machine: Machine, seed: int, count: int) -> Result:
    uploader = Uploader(machine)
    uploader.send_all(photos(seed, count), at_once=20)
    uploader.wait_until_settled(machine, count)
    return result(machine, uploader)


@pytest.fixture
def row(request: pytest.FixtureRequest, database: str) -> Row:
    """The test's row of the table; its fault is the first line of the test's docstring."""
    return Row((request.function.__doc__ or request.function.__name__).splitlines()[0].rstrip("."), database)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    row = getattr(item, "funcargs", {}).get("row")
    if isinstance(row, Row) and report.when == "call":
        report.user_properties.append(("fault", asdict(row)))
    return report


def pytest_report_header() -> str:
    return f"faults: seed {SEED}, {SIZE}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    rows = [(facts, report.outcome) for report in reports for name, facts in report.user_properties if name == "fault"]
    if rows and FULL:
        terminalreporter.section(f"faults, seed {SEED}")
        terminalreporter.write_line(table(rows))
