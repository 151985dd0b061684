"""What whoever started it sees: a bar on a terminal, else lines, or JSON for a program."""

import json
import threading
import time
from contextlib import AbstractContextManager
from typing import Any, Self

from rich.console import Console
from rich.filesize import decimal
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from .upload import Numbers, Settled, Upload

_LINE_EVERY = 10.0  # seconds


def clean(words: str) -> str:
    """Names of files and words of a site may hold what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in words)


def summed_up(numbers: Numbers) -> str:
    told = [f"{numbers.outcomes['sent']} sent", f"{numbers.outcomes['here']} already there"]
    told += [f"{numbers.outcomes[name]} {name}" for name in ("rejected", "failed") if numbers.outcomes[name]]
    told += [f"{numbers.left} left"] if numbers.left else []
    return f"{numbers.files} photos ({decimal(numbers.bytes)}): {', '.join(told)}"


def told_of(each: Settled) -> str:
    took = f" {each.seconds:.1f} s after it came" if each.seconds is not None else ""
    size = f" ({decimal(each.file.size)})" if each.is_there else ""
    words = {"here": "already there"}.get(each.outcome, each.outcome)
    return clean(f"{words}: {each.file.name}{size}{took}{f': {each.words}' if each.words else ''}")


class Lines(AbstractContextManager["Lines"]):
    """For a log. Files that arrive are named only with `every_file`."""

    def __init__(self, console: Console, *, every_file: bool) -> None:
        self._console, self._every_file = console, every_file
        self._lock = threading.Lock()
        self._told = time.monotonic()
        self._last_wait = ""
        self.upload: Upload | None = None

    def __exit__(self, *_: object) -> None:
        return None

    def settled(self, each: Settled) -> None:
        if self._every_file or not each.is_there:
            self._line(told_of(each))

    def waiting(self, words: str) -> None:
        """Said once an outage, not at every try."""
        if bool(words) != bool(self._last_wait):
            self._line(clean(words) or "The site is back.")
        self._last_wait = words

    def changed(self) -> None:
        now = time.monotonic()
        with self._lock:
            if self._every_file or not self.upload or now - self._told < _LINE_EVERY:
                return
            self._told = now
        self._line(summed_up(self.upload.numbers))

    def finish(self, words: str, numbers: Numbers | None = None) -> None:
        self._line(f"{summed_up(numbers)}. {clean(words)}".rstrip() if numbers else clean(words))

    def _line(self, words: str) -> None:
        self._console.print(words, markup=False, highlight=False, soft_wrap=True)


class Json(Lines):
    """An object a line: {"file"} for each that is settled, {"waiting"}, and {"end"} with the numbers."""

    def settled(self, each: Settled) -> None:
        took = {"seconds": round(each.seconds, 2)} if each.seconds is not None else {}
        self._object({"file": each.file.name, "outcome": each.outcome, "detail": each.words, **took})

    def waiting(self, words: str) -> None:
        self._object({"waiting": words})

    def changed(self) -> None:
        return None

    def finish(self, words: str, numbers: Numbers | None = None) -> None:
        self._object({"end": words, **(numbers.as_json() if numbers else {})})

    def _object(self, facts: dict[str, Any]) -> None:
        self._line(json.dumps(facts))


class Bar(Lines):
    """Two bars by bytes, of what is compared and of what is sent, and the numbers of files below them."""

    def __init__(self, console: Console, *, every_file: bool) -> None:
        super().__init__(console, every_file=every_file)
        columns = BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
        self._progress = Progress(TextColumn("{task.description:9}"), *columns, console=console)
        self._compared = self._progress.add_task("Comparing", total=None)
        self._sent = self._progress.add_task("Sending", total=None)
        self._state = ""
        self._live = Live(console=console, get_renderable=self._drawn, refresh_per_second=5)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def waiting(self, words: str) -> None:
        self._state = clean(words)

    def changed(self) -> None:
        if self.upload:
            numbers = self.upload.numbers
            is_compared = numbers.compared >= numbers.bytes
            self._progress.update(
                self._compared, completed=numbers.compared, total=numbers.bytes, visible=not is_compared
            )
            self._progress.update(self._sent, completed=numbers.moved, total=numbers.missing)

    def finish(self, words: str, numbers: Numbers | None = None) -> None:
        """The numbers stay there, in what was drawn last."""
        self._state = ""
        self.changed()
        if words:
            self._line(clean(words))

    def _drawn(self) -> Table:
        drawn = Table.grid()
        drawn.add_row(self._progress.get_renderable())
        if self.upload:
            unfinished = f"; {self.upload.unfinished} still being written" if self.upload.unfinished else ""
            drawn.add_row(Text(summed_up(self.upload.numbers) + unfinished))
        if self._state:
            drawn.add_row(Text(self._state, style="yellow"))
        return drawn
