"""Mail that is shown instead of sent, for whoever develops or tries the site; and which mails an account gets."""

import base64
import hashlib
import re
from uuid import UUID

from csp.decorators import csp_update
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from galleries import access
from galleries.access import Viewer
from galleries.flows import letter as letter_flow
from galleries.forms import MailSettingsForm
from galleries.models import Mail

from .page import Request, owners_page, page

_SHOWN = 100
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


@require_safe
@page
def mails(request: Request, viewer: Viewer) -> HttpResponseBase:
    access.require_mail_reader(request)
    shown = [(mail, mail.words["subject"]) for mail in Mail.objects.legible()[:_SHOWN]]
    return render(request, "mails/mails.html", {"mails": shown})


@require_safe
@page
def shown_mail(request: Request, viewer: Viewer, mail_id: UUID) -> HttpResponseBase:
    """Text and HTML side by side. The latter in a frame of no rights, which has this page's policy too."""
    access.require_mail_reader(request)
    mail = access.shown_mail(mail_id)

    def shown(request: HttpRequest) -> HttpResponseBase:
        return render(request, "mails/mail.html", {"mail": mail, "words": mail.words})

    return csp_update({"style-src": _its_style(mail.words["html"])})(shown)(request)


def _its_style(html: str) -> list[str]:
    """The mail's one style sheet, by its hash: to allow any would not be the site's policy any more."""
    return [
        f"'sha256-{base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()}'" for css in _STYLE.findall(html)
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@owners_page
def mail_settings(request: Request, viewer: Viewer) -> HttpResponseBase:
    user = access.require_user(viewer)
    # None ticked is an answer too.
    said = request.POST if request.method == "POST" else None
    form = MailSettingsForm(said, initial={"wanted": letter_flow.wanted_by(user)})
    if form.is_valid():
        letter_flow.want(user, form.cleaned_data["wanted"])
        messages.success(request, _("Saved."))
        return redirect("mail-settings")
    return render(request, "mails/settings.html", {"form": form})
