from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from galleries.flows import held_back
from galleries.flows import photo as photo_flow
from galleries.models import Face, Match, Photo
from galleries.models.photo import PhotoQuerySet

from .rows import CountedDeletion, FewPages, ReadOnly, ask_first, in_batches
from .takedown import AT_ONCE

_HASH_LENGTH = 64


class Reason(admin.SimpleListFilter):
    """The known reasons: to look for all that are there would read every row."""

    title = _("reason")
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        failed = Photo.objects.filter(state__in=[Photo.State.REJECTED, Photo.State.QUARANTINED]).order_by()
        return [(code, code) for code in sorted(set(failed.values_list("code", flat=True)[:5000])) if code]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Photo]) -> QuerySet[Photo]:
        return queryset.filter(code=self.value()) if self.value() else queryset


@admin.register(Photo)
class PhotoAdmin(ReadOnly, CountedDeletion):
    goes_along = [(Face, "photo"), (Match, "photo")]
    list_display = ["name", "album", "state", "code", "attempts", "strikes", "face_count", "size", "received_at"]
    list_filter = ["state", Reason, "hidden", "received_at"]
    linked = {"album__id__exact"}
    search_fields = ["name", "album__title", "album__owner__email"]
    search_help_text = _("A name, an album's title, an owner; or a photo's id or SHA-256, which is found at once.")
    list_select_related = ["album"]
    list_per_page = 50
    ordering = ["-received_at", "-id"]
    sortable_by = ["received_at"]
    paginator = FewPages
    show_full_result_count = False
    actions = ["retry", "set_aside", "take_down"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Photo], search_term: str
    ) -> tuple[QuerySet[Photo], bool]:
        text = search_term.strip().lower()
        if len(text) == _HASH_LENGTH:
            return queryset.filter(sha256=text), False
        try:
            return queryset.filter(pk=UUID(text)), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    @admin.action(description=_("Take up quarantined photos once more"), permissions=["delete"])
    def retry(self, request: HttpRequest, queryset: PhotoQuerySet) -> None:
        count = sum(photo_flow.retry(some, by_staff=True) for some in in_batches(queryset))
        messages.success(request, _("%(count)s photos will be tried again.") % {"count": count})

    @admin.action(description=_("Set aside, out of everybody's sight"), permissions=["delete"])
    def set_aside(self, request: HttpRequest, queryset: PhotoQuerySet) -> HttpResponseBase | None:
        title = _("Set these photos aside?")
        text = _("They leave every guest's gallery, and their faces are deleted. Taking them up again looks anew.")
        if asked := ask_first(request, queryset, action="set_aside", title=title, text=text):
            return asked
        count = sum(held_back.set_aside(some) for some in in_batches(queryset))
        messages.success(request, _("%(count)s photos are set aside.") % {"count": count})
        return None

    @admin.action(description=_("Take down everywhere …"), permissions=["delete"])
    def take_down(self, request: HttpRequest, queryset: PhotoQuerySet) -> HttpResponseBase | None:
        chosen = [str(pk) for pk in queryset.values_list("pk", flat=True)[: AT_ONCE + 1]]
        if len(chosen) > AT_ONCE:
            messages.warning(request, _("At most %(count)s photos at once, please.") % {"count": AT_ONCE})
            return None
        return redirect(reverse("admin:galleries_takedown_add", query={"what": " ".join(chosen)}))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        for some in in_batches(queryset):
            self.delete_all(some)

    def delete_all(self, rows: Iterable[Photo]) -> None:
        photo_flow.delete(rows)
