"""Warnings of a decoder, which has much to say of odd metadata, kept out of logs."""

import warnings
from threading import Lock


class Muted:
    """Keeps Pillow's remarks on odd metadata out of logs. Python's filters belong to the whole process, not to a
    thread, so threads that overlap share one entry.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._depth = 0
        self._saved = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._depth == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.simplefilter("ignore")
            self._depth += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                self._saved.__exit__(None, None, None)


muted = Muted()
