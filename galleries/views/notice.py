"""Mail about new photos: the address on the result page, and the mails' own link to agree to them and to end them."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from galleries import access
from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.flows import notice as notice_flow
from galleries.forms import EmailForm

from .page import Request, page


@require_POST
@page
def selfie_mail(request: Request, viewer: Viewer, selfie_id: UUID) -> HttpResponseBase:
    selfie = access.selfie_for(viewer, selfie_id)
    form = EmailForm(request.POST)
    if not form.is_valid():
        raise Refusal("invalid", _("This is not an e-mail address."))
    notice_flow.subscribe(selfie, form.cleaned_data["email"])
    words = _("We have sent you an e-mail. Open the link in it, and we will tell you about new photos.")
    messages.success(request, words)
    return redirect("selfie", selfie.pk)


# The token is the permission, and mail programs that end a subscription by one click know no other.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@page
def mail(request: Request, viewer: Viewer, mail_token: str) -> HttpResponseBase:
    selfie = access.mailed_selfie(mail_token)
    said = ""
    if request.method == "POST":
        said = "confirm" if request.POST.get("step") == "confirm" else "stop"
        (notice_flow.confirm if said == "confirm" else notice_flow.stop)(selfie)
    context = {"album": selfie.album, "confirmed": selfie.email_confirmed_at is not None, "said": said}
    return render(request, "guest/mail.html", context)
