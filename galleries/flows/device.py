"""A guest on more than one device: a return link leads another one in, and a shared one forgets them."""

from django.db import transaction

from galleries.errors import Refusal
from galleries.models import GuestKey, ReturnLink, Selfie
from galleries.models.sharing import digest


@transaction.atomic
def lend(selfie: Selfie) -> str:
    """A token that opens the search on another device until the search ends. The one before ends at once."""
    Selfie.objects.select_for_update().filter(pk=selfie.pk).first()
    if selfie.guest.user_id:
        raise Refusal(
            "kept_with_account", "These photos are kept with an account. Sign in on the other device.", status=403
        )
    return ReturnLink.make(selfie)


def end(selfie: Selfie) -> None:
    """The return link that was shown ends; devices that came by it stay."""
    ReturnLink.objects.filter(selfie=selfie, mailed=False).delete()


def take(selfie: Selfie) -> str:
    """A key of its own for the device that came by the return link."""
    return GuestKey.make(selfie.guest)


@transaction.atomic
def forget_others(selfie: Selfie, key: str) -> None:
    """Every other device of the guest is shut out, and no return link of theirs leads back in."""
    ReturnLink.objects.filter(selfie__guest=selfie.guest_id).delete()
    GuestKey.objects.filter(guest=selfie.guest_id).exclude(key_hash=digest(key)).delete()


def forget(key: str) -> None:
    """The device that holds the key is a stranger from now on; the searches stay."""
    GuestKey.objects.filter(key_hash=digest(key)).delete()
