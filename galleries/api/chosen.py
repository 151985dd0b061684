"""/albums/{id}/photos/change/: many photos at once."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from galleries import access
from galleries.access import Action
from galleries.flows import photo as photo_flow
from galleries.models import Album, Photo

from .authentication import OwnerView

_AT_ONCE = 10_000


class PhotosChangeSerializer(serializers.Serializer[Any]):
    photos = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=_AT_ONCE)
    change = serializers.ChoiceField(
        ["hide", "show", "delete"], help_text="`delete` takes the files and their faces, and cannot be undone."
    )


class PhotosChangedSerializer(serializers.Serializer[Any]):
    changed = serializers.IntegerField(help_text="Those of them that this album has.")


class AlbumPhotosChange(OwnerView):
    def door(self, album_id: UUID) -> Album:
        return access.album_for(self.viewer, album_id, Action.EDIT)

    @extend_schema(request=PhotosChangeSerializer, responses=PhotosChangedSerializer)
    def post(self, request: Request, album_id: UUID) -> Response:
        """Hide, show or delete many photos of an album at once"""
        album = self.door(album_id)
        fields = PhotosChangeSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        chosen: Any = access.visible_to(self.viewer, Photo).filter(album=album, pk__in=fields.validated_data["photos"])
        return Response({"changed": _change(chosen, fields.validated_data["change"])})


def _change(chosen: Any, change: str) -> int:
    if change != "delete":
        return photo_flow.hide_all(chosen, hidden=change == "hide")
    photos = list(chosen)
    photo_flow.delete(photos)
    return len(photos)
