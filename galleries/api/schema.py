"""What the OpenAPI description says beyond what serializers say: pages of lists, and bytes."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from .pages import CursorPages

_CURSOR = OpenApiParameter("cursor", str, description="Where a page goes on, out of `next` or `previous`.")
_LIMIT = OpenApiParameter(
    "limit", {"type": "integer", "minimum": 1, "maximum": CursorPages.max_page_size}, description="A page's length."
)


def paged_by(kind: type[CursorPages]) -> list[Any]:
    """The parameters of a list that comes in these orders."""
    usual = next(iter(kind.orderings))
    return [_CURSOR, _LIMIT, OpenApiParameter("ordering", str, enum=list(kind.orderings), default=usual)]


PAGED = paged_by(CursorPages)


def page_of(kind: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """A page of a list, as CursorPages answers."""
    fields = {
        "next": serializers.URLField(allow_null=True),
        "previous": serializers.URLField(allow_null=True),
        "results": kind(many=True),
    }
    return inline_serializer(f"{kind.__name__.removesuffix('Serializer')}Page", fields)


def bytes_of(*media_types: str) -> dict[Any, Any]:
    """The answer of a route that sends bytes of one of these types."""
    return {(200, media_type): OpenApiTypes.BINARY for media_type in media_types}
