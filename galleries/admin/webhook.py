from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from galleries.errors import Refusal
from galleries.flows import webhook as webhook_flow
from galleries.models import Delivery, Webhook

from .mail import StateFilter
from .rows import ReadOnly, Rows


@admin.register(Webhook)
class WebhookAdmin(ReadOnly, Rows):
    """Where photographers' programs are told. The address may be a secret, and is shown to its owner alone."""

    list_display = ["__str__", "owner", "events", "created_at", "switched_off_because", "failures"]
    list_filter = ["switched_off_because"]
    search_fields = ["owner__email", "id"]
    fields = [
        "id", "owner", "name", "events", "created_at", "switched_off_because", "switched_off_at", "failures",
        "rest_until",
    ]  # fmt: skip
    actions = ["switch_off"]

    @admin.action(description=_("Switch off"), permissions=["delete"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        for webhook in queryset:
            webhook_flow.switch(webhook, on=False)
        messages.success(request, _("Switched off. Their owners can switch them on again."))


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly, Rows):
    list_display = ["kind", "webhook", "state", "attempts", "answer_status", "created_at", "due_at", "last_error"]
    list_filter = [StateFilter, "kind", "created_at"]
    list_select_related = ["webhook"]
    search_fields = ["id", "webhook__id"]
    date_hierarchy = "created_at"
    fields = [
        "id", "webhook", "kind", "state", "attempts", "answer_status", "created_at", "due_at", "sent_at", "given_up_at",
        "last_error", "body",
    ]  # fmt: skip
    actions = ["send_again"]

    @admin.action(description=_("Send once more"), permissions=["delete"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        for delivery in queryset.select_related("webhook"):
            try:
                webhook_flow.send_again(delivery)
            except Refusal as refusal:
                messages.error(request, f"{delivery}: {refusal}")
