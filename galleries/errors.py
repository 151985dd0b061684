"""A refusal: what was asked for is understood and will not be done. Pages show its words, the API its code."""


class Refusal(Exception):
    """`code` is part of the API's contract, `detail` says in one sentence what to do, `status` is the HTTP status."""

    status = 400

    def __init__(self, code: str, detail: str, *, status: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status or self.status
