"""Mails' own link, to agree to them and to end them; and the address that a guest gives to hear of new photos."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from galleries import access
from galleries.access import Action, Viewer
from galleries.errors import Refusal
from galleries.flows import notice as notice_flow
from galleries.forms import EmailForm
from galleries.models import Topic

from .page import Request, page


@require_POST
@page
def selfie_mail(request: Request, viewer: Viewer, selfie_id: UUID) -> HttpResponseBase:
    selfie = access.selfie_for(viewer, selfie_id, Action.OWN)
    if request.POST.get("step") == "forget":
        notice_flow.forget(selfie)
        words = _("We have forgotten the address. It gets no more e-mails about this search.")
    else:
        notice_flow.subscribe(selfie, address_in(request))
        # The same words to everybody: whether an address has had enough of us is its owner's affair.
        words = _("We have sent you an e-mail. Open the link in it, and we will tell you about new photos.")
    messages.success(request, words)
    return redirect("selfie", selfie.pk)


def address_in(request: Request) -> str:
    form = EmailForm(request.POST)
    if not form.is_valid():
        raise Refusal("invalid", _("This is not an e-mail address."))
    return str(form.cleaned_data["email"])


# The token is the permission, and mail programs that end a subscription by one click (RFC 8058) know no other. Looking
# changes nothing, for programs that read ahead look at every link.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@page
def mail(request: Request, viewer: Viewer, mail_token: str) -> HttpResponseBase:
    choice = access.mail_choice(mail_token)
    selfie = choice.selfie
    said = ""
    if request.method == "POST":
        said = "confirm" if request.POST.get("step") == "confirm" else "stop"
        (notice_flow.confirm if said == "confirm" else notice_flow.stop)(choice)
    context = {
        "album": selfie.album if selfie else None,
        "asked": bool(selfie) and choice.topic == Topic.PHOTOS,
        "confirmed": bool(selfie and selfie.email_confirmed_at),
        "stopped": choice.is_stopped,
        "topic": Topic(choice.topic).label,
        "hours": settings.PIXORA_MAIL_QUIET_HOURS,
        "said": said,
    }
    return render(request, "guest/mail.html", context)
