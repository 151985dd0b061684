"""Lists come as cursor pages: stable while photos arrive, and as quick on the last page as on the first."""

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from django.core import signing
from django.db.models import Q
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

# Not signing.dumps, which also says when: a list that is the same would never be the same bytes, nor have its ETag.
_SIGNER = signing.Signer(salt="galleries.cursor")


def both_ways(columns: Mapping[str, str], usual: str) -> dict[str, str]:
    """What ?ordering= may ask for, and what it stands for; the usual one first."""
    all_of_them = {f"{sign}{word}": f"{sign}{column}" for word, column in columns.items() for sign in ("", "-")}
    return {usual: all_of_them[usual]} | all_of_them


class CursorPages(CursorPagination):
    """Pages by (column, id), which no two rows share: DRF's own know one column, and end where 1,000 rows are equal.

    A cursor is the order, the direction, and the row that it goes on from. It is signed, so that whatever comes back is
    one of ours and fits its column.
    """

    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000
    orderings: ClassVar[dict[str, str]] = {"-created_at": "-created_at", "created_at": "created_at"}
    # What tells rows of the same value apart. It is told in cursors.
    identity = "pk"

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        self.address: str = request.build_absolute_uri()
        self.order: str = self.order_of(request)
        backwards, last = self._decoded(request.query_params.get(self.cursor_query_param))
        if last:
            queryset = queryset.filter(
                _beyond(last, self._column, self.identity, descending=self._descending != backwards)
            )
        sign = "-" if self._descending != backwards else ""
        size = self.get_page_size(request) or CursorPages.page_size
        rows = list(queryset.order_by(f"{sign}{self._column}", f"{sign}{self.identity}")[: size + 1])
        self.page = rows[:size][::-1] if backwards else rows[:size]
        more = len(rows) > size
        self.has_next, self.has_previous = (True, more) if backwards else (more, last is not None)
        return self.page

    def order_of(self, request: Any) -> str:
        asked = request.query_params.get("ordering", next(iter(self.orderings)))
        if asked not in self.orderings:
            raise ValidationError({"ordering": f"One of {', '.join(self.orderings)}."})
        return self.orderings[asked]

    def get_next_link(self) -> str | None:
        return self._link(self.page[-1], backwards=False) if self.page and self.has_next else None

    def get_previous_link(self) -> str | None:
        return self._link(self.page[0], backwards=True) if self.page and self.has_previous else None

    @property
    def _column(self) -> str:
        return self.order.removeprefix("-")

    @property
    def _descending(self) -> bool:
        return self.order.startswith("-")

    def _link(self, row: Any, *, backwards: bool) -> str:
        value = getattr(row, self._column)
        position = [value.isoformat() if isinstance(value, date) else value, str(getattr(row, self.identity))]
        cursor = _SIGNER.sign_object([self.order, backwards, position], compress=True)
        return replace_query_param(self.address, self.cursor_query_param, cursor)

    def _decoded(self, cursor: str | None) -> tuple[bool, list[str] | None]:
        if not cursor:
            return False, None
        try:
            order, backwards, position = _SIGNER.unsign_object(cursor)
        except signing.BadSignature:
            order, backwards, position = None, False, None
        if order != self.order:
            raise NotFound(self.invalid_cursor_message)
        return backwards, position


def _beyond(position: list[str], column: str, identity: str, *, descending: bool) -> Q:
    """Rows after the position. That it is said twice lets the database begin at the right place of an index."""
    word, (value, row) = "lt" if descending else "gt", position
    return Q(**{f"{column}__{word}e": value}) & (Q(**{f"{column}__{word}": value}) | Q(**{f"{identity}__{word}": row}))


class PhotoPages(CursorPages):
    orderings = both_ways({"received_at": "received_at", "taken_at": "moment", "name": "name"}, "received_at")


class AlbumPages(CursorPages):
    orderings = both_ways({"created_at": "created_at", "title": "title", "event_date": "day"}, "-created_at")


def paged(
    request: Any,
    rows: Any,
    serializer: Any,
    told: Mapping[str, Any] | None = None,
    kind: type[CursorPages] = CursorPages,
) -> Response:
    """One page of the rows; `told` is what the serializer needs to know beside them."""
    pages = kind()
    page = pages.paginate_queryset(rows, request)
    return pages.get_paginated_response(serializer(page, many=True, context=dict(told or {})).data)
