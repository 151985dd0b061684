"""How log lines look: for a reader, or one JSON object a line for a machine. Secrets are masked in either."""

import json
import logging
from datetime import UTC, datetime

from galleries import logs

from . import env
from .masking import mask


class Line(logging.Formatter):
    """`time level logger message [request=... photo=...]`."""

    def format(self, record: logging.LogRecord) -> str:
        about = " ".join(f"{name}={value}" for name, value in logs.known().items())
        head = f"{_time(record)} {record.levelname} {record.name} {record.getMessage()}"
        return mask("\n".join(filter(None, [f"{head} [{about}]" if about else head, _traceback(record)])))


class Json(logging.Formatter):
    """`{"time", "level", "logger", "message", "request"?, "task"?, "photo"?, "selfie"?, "archive"?, "traceback"?}`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **logs.known(),
        }
        if traceback := _traceback(record):
            line["traceback"] = traceback
        return json.dumps({name: mask(str(value)) for name, value in line.items()}, ensure_ascii=False)


def formatter() -> logging.Formatter:
    """That of PIXORA_LOG."""
    return {"line": Line, "json": Json}[env.choice("PIXORA_LOG", "line", "json")]()


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _traceback(record: logging.LogRecord) -> str:
    return logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
