"""What mails say. Each has one template of words (templates/mail), from which its text and its HTML both are made.

`send` hands them to Django's e-mail backend, which is the site's own (mail.py): there they become rows.
"""

import re
from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import get_language

from galleries.colours import LIGHT_SURFACES, readable
from galleries.models import Album, Choice, Collaborator, Mail, Selfie, Topic, Unsubscribed, User

# Of templates/mail: where no album has one of its own. --accent of static/css/pixora.css.
_ACCENT = "#a53a1d"
_GAPS = re.compile(r"\n\s*\n\s*")


class Letter(EmailMultiAlternatives):
    """Django's message, and what its row is told of it."""

    def __init__(self, kind: str, to: str, selfie: Selfie | None = None, **parts: Any) -> None:
        super().__init__(to=[to], **parts)
        self.kind, self.selfie, self.language = kind, selfie, get_language() or settings.LANGUAGE_CODE


def compose(
    kind: str, to: str, address: str, *, choice: Choice | None = None, selfie: Selfie | None = None, **context: Any
) -> Letter:
    """In the language that is active. `address` is where its button leads; `choice` what it may be stopped by."""
    album = context.get("album")
    context |= {"address": address, "email": to, "accent": _accent(album), "sender": album.brand_name if album else ""}
    context["choice"] = absolute("mail", choice.mailed_token) if choice else ""
    # In one line, and no more of a title than fits there: a header can hold no other.
    subject = " ".join(_render(kind, "subject.txt", context).split())
    text = _GAPS.sub("\n\n", _render(kind, "layout.txt", context)).strip() + "\n"
    letter = Letter(kind, to, selfie, subject=subject, body=text, headers=_headers(context["choice"]))
    letter.attach_alternative(_render(kind, "layout.html", context), "text/html")
    return letter


def _render(kind: str, layout: str, context: dict[str, Any]) -> str:
    return render_to_string(f"mail/{kind}.txt", context | {"layout": f"mail/{layout}"})


def _accent(album: Album | None) -> str:
    return readable(album.accent, LIGHT_SURFACES) if album and album.accent else _ACCENT


def _headers(choice: str) -> dict[str, str]:
    # So that no answering machine answers.
    headers = {"Auto-Submitted": "auto-generated"}
    if choice:
        headers |= {"List-Unsubscribe": f"<{choice}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return headers


def absolute(name: str, *args: Any) -> str:
    return f"{settings.PIXORA_PUBLIC_URL.rstrip('/')}{reverse(name, args=args)}"


def can_lead_back() -> bool:
    """Whether the site knows the address that a mail would lead to, where no request tells it."""
    return bool(settings.PIXORA_PUBLIC_URL)


def send_unless_stopped(topic: Topic, letter: Letter) -> None:
    if not Unsubscribed.covers(letter.to[0], topic):
        letter.send()


def wanted_by(user: User) -> list[str]:
    """The topics that an account gets mails of."""
    stopped = Unsubscribed.scopes_of(user.email)
    return [topic for topic in Topic.values if topic not in stopped]


@transaction.atomic
def want(user: User, topics: Collection[str]) -> None:
    """These, and no others; of a topic that is wanted, albums that were stopped by themselves stay so."""
    for topic in Topic.values:
        if topic in topics:
            Unsubscribed.lift(user.email, topic)
        else:
            Choice.about(topic, user.email).stop()


def album_shared(collaborator: Collaborator) -> None:
    """To somebody whom an album's owner has just let in."""
    if not can_lead_back():
        return
    album, to = collaborator.album, collaborator.user.email
    context: dict[str, Any] = {"album": album, "by": album.owner.email, "settings": absolute("mail-settings")}
    choice = Choice.about(Topic.SHARED, to)
    letter = compose(Mail.Kind.SHARED, to, absolute("album", album.pk), choice=choice, **context)
    send_unless_stopped(Topic.SHARED, letter)


def invite(email: str, address: str, by: str) -> None:
    """To a photographer: `address` is where the invitation is accepted, `by` who invites."""
    letter = compose(Mail.Kind.INVITATION, email, address, choice=Choice.about(Topic.INVITATION, email), by=by)
    send_unless_stopped(Topic.INVITATION, letter)


def link_for(selfie: Selfie, email: str, address: str, hours: int) -> None:
    """A guest's own photos, for another device."""
    choice = Choice.about(Topic.LINK, email)
    context: dict[str, Any] = {"album": selfie.album, "hours": hours}
    send_unless_stopped(Topic.LINK, compose(Mail.Kind.LINK, email, address, choice=choice, selfie=selfie, **context))
