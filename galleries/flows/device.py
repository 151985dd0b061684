"""A guest on more than one device: a return link leads another one in, and a shared one forgets them."""

from django.db import transaction

from galleries.errors import Refusal
from galleries.models import Guesses, GuestKey, Mail, ReturnLink, Selfie
from galleries.models.sharing import digest

from . import letter, notice

# How long a link works that was asked for by mail.
LINK_HOURS = 48
# So many mails at once to one address and by one guest, then one in so many seconds.
_TO_ONE_AT_ONCE, _TO_ONE_PACE = 2, 1800
_BY_ONE_AT_ONCE, _BY_ONE_PACE = 5, 600


@transaction.atomic
def lend(selfie: Selfie) -> str:
    """A token that opens the search on another device until the search ends. The one before ends at once."""
    Selfie.objects.select_for_update().filter(pk=selfie.pk).first()
    if selfie.guest.user_id:
        raise Refusal(
            "kept_with_account", "These photos are kept with an account. Sign in on the other device.", status=403
        )
    return ReturnLink.make(selfie)


def mail_link(selfie: Selfie, email: str) -> None:
    """The way to these photos by mail, for the device where they are wanted: for a while, ended with the others. The
    address is kept until the mail is sent. Raises Refusal mail_off, 429 too_many_mails.
    """
    if not notice.is_offered():
        raise Refusal("mail_off", "This site sends no e-mails.", status=403)
    # Anybody may type anybody's address.
    _spend(("link-mailed-to", email.lower()), _TO_ONE_AT_ONCE, _TO_ONE_PACE)
    _spend(("link-mailed-by", str(selfie.guest_id)), _BY_ONE_AT_ONCE, _BY_ONE_PACE)
    with transaction.atomic():
        if selfie.guest.user_id:
            address = letter.absolute("selfie", selfie.pk)
        else:
            address = letter.absolute("return", ReturnLink.make(selfie, mailed=True, hours=LINK_HOURS))
        letter.link_for(selfie, email, address, LINK_HOURS)


def _spend(what: tuple[str, ...], at_once: int, pace: float) -> None:
    if wait := Guesses.take(what, at_once, pace):
        raise Refusal("too_many_mails", "Too many e-mails. Try again later.", status=429, retry_after=wait)


def end(selfie: Selfie) -> None:
    """The return link that was shown ends; devices that came by it stay."""
    ReturnLink.objects.filter(selfie=selfie, mailed=False).delete()


def take(selfie: Selfie) -> str:
    """A key of its own for the device that came by the return link."""
    return GuestKey.make(selfie.guest)


@transaction.atomic
def end_mailed(selfie: Selfie) -> None:
    """So does every return link that went out by mail; what is still on its way is not sent."""
    Mail.objects.waiting().filter(selfie=selfie).exclude(kind=Mail.Kind.ASK).delete()
    ReturnLink.objects.filter(selfie=selfie, mailed=True).delete()


@transaction.atomic
def forget_others(selfie: Selfie, key: str) -> None:
    """Every other device of the guest is shut out, and no return link of theirs leads back in."""
    ReturnLink.objects.filter(selfie__guest=selfie.guest_id).delete()
    GuestKey.objects.filter(guest=selfie.guest_id).exclude(key_hash=digest(key)).delete()


def forget(key: str) -> None:
    """The device that holds the key is a stranger from now on; the searches stay."""
    GuestKey.objects.filter(key_hash=digest(key)).delete()
