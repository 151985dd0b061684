from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from galleries.flows import selfie as selfie_flow
from galleries.models import Archive, Guest, Match, Selfie

from .rows import CountedDeletion, ReadOnly


@transaction.atomic
def erase(guest: Guest) -> None:
    for selfie in guest.selfies.all():
        selfie_flow.withdraw(selfie)
    guest.delete()


@admin.register(Guest)
class GuestAdmin(ReadOnly, CountedDeletion):
    goes_along = [(Selfie, "guest"), (Match, "selfie__guest"), (Archive, "guest")]
    list_display = ["id", "user", "searches", "created_at"]
    search_fields = ["id", "user__email"]
    list_select_related = ["user"]
    fields = ["id", "user", "created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Guest]:
        return super().get_queryset(request).annotate(selfie_count=Count("selfies"))

    @admin.display(description=_("searches"), ordering="selfie_count")
    def searches(self, guest: Any) -> int:
        return int(guest.selfie_count)

    def delete_all(self, rows: Iterable[Guest]) -> None:
        for guest in rows:
            erase(guest)
