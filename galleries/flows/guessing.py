"""Guessing passwords is slow, whoever else is behind the same address: a venue is one address, and so is a tower block.

Nothing is counted by the address alone. Of an account: by account and address, and by account, where an address from
which its owner signed in lately is spared the flood of others. Of a link: by the browser or guest, and by link and
address with room for a venue's typing errors.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.models import Guesses, Link


@dataclass(frozen=True)
class _Limit:
    what: tuple[str, ...]
    at_once: int
    pace: float


class Guess:
    """A password that is being looked at, and counts until it turns out to be right."""

    def __init__(self, limits: list[_Limit]) -> None:
        self._limits = limits
        self.is_right = False

    def was_right(self) -> None:
        self.is_right = True
        for limit in self._limits:
            Guesses.give_back(limit.what, limit.pace)


@contextmanager
def at_account(email: str, address: str) -> Iterator[Guess]:
    """Around looking at the password of an account, which need not exist. Raises Refusal 429 too_many_guesses."""
    account = ("account", email.lower())
    here = _Limit((*account, address), at_once=5, pace=30)
    anywhere = _Limit(account, at_once=50, pace=60)
    guess = _take([here] if Guesses.is_known(here.what) else [here, anywhere])
    yield guess
    if guess.is_right:
        Guesses.make_known(here.what)


@contextmanager
def at_link(link: Link, viewer: Viewer, browser: str) -> Iterator[None]:
    """Around looking at the password of a link. Raises Refusal 429 too_many_guesses; any other but wrong_password
    gives the guess back.

    `browser` tells one of them from another, as long as it wants to be told: who has no such name, or a new one for
    each guess, shares what their address has.
    """
    who = str(viewer.guest.pk) if viewer.guest else browser
    limits = [_Limit(("link", str(link.pk), "guest", who), at_once=5, pace=30)] if who else []
    limits += [_Limit(("link", str(link.pk), "address", viewer.address), at_once=60, pace=12)]
    guess = _take(limits)
    try:
        yield
    except Refusal as refusal:
        if refusal.code != "wrong_password":
            guess.was_right()
        raise
    guess.was_right()


def _take(limits: list[_Limit]) -> Guess:
    taken: list[_Limit] = []
    for limit in limits:
        if wait := Guesses.take(limit.what, limit.at_once, limit.pace):
            Guess(taken).was_right()
            words = f"Too many wrong passwords. Try again in {wait} s."
            raise Refusal("too_many_guesses", words, status=429, retry_after=wait)
        taken.append(limit)
    return Guess(taken)
