"""Runs several programs as one: starts a dead one again, prefixes what they say, and leaves none behind.

One thread does it all, because a child is told to die with its parent *thread* (prctl) and because forking
is only safe without threads.
"""

import contextlib
import ctypes
import math
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import TextIO

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
# A killed worker's photo waits for a lease of 60 s, and then for no more than the few until there is a worker.
_FIRST_PAUSE, _LONGEST_PAUSE, _PROVEN = 1.0, 5.0, 60.0  # seconds
_TICK = 0.2  # seconds
_LONGEST_LINE = 64 * 1024  # bytes; beyond, a line is broken rather than kept in memory
_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent` ends, even by SIGKILL. Linux only; elsewhere it does nothing."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the request was made
            os._exit(1)


def _become_child(parent: int, niceness: int) -> None:
    die_with_parent(parent)
    os.nice(niceness)


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, in a session of its own. SIGTERM asks it to end, with `ends_last` only after all others.

    `niceness`, 0 to 19: the higher, the more it leaves the processor to others. `once`: not again once it ended well.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    ends_last: bool = False
    niceness: int = 0
    once: bool = False


class _Process:
    """One run of a program; its two outputs are one pipe."""

    def __init__(self, program: Program, say: Callable[[str], None]) -> None:
        self._say = say
        self._unfinished = b""
        self.pipe, child_end = os.pipe()
        os.set_blocking(self.pipe, False)
        try:
            self._process = subprocess.Popen(  # noqa: S603 (the commands are ours)
                program.command,
                env={**os.environ, **program.environment},
                stdin=subprocess.DEVNULL,
                stdout=child_end,
                stderr=child_end,
                start_new_session=True,
                preexec_fn=partial(_become_child, os.getpid(), program.niceness),
            )
        finally:
            os.close(child_end)

    def read(self) -> bool:
        """Say every whole line that has arrived; False at the end of the output."""
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self.pipe, 65536):
                *lines, self._unfinished = (self._unfinished + piece).split(b"\n")
                for line in lines:
                    self._say(line.decode(errors="replace"))
                if len(self._unfinished) > _LONGEST_LINE:
                    self._say_unfinished()
            return False
        return True

    def _say_unfinished(self) -> None:
        if self._unfinished:
            self._say(self._unfinished.decode(errors="replace"))
            self._unfinished = b""

    def exit_code(self) -> int | None:
        return self._process.poll()

    def ask_to_end(self) -> None:
        """SIGTERM to the process alone: a Celery parent lets its pool finish, and tells it itself."""
        self._process.terminate()

    def kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            os.killpg(self._process.pid, signal.SIGKILL)

    def bury(self) -> None:
        """Kill what the ended process left in its group, and say its last words."""
        self.kill_group()
        self.read()
        self._say_unfinished()
        os.close(self.pipe)


class _Child:
    """A program, its present process if any, and when the next may start."""

    def __init__(self, program: Program, say: Callable[[str], None]) -> None:
        self.program = program
        self.process: _Process | None = None
        self._say = say
        self._pause = _FIRST_PAUSE
        self._started = self._due = 0.0

    def start_if_due(self) -> _Process | None:
        if self.process or time.monotonic() < self._due:
            return None
        self._started = time.monotonic()
        self.process = _Process(self.program, self._say)
        return self.process

    def plan_restart(self, code: int) -> None:
        if self.program.once and code == 0:
            self._due = math.inf
            return
        if time.monotonic() - self._started > _PROVEN:
            self._pause = _FIRST_PAUSE
        ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        self._say(f"{ended}; it starts again in {self._pause:g} s")
        self._due = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)


class Supervisor:
    def __init__(self, programs: Sequence[Program], *, grace: float = 25.0, out: TextIO = sys.stdout) -> None:
        """`grace` is how many seconds programs have between SIGTERM and SIGKILL."""
        self._out = out
        self._grace = grace
        self._requests_to_end = 0
        self._selector = selectors.DefaultSelector()
        width = max(len(program.name) for program in programs)
        self._children = [
            _Child(program, self._voice(program.name.ljust(width), _COLOURS[number % len(_COLOURS)]))
            for number, program in enumerate(programs)
        ]

    def run(self, tick: Callable[[], None] = lambda: None) -> None:
        """Keep the programs running until SIGINT, SIGTERM or SIGHUP; call `tick` a few times a second."""
        with self._signals():
            try:
                while not self._requests_to_end:
                    for child in self._children:
                        self._tend(child)
                    self._listen()
                    tick()
            finally:
                self.say("Stopping ...")
                self._end_all()

    def say(self, line: str) -> None:
        # The terminal or the reader of a pipe may be gone; the programs are still to be ended in order.
        with contextlib.suppress(OSError):
            print(line, file=self._out, flush=True)

    def _voice(self, name: str, colour: int) -> Callable[[str], None]:
        prefix = f"\033[{colour}m{name} |\033[0m" if self._out.isatty() else f"{name} |"
        return lambda line: self.say(f"{prefix} {line}")

    def _tend(self, child: _Child) -> None:
        code = self._bury_if_ended(child)
        if code is not None:
            child.plan_restart(code)
        if process := child.start_if_due():
            self._selector.register(process.pipe, selectors.EVENT_READ, process)

    def _listen(self) -> None:
        for key, _ in self._selector.select(_TICK):
            process: _Process = key.data
            if not process.read():  # at the end of the output select() would return at once, for ever
                self._selector.unregister(process.pipe)

    def _bury_if_ended(self, child: _Child) -> int | None:
        """The exit code of a process that has ended."""
        if child.process is None or (code := child.process.exit_code()) is None:
            return None
        with contextlib.suppress(KeyError):
            self._selector.unregister(child.process.pipe)
        child.process.bury()
        child.process = None
        return code

    def _end_all(self) -> None:
        for last in (False, True):
            self._end([child for child in self._children if child.program.ends_last is last])

    def _end(self, children: list[_Child]) -> None:
        patience, deadline = self._requests_to_end + 1, time.monotonic() + self._grace
        for process in self._running(children):
            process.ask_to_end()
        # A second Ctrl-C does not wait.
        while self._running(children) and time.monotonic() < deadline and self._requests_to_end < patience:
            self._listen()
        while running := self._running(children):
            for process in running:
                process.kill_group()
            self._listen()

    def _running(self, children: list[_Child]) -> list[_Process]:
        for child in children:
            self._bury_if_ended(child)
        return [child.process for child in children if child.process]

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def end(number: int, frame: FrameType | None) -> None:
            self._requests_to_end += 1

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = [signal.signal(number, end) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)
