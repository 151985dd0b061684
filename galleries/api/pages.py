"""Lists come as cursor pages: stable while photos arrive, and as quick on the last page as on the first."""

from typing import Any

from rest_framework.pagination import CursorPagination

# What ?ordering= may ask for, and the columns it stands for. The id makes every order total.
ORDERINGS = {
    "received_at": ("received_at", "id"),
    "-received_at": ("-received_at", "-id"),
    "taken_at": ("moment", "id"),
    "-taken_at": ("-moment", "-id"),
    "name": ("name", "id"),
    "-name": ("-name", "-id"),
}


class CursorPages(CursorPagination):
    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000
    ordering: Any = ("-created_at", "-id")


class PhotoPages(CursorPages):
    def get_ordering(self, request: Any, queryset: Any, view: Any) -> tuple[str, ...]:
        return ORDERINGS[request.query_params.get("ordering", "received_at")]
