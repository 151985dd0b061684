from collections.abc import Iterable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from galleries.flows import visit as visit_flow
from galleries.models import Archive, Link, Match, Selfie

from .rows import CountedDeletion, ReadOnly


@admin.register(Link)
class LinkAdmin(ReadOnly, CountedDeletion):
    goes_along = [(Selfie, "link"), (Match, "selfie__link"), (Archive, "selfie__link")]
    list_display = ["album", "enabled", "can_browse", "can_download", "expires_at", "uses", "max_uses", "created_at"]
    list_filter = ["enabled", "can_browse", "can_download"]
    search_fields = ["album__title", "album__owner__email", "id"]
    list_select_related = ["album"]
    fields = ["id", "album", "enabled", "can_browse", "can_download", "expires_at", "uses", "max_uses", "created_at"]
    actions = ["switch_off"]

    @admin.action(description=_("Switch off at once"), permissions=["delete"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Link]) -> None:
        links = list(queryset.filter(enabled=True))
        for link in links:
            visit_flow.change_link(link, enabled=False)
        messages.success(request, _("%(count)s links are off.") % {"count": len(links)})

    def delete_all(self, rows: Iterable[Link]) -> None:
        for link in rows:
            visit_flow.delete_link(link)
