"""A refusal: what was asked for is understood and will not be done. Pages show its words, the API its code."""

from galleries.words import in_words


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
        self.retry_after = retry_after

    @property
    def detail(self) -> str:
        return in_words(self._english)
