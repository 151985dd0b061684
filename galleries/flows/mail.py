"""Mail on its way out: a row in whatever transaction tells of something, sent by a worker over one connection.

No web request waits for a mail server. What Django and allauth send goes this way too (EMAIL_BACKEND). A mail is
claimed before it is sent and marked after, so that a worker's death sends it once more, by the same Message-ID.
"""

import logging
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from smtplib import SMTPRecipientsRefused, SMTPResponseException, SMTPSenderRefused
from typing import Any

from celery import shared_task
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.cache import cache
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import sanitize_address
from django.db import transaction
from django.db.models.functions import Now
from django.utils.http import http_date
from django.utils.translation import get_language

from galleries.models import Mail, Selfie
from galleries.models.lease import from_now

from .doorbell import ring

logger = logging.getLogger(__name__)
# For one ring: upkeep has other duties. One more mail may take four times EMAIL_TIMEOUT.
BATCH_SECONDS = 15
# A server that is down is asked no more often, however many mails wait for it.
REST_SECONDS = 60
# What could not be handed over for so long is no news any more.
WAITING_DAYS = 3
KEPT_DAYS = 30
_RESTS = "mail-server-rests"
_SERVER_SHUTS = 421


# Web half


class Queue(BaseEmailBackend):
    """Django's e-mail backend: writes down instead of sending. One row for each address; no attachments."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        with transaction.atomic():
            for message in email_messages:
                # What cannot be sent, such as a header of two lines, is its sender's fault, and told at once.
                message.message()
                for address in message.recipients():
                    _write_down(message, address)
            ring(work)
        return len(email_messages)


def _write_down(message: EmailMessage, address: str) -> None:
    language = getattr(message, "language", None) or get_language() or settings.LANGUAGE_CODE
    facts = {"kind": getattr(message, "kind", Mail.Kind.OTHER), "selfie": getattr(message, "selfie", None)}
    mail = Mail(recipient=address, language=language, **facts)
    mail.seal(
        {
            "subject": str(message.subject),
            "from": message.from_email,
            "text": str(message.body),
            "html": next((each[0] for each in getattr(message, "alternatives", []) if each[1] == "text/html"), ""),
            "headers": message.extra_headers,
        }
    )
    mail.save(force_insert=True)


def send_again(mails: Any) -> int:
    """Take up mails that were given up; the others are on their way, or their words are gone. Returns how many."""
    count = mails.filter(given_up_at__isnull=False).legible().send_again()
    if count:
        ring(work)
    return int(count)


# Worker half


def is_due() -> bool:
    return not cache.get(_RESTS) and Mail.objects.due().exists()


@shared_task
def work() -> None:
    """One ring: all that is due, for a while; and ring for the rest."""
    if not is_due():
        return
    server = get_connection(settings.PIXORA_MAIL_TRANSPORT)
    try:
        server.open()
    except OSError as error:
        _let_rest(error)
        return
    try:
        _send_due(server)
    finally:
        # It may have gone away; what it has taken is marked already.
        with suppress(OSError):
            server.close()
    if is_due():
        ring(work)


def _let_rest(error: OSError) -> None:
    """No mail's fault, and no attempt of any: all wait, and say what for."""
    words = _words(error, "")
    logger.warning("The mail server does not answer: %s.", words)
    cache.set(_RESTS, True, REST_SECONDS)
    Mail.objects.due().update(last_error=words[: Mail.LONGEST_ERROR])


def _send_due(server: BaseEmailBackend) -> None:
    deadline = time.monotonic() + BATCH_SECONDS
    while time.monotonic() < deadline and (mail := Mail.objects.claim()):
        if not _send(server, mail):
            cache.set(_RESTS, True, REST_SECONDS)
            return


def _send(server: BaseEmailBackend, mail: Mail) -> bool:
    """Whether the server takes more over this connection."""
    try:
        server.send_messages([message_of(mail)])
    except (InvalidToken, ValueError) as error:
        # Sealed by a key that is gone, or not to be written as a mail: no other attempt would end otherwise.
        Mail.objects.give_up(mail, type(error).__name__)
    except OSError as error:
        code = _code(error)
        words = _words(error, mail.recipient)
        logger.warning("Mail %s was not sent: %s.", mail.pk, type(error).__name__)
        if code >= 500 and not isinstance(error, SMTPSenderRefused):
            _refused(mail, words, isinstance(error, SMTPRecipientsRefused))
        else:
            Mail.objects.mark_failed(mail, words)
        return code not in (0, _SERVER_SHUTS) and not isinstance(error, SMTPSenderRefused)
    else:
        Mail.objects.mark_sent(mail)
    return True


def message_of(mail: Mail) -> EmailMultiAlternatives:
    """The mail as it is sent, each time the same. Raises InvalidToken."""
    words = mail.words
    domain = sanitize_address(words["from"], "utf-8").rpartition("@")[2].rstrip(">")
    stable = {"Message-ID": f"<{mail.pk}@{domain}>", "Date": http_date(mail.created_at.timestamp())}
    headers = words["headers"] | stable
    message = EmailMultiAlternatives(words["subject"], words["text"], words["from"], [mail.recipient], headers=headers)
    if words["html"]:
        message.attach_alternative(words["html"], "text/html")
    return message


@transaction.atomic
def _refused(mail: Mail, words: str, by_address: bool) -> None:
    """For good. An address that is none is forgotten wherever a guest gave it."""
    gone = {"sealed": b"", "recipient": ""} if mail.selfie_id else {}
    Mail.objects.give_up(mail, words, **gone)
    if by_address:
        asking = Selfie.objects.filter(email__iexact=mail.recipient)
        asking.update(email="", email_confirmed_at=None)


def _code(error: OSError) -> int:
    """What the server answered; 0 where it did not, or went away."""
    if isinstance(error, SMTPRecipientsRefused):
        return min(code for code, _ in error.recipients.values())
    return int(error.smtp_code) if isinstance(error, SMTPResponseException) else 0


def _words(error: OSError, address: str) -> str:
    """For the administrator's desk: what the server said, without the address that it may name."""
    said: Any = getattr(error, "smtp_error", b"")
    if isinstance(error, SMTPRecipientsRefused):
        said = next(iter(error.recipients.values()))[1]
    text = " ".join((said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)).split())
    if address:
        text = re.sub(re.escape(address), "…", text, flags=re.IGNORECASE)
    return f"{_code(error) or ''} {text}".strip() or type(error).__name__


def tidy() -> None:
    """Give up what waited too long, erase the words of what was only shown, and drop what is long over."""
    late = Mail.objects.waiting().filter(due_at__lt=from_now(-WAITING_DAYS * 24 * 3600))
    late.update(given_up_at=Now(), fence=None, lease_until=None)
    if not settings.PIXORA_MAIL_IS_LOCAL:
        Mail.objects.filter(sent_at__isnull=False).legible().update(sealed=b"")
    # By its index: those that are over are old, too.
    Mail.objects.filter(created_at__lt=from_now(-KEPT_DAYS * 24 * 3600)).over(KEPT_DAYS).delete()
