"""What a database error means for whoever waits: a fault of ours, or a moment's patience."""

from django.db import InterfaceError, OperationalError

from galleries import metrics

# What SQLite says of a statement that is wrong, or that comes at the wrong time.
_OURS = ("SQLITE_ERROR", "SQLITE_MISUSE")


def trouble_of(error: BaseException | None) -> str:
    """What a database says that is busy or away: locked, full, slow or gone; "" for anything else."""
    if not isinstance(error, OperationalError | InterfaceError):
        return ""
    if getattr(error.__cause__, "sqlite_errorname", "") in _OURS:
        return ""
    words = str(error).lower()
    if any(word in words for word in ("locked", "lock timeout", "deadlock", "could not serialize")):
        return "locked"
    if any(word in words for word in ("full", "too many", "remaining connection slots")):
        return "full"
    return "slow" if "statement timeout" in words else "gone"


def count_failure(error: BaseException | None) -> None:
    """Measure what a request or a task failed at, if it was the database or the store."""
    if kind := trouble_of(error):
        metrics.count("database_errors", kind=kind)
    elif isinstance(error, OSError):
        metrics.count("storage_errors")
