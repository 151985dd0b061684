"""A refusal: what was asked for is understood and will not be done. Pages show its words, the API its code."""

import errno

from galleries import storage
from galleries.words import in_words

# Status -> when trying again may help.
RETRY_SECONDS = {429: 10, 503: 10, 507: 30}


class Refusal(Exception):
    """`code` is part of the API's contract, `detail` says in one sentence what to do, `status` is the HTTP status.

    `retry_after`: in how many seconds asking again may help, where that is known.

    It is raised with English words, which logs show too; `detail` is in the language of whoever reads it.
    """

    status = 400

    def __init__(self, code: str, detail: str, *, status: int | None = None, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self._english = detail
        self.status = status or self.status
        self.retry_after = retry_after or RETRY_SECONDS.get(self.status)

    @property
    def detail(self) -> str:
        return in_words(self._english)


def is_full(error: BaseException) -> bool:
    """Whether it says that a disk is full: the stored files', SQLite's or PostgreSQL's (SQLSTATE 53100)."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    said = getattr(error.__cause__, "sqlite_errorname", "") or getattr(error.__cause__, "sqlstate", "")
    return said in ("SQLITE_FULL", "53100")


def refusal_for(error: BaseException | None) -> Refusal | None:
    """What to tell people where nobody expected the error, but it can be said what helps."""
    if isinstance(error, storage.Unavailable):
        return Refusal(
            "storage_unavailable",
            "The store of the photos does not answer right now. Nothing is lost; try again in a moment.",
            status=503,
        )
    if error is not None and is_full(error):
        return Refusal(
            "disk_full",
            "The server's disk is full, so nothing new can be stored. What arrived before is safe; try again later.",
            status=507,
        )
    return None
