"""The log of what people did, to be looked through and taken away. What is changed by hand on this desk goes there too,
in place of Django's own log, which anybody with the right permission may delete.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, LogEntryManager
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from galleries.flows import deed as deed_flow
from galleries.flows import sheet
from galleries.models import Deed
from galleries.models.deed import Verb

from .rows import FewPages, ReadOnly, Rows

# Of a list of facts, in one row of the page; the row's own page has all.
_SHOWN = 3
_LONG = 20
_COLUMNS = ("id", "at", "verb", "user", "via", "token", "network", "kind", "object", "album", "facts")


def _note(
    manager: LogEntryManager,
    user_id: int,
    queryset: Iterable[Model],
    action_flag: int,
    change_message: Any = "",
    *,
    single_object: bool = False,
) -> None:
    """In place of LogEntry.objects.log_actions, which every ModelAdmin calls."""
    verb = {ADDITION: Verb.ROW_ADDED, CHANGE: Verb.ROW_CHANGED}.get(action_flag, Verb.ROW_DELETED)
    deed_flow.record_each(verb, queryset, fields=_fields(change_message))


def _fields(change_message: Any) -> list[str]:
    """Names of what was changed, in Django's words, and never a value."""
    said = change_message if isinstance(change_message, list) else []
    parts = [part for each in said for part in each.values()]
    return [str(name)[:60] for part in parts for name in part.get("fields", [part.get("name", "")])]


def _history(site: admin.ModelAdmin, request: HttpRequest, object_id: str, *_: Any) -> HttpResponse:
    """In place of ModelAdmin.history_view: the log, of this one object."""
    about = {"kind__exact": site.opts.model_name, "thing__exact": object_id}
    return redirect(reverse("admin:galleries_deed_changelist", query=about))


LogEntryManager.log_actions = _note  # type: ignore[method-assign, assignment]
admin.ModelAdmin.history_view = _history  # type: ignore[method-assign, assignment]


@admin.register(Deed)
class DeedAdmin(ReadOnly, Rows):
    list_display = ["at", "verb", "user", "via", "about", "album", "said", "network_label"]
    list_filter = ["via", "verb", "at"]
    linked = {"kind__exact", "thing__exact"}
    list_select_related = ["user", "album"]
    search_fields = ["=thing", "user__email", "=album__id", "=network_label", "=token"]
    search_help_text = _("An e-mail address, or the id of an album, a photo, a link or a token.")
    paginator = FewPages
    show_full_result_count = False
    change_list_template = "admin/galleries/deed/change_list.html"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The database refuses it as well."""
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Deed], search_term: str
    ) -> tuple[QuerySet[Deed], bool]:
        return queryset.about(search_term) if search_term else queryset, False  # type: ignore[attr-defined]

    def get_urls(self) -> list[URLPattern]:
        export = path("export/", self.admin_site.admin_view(self.export), name="galleries_deed_export")
        return [export, *super().get_urls()]

    def export(self, request: HttpRequest) -> StreamingHttpResponse:
        """What the list shows, filtered as it is, row by row as a spreadsheet reads it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = self.get_changelist_instance(request).get_queryset(request).select_related(None)
        deed_flow.record(Verb.LOG_EXPORTED)
        answer = StreamingHttpResponse(_lines(rows), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="pixora-log.csv"'
        answer["Cache-Control"] = "private, no-store"
        return answer

    @admin.display(description=_("object"))
    def about(self, deed: Deed) -> str:
        name, short = f"admin:galleries_{deed.kind}_change", _shortened(deed.thing)
        if not deed.kind or deed.verb == Verb.ROW_DELETED or not _is_listed(deed.kind):
            return f"{deed.kind} {short}".strip()
        return format_html('<a href="{}">{} {}</a>', reverse(name, args=[deed.thing]), deed.kind, short)

    @admin.display(description=_("facts"))
    def said(self, deed: Deed) -> str:
        return ", ".join(f"{name}: {_in_short(value)}" for name, value in deed.facts.items())


def _shortened(thing: str) -> str:
    """Of a long id as much as tells it from its neighbours; the row's own page has all."""
    return f"{thing[:8]}…" if len(thing) > _LONG else thing


def _is_listed(kind: str) -> bool:
    return any(model._meta.label_lower == f"galleries.{kind}" for model in admin.site._registry)


def _in_short(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value[:_SHOWN])) + (" …" if len(value) > _SHOWN else "")
    return str(value)


def _lines(rows: QuerySet[Deed]) -> Iterator[str]:
    yield sheet.line(_COLUMNS)
    columns = "pk", "at", "verb", "user", "via", "token", "network_label", "kind", "thing", "album", "facts"
    for *plain, facts in rows.values_list(*columns).iterator(chunk_size=2000):
        yield sheet.line([*plain, json.dumps(facts, ensure_ascii=False)])
