"""Who may make an account: everybody, whoever was invited, or nobody; as the site's settings say."""

from django.db import transaction

from galleries.errors import Refusal
from galleries.models import Invitation, SiteSettings, User, site
from galleries.models.deed import Verb

from . import deed, letter


@transaction.atomic
def invite(email: str, *, by: User | None) -> tuple[Invitation, str]:
    """The invitation and the secret of its link, shown this once, and sent by mail where the site knows its own
    address. An earlier one to the same address ends.
    """
    Invitation.objects.filter(email__iexact=email, used_at__isnull=True).delete()
    invitation = Invitation(email=email, invited_by=by)
    token = invitation.new_token()
    invitation.save()
    deed.record(Verb.USER_INVITED, invitation)
    if by and letter.can_lead_back():
        letter.invite(email, letter.absolute("invited", token), by=by.email)
    return invitation, token


def is_open(token: str) -> bool:
    """Whether somebody who holds this invitation, or none (""), may sign up right now."""
    how = site.current().sign_up
    invited = how == SiteSettings.SignUp.INVITED and bool(token)
    return how == SiteSettings.SignUp.OPEN or (invited and invitation_for(token) is not None)


def invitation_for(token: str) -> Invitation | None:
    return Invitation.objects.open().with_token(token).first()


def use(token: str, email: str) -> None:
    """To be called in the transaction that makes the account. Raises Refusal not_invited."""
    if site.current().sign_up == SiteSettings.SignUp.OPEN:
        return
    if not (is_open(token) and Invitation.take(token, email)):
        words = "This invitation is for another e-mail address, or has been used. Ask for a new one."
        raise Refusal("not_invited", words, status=403)
