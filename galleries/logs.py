"""What a line of the log is about: the request, the task, and the photo, search or zip in hand. Ids, and no names."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_known: ContextVar[Mapping[str, str]] = ContextVar("what log lines are about")


def known() -> Mapping[str, str]:
    return _known.get({})


def note(**ids: object) -> None:
    """Say it on every further line of this request or task."""
    _known.set({**known(), **{name: str(value) for name, value in ids.items()}})


@contextmanager
def apart(**ids: object) -> Iterator[None]:
    """A request or a task: nothing known but these ids, and what is noted within is forgotten after."""
    token = _known.set({name: str(value) for name, value in ids.items()})
    try:
        yield
    finally:
        _known.reset(token)
