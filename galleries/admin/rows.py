"""What rows on the administrator's desk have in common.

Whatever has stored files is deleted by its journey, never by Django's own deletion, which knows rows only."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.functional import cached_property

_NAMED, _BATCH = 20, 500
# What Django's filters, and its steps through dates, put after a column's name.
_ENDINGS = {"exact", "isnull", "isempty", "gte", "lt", "year", "month", "day"}


def batched(rows: list[Any], size: int) -> Iterator[list[Any]]:
    return (rows[at : at + size] for at in range(0, len(rows), size))


class ReadOnly:
    """Rows that come about by what people do, and are not to be written by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Rows(admin.ModelAdmin):
    """A list that is asked only what it offers to be asked.

    Django takes any lookup on the row's own columns from the address: a secret could be told by the number of rows, a
    character at a time.
    """

    # What links of the desk ask beside the filters.
    linked: ClassVar[set[str]] = set()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        filters: Any = self.get_list_filter(request)
        parameters = {each.parameter_name for each in filters if hasattr(each, "parameter_name")}
        columns = {each[0] if isinstance(each, tuple) else each for each in filters} | {self.date_hierarchy}
        name, _, ending = lookup.rpartition("__")
        return lookup in columns | parameters | self.linked or (name in columns and ending in _ENDINGS)


class FewPages(Paginator):
    """Counts no further than anybody turns pages: counting a million rows takes a second."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: self.MOST].count())


class Counting(ChangeList):
    """Once the rows of a page are known, has them counted for: joins over all rows of the table would take seconds."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        cast(Any, self.model_admin).count_for(self.result_list)


def in_batches(queryset: QuerySet[Any]) -> Iterator[Any]:
    """Some hundred rows each, so that no transaction is long and no list of ids too."""
    ids = queryset.order_by("pk").values_list("pk", flat=True)
    for some in batched(list(ids), _BATCH):
        yield queryset.model._default_manager.filter(pk__in=some)


def ask_first(
    request: HttpRequest, queryset: QuerySet[Any], *, action: str, title: Any, text: Any
) -> TemplateResponse | None:
    """A page that asks before an action on chosen rows is carried out; None once it was answered."""
    if request.POST.get("confirmed"):
        return None
    names = [str(each) for each in queryset[:_NAMED]]
    context = {
        **admin.site.each_context(request),
        "title": title,
        "text": text,
        "names": names,
        "has_more": len(names) == _NAMED,
        "action": action,
        "chosen": request.POST.getlist("_selected_action"),
        "select_across": request.POST.get("select_across", "0"),
        "opts": queryset.model._meta,
    }
    return TemplateResponse(request, "admin/ask_first.html", context)


class CountedDeletion(Rows):
    """Asks before a deletion with numbers: Django's own page would load and list every photo, face and match."""

    # What is deleted along, and where it names the row that is deleted: (model, lookup).
    goes_along: list[tuple[type[Model], str]] = []

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        chosen = objs.order_by().values("pk") if isinstance(objs, QuerySet) else [each.pk for each in objs]
        count = len(objs) if isinstance(objs, list) else objs.count()
        names = [str(each) for each in objs[:_NAMED]] + (["…"] if count > _NAMED else [])
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
