"""Somebody who looks at pages all the while, signed in, and notes what they were answered."""

import re
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

import requests

from tests.faults.machine import Machine

_PASSWORD = "a long enough password"


class Visitor:
    """`with Visitor(machine) as visitor:` looks at the albums' page four times a second; `answers` counts statuses."""

    def __init__(self, machine: Machine, email: str = "vera@example.org") -> None:
        self._site = machine.site.url
        self._session = requests.Session()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.answers: Counter[str] = Counter()
        self.longest = 0.0  # seconds
        form = self._session.get(f"{self._site}/accounts/signup/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
        assert token
        sent = {"csrfmiddlewaretoken": token[1], "email": email, "password1": _PASSWORD, "password2": _PASSWORD}
        self._session.post(f"{self._site}/accounts/signup/", sent, headers={"Referer": self._site}).raise_for_status()
        assert self._answer() == "200"

    def _answer(self) -> str:
        started = time.monotonic()
        try:
            answer = self._session.get(f"{self._site}/albums/", allow_redirects=False, timeout=30)
            return str(answer.status_code)
        except requests.RequestException as error:
            return type(error).__name__
        finally:
            self.longest = max(self.longest, time.monotonic() - started)

    def _look(self) -> None:
        while not self._stop.wait(0.25):
            self.answers[self._answer()] += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
