from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from galleries.flows import selfie as selfie_flow
from galleries.models import Archive, Match, Selfie

from .rows import CountedDeletion, Counting, FewPages, ReadOnly


@admin.register(Selfie)
class SelfieAdmin(ReadOnly, CountedDeletion):
    goes_along = [(Match, "selfie"), (Archive, "selfie")]
    list_display = ["id", "album", "state", "code", "sure", "maybe", "scanned", "created_at", "expires_at"]
    list_filter = ["state", "keep_me_posted", "created_at"]
    search_fields = ["id", "album__title", "guest__id"]
    list_select_related = ["album"]
    list_per_page = 50
    paginator = FewPages
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Counting]:
        return Counting

    def count_for(self, selfies: list[Any]) -> None:
        counts: dict[UUID, Counter[str]] = defaultdict(Counter)
        tiers = Match.objects.filter(selfie__in=selfies).order_by().values_list("selfie", "tier")
        for selfie, tier, count in tiers.annotate(Count("pk")):
            counts[selfie][tier] = count
        for each in selfies:
            each.by_tier = counts[each.pk]

    @admin.display(description=_("sure"))
    def sure(self, selfie: Any) -> int:
        return int(selfie.by_tier[Match.Tier.SURE])

    @admin.display(description=_("maybe"))
    def maybe(self, selfie: Any) -> int:
        return int(selfie.by_tier[Match.Tier.MAYBE])

    def delete_all(self, rows: Iterable[Selfie]) -> None:
        for selfie in rows:
            selfie_flow.withdraw(selfie)
