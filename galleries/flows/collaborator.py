"""Who works on an album beside its owner: named by the owner, changed, taken off again, or gone by themselves.

Nothing is kept of what they may do: the rule looks at the row at each request.
"""

from django.db import transaction

from galleries.errors import Refusal
from galleries.models import Album, Collaborator, Guesses, User
from galleries.models.deed import Verb

from . import deed, letter

# Addresses that an owner gives in vain, for each tells that there is no account: so many at once, then one in so many
# seconds.
_VAIN_AT_ONCE, _VAIN_PACE = 20, 600


def add(album: Album, email: str, role: str) -> Collaborator:
    """Let an account work on the album; who does already gets the role. Raises Refusal not_added, 429 too_many_guesses.

    Of addresses that it refuses it does not say why: no account, one that is disabled, and the owner's own are alike.
    """
    tries = ("collaborator", str(album.owner_id))
    if wait := Guesses.take(tries, _VAIN_AT_ONCE, _VAIN_PACE):
        raise Refusal(
            "too_many_guesses",
            "Too many addresses could not be added. Try again later.",
            status=429,
            retry_after=wait,
        )
    collaborator = _add(album, email, role)
    Guesses.give_back(tries, _VAIN_PACE)
    return collaborator


@transaction.atomic
def _add(album: Album, email: str, role: str) -> Collaborator:
    Album.objects.locked().get(pk=album.pk)
    user = User.objects.filter(email__iexact=email, is_active=True).exclude(pk=album.owner_id).first()
    if user is None:
        raise Refusal("not_added", "This address cannot be added. They need an account here with exactly this address.")
    collaborator, added = Collaborator.objects.update_or_create(album=album, user=user, defaults={"role": role})
    if added:
        letter.album_shared(collaborator)
    verb = Verb.COLLABORATOR_ADDED if added else Verb.COLLABORATOR_CHANGED
    deed.record(verb, collaborator, user=user.pk, role=role)
    return collaborator


@transaction.atomic
def change_role(collaborator: Collaborator, role: str) -> None:
    collaborator.role = role
    collaborator.save(update_fields=["role"])
    deed.record(Verb.COLLABORATOR_CHANGED, collaborator, user=collaborator.user_id, role=role)


@transaction.atomic
def remove(collaborator: Collaborator) -> None:
    deed.record(Verb.COLLABORATOR_REMOVED, collaborator, user=collaborator.user_id)
    collaborator.delete()


def leave(album: Album, user: User) -> None:
    """A collaborator goes of their own accord. The owner is none."""
    for collaborator in album.collaborators.filter(user=user):
        remove(collaborator)
