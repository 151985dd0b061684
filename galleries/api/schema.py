"""What the OpenAPI description says beyond what serializers say: pages of lists, bytes, problems, the guest's key."""

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from galleries.models import Photo

from .pages import ORDERINGS, CursorPages

_CURSOR = OpenApiParameter("cursor", str, description="Where a page goes on, out of `next` or `previous`.")
_LIMIT = OpenApiParameter(
    "limit", {"type": "integer", "minimum": 1, "maximum": CursorPages.max_page_size}, description="A page's length."
)
PAGED = [_CURSOR, _LIMIT]
PHOTOS_PAGED = [*PAGED, OpenApiParameter("ordering", str, enum=list(ORDERINGS))]
PHOTOS_OF_STATE = [
    *PHOTOS_PAGED,
    OpenApiParameter("state", str, enum=Photo.State.values),
    OpenApiParameter("person", UUID, description="Only photos in which this person of the album is seen."),
]


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


_PROBLEM = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable; what a program goes by."},
        "errors": {"description": "What is wrong with which field."},
        "request_id": {"type": "string"},
    },
}


def describe(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Drf-spectacular's hook: any other answer of any route is a problem, and guests come with a key."""
    components = result["components"]
    components["schemas"]["Problem"] = _PROBLEM
    components["securitySchemes"]["guestKey"] = {"type": "apiKey", "in": "header", "name": "Pixora-Guest"}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, operations in result["paths"].items():
        for operation in operations.values():
            operation["responses"]["default"] = {"description": "A problem", "content": problem}
            if "{token}" in path or path.startswith(("/api/v1/selfies/", "/api/v1/photos/", "/api/v1/archives/")):
                operation["security"].append({"guestKey": []})
    return result
