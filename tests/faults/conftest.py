"""How large the faults are, on which databases, and the table at their end.

`make faults` sets FAULTS=full; in `make test` a short form runs, each fault once. SEED= repeats a run that printed it.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.faults.album import Result, Uploader, photos, result
from tests.faults.machine import Machine, a_machine, prepare
from tests.faults.report import Row, table

FULL = os.environ.get("FAULTS") == "full"
LONG = FULL and os.environ.get("LONG") == "1"
# One for all processes of pytest: the first one hands it down.
SEED = int(os.environ.setdefault("SEED", str(random.SystemRandom().randrange(10_000)))) if FULL else 1
DATABASES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Size:
    photos: int
    small: int  # photos, where fewer show as much
    kills: int
    outage: float  # seconds that a server stays away
    transactions: int


SIZE = (
    Size(1000, 300, 200, 60, 60_000)
    if LONG
    else Size(300, 80, 60, 30, 20_000)
    if FULL
    else Size(photos=20, small=20, kills=3, outage=4, transactions=1000)
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "databases(*names, short): those of the full form, and those of the short one")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A fault that asks for `database` runs on both; in the short form on SQLite alone, unless its marker says else."""
    if "database" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("databases")
        every = marker.args if marker and marker.args else DATABASES
        short = marker.kwargs.get("short", ["sqlite"]) if marker else ["sqlite"]
        metafunc.parametrize("database", [_parameter(name) for name in (every if FULL else short)])
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", [SEED, SEED + 1, SEED + 2] if LONG else [SEED])


def _parameter(database: str) -> Any:
    """The short form keeps to one process; what waits for a lease leaves the other databases the processor."""
    return pytest.param(database, marks=pytest.mark.xdist_group(f"faults-{database}" if FULL else "faults"))


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
    """`quiet(seed, count)`: the result of that album where nothing happens; by SQLite, once a session."""
    known: dict[tuple[int, int], Result] = {}

    def quiet(seed: int, count: int) -> Result:
        if (seed, count) not in known:
            with a_machine("sqlite", tmp_path_factory.mktemp("quiet") / "site", prepared) as machine:
                uploader = Uploader(machine)
                uploader.send_all(photos(seed, count), at_once=20)
                uploader.wait_until_settled(machine, count)
                known[seed, count] = result(machine, uploader)
        return known[seed, count]

    return quiet


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
