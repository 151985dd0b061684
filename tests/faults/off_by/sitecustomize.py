"""Found on PYTHONPATH by a process whose clock shall be wrong: its Python's clocks are off by CLOCK_OFF_BY seconds."""

import datetime
import os
import time
from typing import Any

_OFF_BY = float(os.environ.get("CLOCK_OFF_BY", "0"))
_time, _datetime = time.time, datetime.datetime


class _Kind(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _datetime)


class _Datetime(datetime.datetime, metaclass=_Kind):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _datetime.now(tz) + datetime.timedelta(seconds=_OFF_BY)

    @classmethod
    def utcnow(cls) -> Any:
        return _datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=_OFF_BY)


if _OFF_BY:
    time.time = lambda: _time() + _OFF_BY
    datetime.datetime = _Datetime  # type: ignore[misc]
