"""What rows on the administrator's desk have in common.

Whatever has stored files is deleted by its journey, never by Django's own deletion, which knows rows only."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest


class ReadOnly:
    """Rows that come about by what people do, and are not to be written by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CountedDeletion(admin.ModelAdmin):
    """Asks before a deletion with numbers: Django's own page would load and list every photo, face and match."""

    # What is deleted along, and where it names the row that is deleted: (model, lookup).
    goes_along: list[tuple[type[Model], str]] = []
    _NAMED = 20

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        chosen = objs.order_by().values("pk") if isinstance(objs, QuerySet) else [each.pk for each in objs]
        count = len(objs) if isinstance(objs, list) else objs.count()
        names = [str(each) for each in objs[: self._NAMED]] + (["…"] if count > self._NAMED else [])
        counts, forbidden = {str(self.opts.verbose_name_plural): count}, set()
        for model, lookup in self.goes_along:
            if number := model._default_manager.filter(**{f"{lookup}__in": chosen}).count():
                counts[str(model._meta.verbose_name_plural)] = number
                if not self._may_delete(request, model):
                    forbidden.add(str(model._meta.verbose_name))
        return names, counts, forbidden, []

    def _may_delete(self, request: HttpRequest, model: type[Model]) -> bool:
        known = self.admin_site.is_registered(model)
        return not known or self.admin_site.get_model_admin(model).has_delete_permission(request)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_all([obj])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.delete_all(queryset)

    def delete_all(self, rows: Iterable[Any]) -> None:
        """By the journey that deletes their files too."""
        raise NotImplementedError
