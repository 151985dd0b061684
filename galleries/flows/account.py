"""The end of an account: out of sight at the moment its owner says so, and then erased step by step."""

import time

from django.db import transaction
from django.db.models.functions import Now

from galleries.errors import Refusal
from galleries.models import Collaborator, Guest, User
from galleries.models.deed import Verb

from . import album as album_flow
from . import deed, guessing
from . import selfie as selfie_flow


def close(user: User, password: str, address: str) -> None:
    """Raises Refusal: 403 wrong_password, staff_account; 429 too_many_guesses."""
    if user.is_staff:
        raise Refusal(
            "staff_account",
            "An administrator's account is ended by another administrator, so that one is always there.",
            status=403,
        )
    with guessing.at_account(user.email, address) as guess:
        if not user.check_password(password):
            raise Refusal("wrong_password", "This is not your password.", status=403)
        guess.was_right()
    _shut(user)
    finish(user, patience=album_flow.A_WHILE)


@transaction.atomic
def _shut(user: User) -> None:
    """From here its owner is a stranger; albums before all else, as everywhere."""
    for album in user.albums.present().order_by("pk"):
        album_flow.delete(album)
    User.objects.filter(pk=user.pk).update(is_active=False, closed_at=Now())
    user.auth_token_set.all().delete()
    Collaborator.objects.filter(user=user).delete()
    deed.record(Verb.ACCOUNT_CLOSED, user)


def finish(user: User, *, patience: float) -> None:
    """Delete the albums of a closed account, then its searches, then the account, as far as `patience` (seconds) goes.

    What is left, upkeep takes up again.
    """
    deadline = time.monotonic() + patience
    for album in user.albums.order_by("pk"):
        album_flow.delete_for_good(album, patience=deadline - time.monotonic())
    if not user.albums.exists():
        erase(user)


@transaction.atomic
def erase(user: User) -> None:
    """A user whose albums are gone, with all searches that are kept with the account."""
    for guest in user.guests.order_by("pk"):
        erase_guest(guest)
    user.delete()


@transaction.atomic
def erase_guest(guest: Guest) -> None:
    for selfie in guest.selfies.order_by("pk"):
        selfie_flow.withdraw(selfie)
    guest.delete()
