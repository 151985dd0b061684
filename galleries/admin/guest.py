from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from galleries.flows import account as account_flow
from galleries.models import Archive, Guest, Match, Selfie

from .rows import CountedDeletion, Counting, FewPages, ReadOnly


@admin.register(Guest)
class GuestAdmin(ReadOnly, CountedDeletion):
    goes_along = [(Selfie, "guest"), (Match, "selfie__guest"), (Archive, "guest")]
    list_display = ["id", "user", "searches", "created_at"]
    search_fields = ["id", "user__email"]
    list_select_related = ["user"]
    fields = ["id", "user", "created_at"]

    ordering = ["-created_at"]
    paginator = FewPages
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Counting]:
        return Counting

    def count_for(self, guests: list[Any]) -> None:
        found = Selfie.objects.filter(guest__in=guests).order_by().values_list("guest").annotate(Count("pk"))
        counts = dict(found)
        for guest in guests:
            guest.selfie_count = counts.get(guest.pk, 0)

    @admin.display(description=_("searches"))
    def searches(self, guest: Any) -> int:
        return int(guest.selfie_count)

    def delete_all(self, rows: Iterable[Guest]) -> None:
        for guest in rows:
            account_flow.erase_guest(guest)
