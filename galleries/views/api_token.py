"""API tokens on their user's desk. Only for whoever signed in themselves: pages know no tokens, and the API no tokens'
tokens, so that none can widen itself or make another.
"""

from uuid import UUID

from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from galleries import access
from galleries.access import Viewer
from galleries.flows import api_token as token_flow
from galleries.forms import ApiTokenForm
from galleries.models import Album

from .confirm import Question, ask, is_confirmed
from .page import Request, owners_page


@require_safe
@owners_page
def tokens(request: Request, viewer: Viewer) -> HttpResponseBase:
    rows = access.api_tokens(viewer).prefetch_related("albums").order_by("-created")
    return render(request, "tokens/tokens.html", {"tokens": rows})


@sensitive_variables("secret")
@require_http_methods(["GET", "POST"])
@owners_page
def token_new(request: Request, viewer: Viewer) -> HttpResponseBase:
    """Asks for the password, or a code, if that was not done just now: what is made here outlives a session."""
    raise_if_reauthentication_required(request, app="")
    form = ApiTokenForm(request.POST or None, albums=access.visible_to(viewer, Album))
    if form.is_valid():
        token, secret = token_flow.make(access.require_user(viewer), **form.said())
        return render(request, "tokens/made.html", {"token": token, "secret": secret})
    return render(request, "tokens/form.html", {"form": form})


@require_http_methods(["GET", "POST"])
@owners_page
def token(request: Request, viewer: Viewer, token_id: UUID) -> HttpResponseBase:
    token = access.api_token_for(viewer, token_id)
    raise_if_reauthentication_required(request, app="")
    albums = access.visible_to(viewer, Album)
    form = ApiTokenForm(request.POST or None, albums=albums, token=token)
    if form.is_valid():
        token_flow.change(token, **form.said())
        messages.success(request, _("Saved."))
        return redirect("tokens")
    return render(request, "tokens/form.html", {"form": form, "token": token})


@require_http_methods(["GET", "POST"])
@owners_page
def token_revoke(request: Request, viewer: Viewer, token_id: UUID) -> HttpResponseBase:
    """Without asking for a password again: whoever fears for a token shall not have to look for one first."""
    token = access.api_token_for(viewer, token_id)
    if not is_confirmed(request):
        question = Question(
            title=_("Revoke this token?"),
            text=_("Whatever uses it is refused from its next request on. A token cannot be had back."),
            button=_("Revoke the token"),
            back=reverse("tokens"),
        )
        return ask(request, question)
    token_flow.revoke(token)
    messages.success(request, _("The token has been revoked."))
    return redirect("tokens")
