"""Webhooks on their owner's desk: made, tried out, changed, and what they were told. Their secret is shown once."""

import json
from uuid import UUID

from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from galleries import access
from galleries.access import Viewer
from galleries.flows import webhook as webhook_flow
from galleries.forms import WebhookForm
from galleries.models import Album

from .confirm import Question, ask, is_confirmed
from .page import Request, owners_page, told_by

_A_PAGE = 50


def _own_albums(viewer: Viewer) -> QuerySet[Album]:
    return access.visible_to(viewer, Album).filter(owner=viewer.user)


@require_safe
@owners_page
def webhooks(request: Request, viewer: Viewer) -> HttpResponseBase:
    rows = access.webhooks_of(viewer).prefetch_related("albums")
    return render(request, "webhooks/webhooks.html", {"webhooks": rows})


@sensitive_variables("secret")
@require_http_methods(["GET", "POST"])
@owners_page
def webhook_new(request: Request, viewer: Viewer) -> HttpResponseBase:
    """Asks for the password, or a code, if that was not done just now: what is made here outlives a session."""
    raise_if_reauthentication_required(request, app="")
    form = WebhookForm(request.POST or None, albums=_own_albums(viewer))
    if form.is_valid():
        with told_by(form):
            made, secret = webhook_flow.make(access.webhook_maker(viewer), **form.cleaned_data)
            return render(request, "webhooks/made.html", {"webhook": made, "secret": secret})
    return render(request, "webhooks/form.html", {"form": form})


@require_http_methods(["GET", "POST"])
@owners_page
def webhook(request: Request, viewer: Viewer, webhook_id: UUID) -> HttpResponseBase:
    webhook = access.webhook_for(viewer, webhook_id)
    if request.method == "POST":
        match request.POST.get("do"):
            case "test":
                webhook_flow.send_test(webhook)
                messages.success(
                    request, _("A test is on its way. Reload the page in a moment to see what came of it.")
                )
            case "on" | "off" as wanted:
                webhook_flow.switch(webhook, on=wanted == "on")
        return redirect("webhook", webhook.pk)
    page = Paginator(webhook.deliveries.order_by("-created_at", "pk"), _A_PAGE).get_page(request.GET.get("page"))
    return render(request, "webhooks/webhook.html", {"webhook": webhook, "page": page})


@require_http_methods(["GET", "POST"])
@owners_page
def webhook_change(request: Request, viewer: Viewer, webhook_id: UUID) -> HttpResponseBase:
    webhook = access.webhook_for(viewer, webhook_id)
    raise_if_reauthentication_required(request, app="")
    form = WebhookForm(request.POST or None, albums=_own_albums(viewer), webhook=webhook)
    if form.is_valid():
        with told_by(form):
            webhook_flow.change(webhook, **form.cleaned_data)
            messages.success(request, _("Saved."))
            return redirect("webhook", webhook.pk)
    return render(request, "webhooks/form.html", {"form": form, "webhook": webhook})


@sensitive_variables("secret")
@require_http_methods(["GET", "POST"])
@owners_page
def webhook_secret(request: Request, viewer: Viewer, webhook_id: UUID) -> HttpResponseBase:
    webhook = access.webhook_for(viewer, webhook_id)
    raise_if_reauthentication_required(request, app="")
    if not is_confirmed(request):
        question = Question(
            title=_("Make a new secret?"),
            text=_("For a day deliveries are signed with both, so that you can change your program without a gap."),
            button=_("Make a new secret"),
            back=reverse("webhook", args=[webhook.pk]),
        )
        return ask(request, question)
    return render(request, "webhooks/made.html", {"webhook": webhook, "secret": webhook_flow.rotate(webhook)})


@require_http_methods(["GET", "POST"])
@owners_page
def webhook_delete(request: Request, viewer: Viewer, webhook_id: UUID) -> HttpResponseBase:
    webhook = access.webhook_for(viewer, webhook_id)
    if not is_confirmed(request):
        question = Question(
            title=_("Delete this webhook?"),
            text=_("Its address is told nothing more, and the list of what it was told is deleted with it."),
            button=_("Delete the webhook"),
            back=reverse("webhook", args=[webhook.pk]),
        )
        return ask(request, question)
    webhook_flow.delete(webhook)
    messages.success(request, _("The webhook has been deleted."))
    return redirect("webhooks")


@require_http_methods(["GET", "POST"])
@owners_page
def delivery(request: Request, viewer: Viewer, delivery_id: UUID) -> HttpResponseBase:
    delivery = access.delivery_for(viewer, delivery_id)
    if request.method == "POST":
        webhook_flow.send_again(delivery)
        messages.success(request, _("It is sent once more."))
        return redirect("delivery", delivery.pk)
    payload = json.dumps(json.loads(delivery.body), indent=2)
    return render(request, "webhooks/delivery.html", {"delivery": delivery, "payload": payload})
