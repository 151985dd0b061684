from typing import Any

from django.contrib import admin, messages
from django.db.models import Case, Q, QuerySet, Value, When
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from galleries.flows import mail as mail_flow
from galleries.models import Mail

from .rows import ReadOnly, Rows

# Guests are known to nobody, and their addresses neither: not to be read, looked for, or told by the order of rows.
_KNOWN = Case(When(selfie=None, then="recipient"), default=Value(""))


class StateFilter(admin.SimpleListFilter):
    title, parameter_name = _("state"), "state"
    _STATES = {
        "waiting": Q(sent_at=None, given_up_at=None),
        "given_up": Q(given_up_at__isnull=False),
        "sent": Q(sent_at__isnull=False),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", _("waiting")), ("given_up", _("given up")), ("sent", _("sent"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Mail]) -> QuerySet[Mail]:
        state = self._STATES.get(self.value() or "")
        return queryset.filter(state) if state else queryset


@admin.register(Mail)
class MailAdmin(ReadOnly, Rows):
    """The queue. What mails say is shown to nobody: it may be a link to a new password, or to a guest's photos."""

    list_display = ["kind", "to", "language", "state", "attempts", "created_at", "due_at", "sent_at", "last_error"]
    list_filter = [StateFilter, "kind", "created_at"]
    search_fields = ["known", "id"]
    date_hierarchy = "created_at"
    fields = [
        "id", "kind", "to", "language", "state", "attempts", "created_at", "due_at", "sent_at", "given_up_at",
        "last_error",
    ]  # fmt: skip
    actions = ["send_again"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Mail], search_term: str
    ) -> tuple[QuerySet[Mail], bool]:
        return super().get_search_results(request, queryset.annotate(known=_KNOWN), search_term)

    @admin.display(description=_("recipient"), ordering=_KNOWN)
    def to(self, mail: Mail) -> str:
        return "-" if mail.selfie_id else mail.recipient

    @admin.display(description=_("state"))
    def state(self, mail: Mail) -> Any:
        if mail.sent_at:
            return _("sent")
        return _("given up") if mail.given_up_at else _("waiting")

    @admin.action(description=_("Send those that were given up once more"), permissions=["delete"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Mail]) -> None:
        messages.success(request, _("%(count)s mails will be tried again.") % {"count": mail_flow.send_again(queryset)})
