"""Mail to a guest who gave an address: one that asks for a word from its owner, then one when new photos have come.

What is due stands in the rows, so that a lost ring, a worker killed midway or a mail server that is down delays a mail
and loses none. The address dies with the search.
"""

import logging
from smtplib import SMTPRecipientsRefused
from typing import Any

from celery import shared_task
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Count, Max
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import get_language, ngettext, override
from django.utils.translation import gettext as _

from galleries.errors import Refusal
from galleries.models import AskedAddress, ReturnLink, Selfie
from galleries.models.lease import from_now
from galleries.models.photo import is_shown

from .doorbell import ring

logger = logging.getLogger(__name__)
# A guest hears of new photos at most this often.
QUIET_SECONDS = 3600
# A mail that was not sent is tried again after this; and an address is not asked more often.
RETRY_SECONDS = 300


# Web half


def is_offered() -> bool:
    """Whether this site can send mail, and knows the address that a mail would lead to."""
    return bool(settings.PIXORA_MAILS_GUESTS)


def subscribe(selfie: Selfie, email: str) -> None:
    """Tell this address of later photos, once its owner agrees."""
    fresh: dict[str, Any] = {"email": email, "email_confirmed_at": None, "email_told_at": None}
    fresh["email_language"] = get_language()
    over = [Selfie.State.FAILED, Selfie.State.EXPIRED]
    wished = Selfie.objects.granting().filter(pk=selfie.pk, keep_me_posted=True).exclude(state__in=over)
    # What has ended has erased its address, and nobody would erase another.
    if not (is_offered() and wished.update(**fresh)):
        raise Refusal("mail_off", "This search sends no e-mails.", status=403)
    ring(work)


def confirm(selfie: Selfie) -> None:
    Selfie.objects.filter(pk=selfie.pk, email=selfie.email).update(email_confirmed_at=Now())
    AskedAddress.give_back(selfie.email)


def stop(selfie: Selfie) -> None:
    """No more mail: the address is forgotten. The search goes on."""
    Selfie.objects.filter(pk=selfie.pk, email=selfie.email).update(email="", email_confirmed_at=None)


# Worker half


@shared_task
def work() -> None:
    """One ring: the mail that is due first; and ring first, for there may be more."""
    due = Selfie.objects.mail_due()
    selfie = due.select_related("album", "guest").order_by("created_at", "pk").first()
    # Whoever makes it rest sends it; should they die, it is due again when it has rested. By a column of the row alone:
    # of two at once PostgreSQL has the second look at the row again, but not at what is joined to it.
    rested = Selfie.objects.rested()
    if selfie and rested.filter(pk=selfie.pk).update(email_rest_until=from_now(RETRY_SECONDS)):
        ring(work)
        _tell(selfie)


def _tell(selfie: Selfie) -> None:
    try:
        with override(selfie.email_language):
            told = _tell_of_photos(selfie) if selfie.email_told_at else _ask(selfie)
    except SMTPRecipientsRefused as refused:
        if _is_final(refused):
            stop(selfie)
    except OSError as error:
        # No more than its kind: a mail server's words name the address.
        kind, code = type(error).__name__, getattr(error, "smtp_code", error.errno)
        logger.warning("Mail for search %s was not sent: %s (%s).", selfie.pk, kind, code)
    else:
        if told:
            Selfie.objects.filter(pk=selfie.pk, email=selfie.email).update(**told)


def _is_final(refused: SMTPRecipientsRefused) -> bool:
    """Not if a server puts a sender off that it sees for the first time: that is 4xx."""
    return all(code >= 500 for code, _ in refused.recipients.values())


def _ask(selfie: Selfie) -> dict[str, Any]:
    """Once an hour, whatever became of the search that gave the address before."""
    if wait := AskedAddress.take(selfie.email):
        return {"email_rest_until": from_now(wait)}
    subject = _("Shall we tell you about new photos? %(album)s") % {"album": selfie.album.title}
    try:
        _mail(selfie, "ask", subject)
    except OSError:
        AskedAddress.give_back(selfie.email)
        raise
    return {"email_told_at": Now()}


def _tell_of_photos(selfie: Selfie) -> dict[str, Any]:
    fresh = selfie.matches.certain().filter(is_shown("photo__"), found_at__gt=selfie.email_told_at)
    news = fresh.aggregate(count=Count("pk"), newest=Max("found_at"))
    if not news["count"]:
        # Hidden, judged or erased in the meantime.
        return {}
    words = ngettext("%(count)s new photo of you: %(album)s", "%(count)s new photos of you: %(album)s", news["count"])
    subject = words % {"count": news["count"], "album": selfie.album.title}
    _mail(selfie, "photos", subject, count=news["count"], gallery=_gallery(selfie))
    return {"email_told_at": news["newest"], "email_rest_until": from_now(QUIET_SECONDS)}


def _gallery(selfie: Selfie) -> str:
    """Mail is often read in another browser than the one that searched; what an account keeps is for who signs in."""
    if selfie.guest.user_id:
        return _address("selfie", selfie.pk)
    return _address("return", ReturnLink.make(selfie, mailed=True))


def _mail(selfie: Selfie, template: str, subject: str, **context: Any) -> None:
    choice = _address("mail", selfie.mail_token)
    body = render_to_string(f"mail/{template}.txt", {"album": selfie.album, "choice": choice, **context})
    headers = {"List-Unsubscribe": f"<{choice}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    EmailMessage(" ".join(subject.split()), body, to=[selfie.email], headers=headers).send()


def _address(name: str, secret: Any) -> str:
    return f"{settings.PIXORA_PUBLIC_URL.rstrip('/')}{reverse(name, args=[secret])}"
