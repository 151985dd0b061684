from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from galleries.flows import selfie as selfie_flow
from galleries.models import Archive, Match, Selfie

from .rows import CountedDeletion, ReadOnly


@admin.register(Selfie)
class SelfieAdmin(ReadOnly, CountedDeletion):
    goes_along = [(Match, "selfie"), (Archive, "selfie")]
    list_display = ["id", "album", "state", "code", "sure", "maybe", "scanned", "created_at", "expires_at"]
    list_filter = ["state", "code", "keep_me_posted", "created_at"]
    search_fields = ["id", "album__title", "guest__id"]
    list_select_related = ["album"]
    date_hierarchy = "created_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Selfie]:
        tiers = {f"{tier}_count": Count("matches", filter=Q(matches__tier=tier)) for tier in Match.Tier.values}
        return super().get_queryset(request).annotate(**tiers)

    @admin.display(description=_("sure"), ordering="sure_count")
    def sure(self, selfie: Any) -> int:
        return int(selfie.sure_count)

    @admin.display(description=_("maybe"), ordering="maybe_count")
    def maybe(self, selfie: Any) -> int:
        return int(selfie.maybe_count)

    def delete_all(self, rows: Iterable[Selfie]) -> None:
        for selfie in rows:
            selfie_flow.withdraw(selfie)
