"""/albums/deleted/: deleted albums, to be had back for 7 days, or deleted for good."""

from uuid import UUID

from django.db.models import Count
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from galleries import access
from galleries.access import Action
from galleries.flows import album as album_flow
from galleries.models import Album

from .authentication import OwnerView
from .pages import CursorPages, both_ways, paged
from .schema import page_of, paged_by
from .serializers import AlbumSerializer


class DeletedAlbumSerializer(serializers.ModelSerializer[Album]):
    photo_count = serializers.IntegerField(read_only=True)
    gone_at = serializers.DateTimeField(read_only=True, help_text="When it goes for good.")

    class Meta:
        model = Album
        fields = ["id", "title", "event_date", "photo_count", "deleted_at", "gone_at"]
        read_only_fields = fields


class LatestDeleted(CursorPages):
    orderings = both_ways({"deleted_at": "deleted_at"}, "-deleted_at")


class DeletedAlbums(OwnerView):
    may_be_kept = True

    @extend_schema(
        operation_id="albums_deleted_list",
        parameters=paged_by(LatestDeleted),
        responses=page_of(DeletedAlbumSerializer),
    )
    def get(self, request: Request) -> Response:
        """List deleted albums that can still be had back, the latest first"""
        access.require_scope(self.viewer, access.SCOPE_FOR[Action.INSPECT])
        deleted = access.deleted_albums(self.viewer).annotate(photo_count=Count("photos"))
        return paged(request, deleted, DeletedAlbumSerializer, kind=LatestDeleted)


class DeletedAlbum(OwnerView):
    @extend_schema(operation_id="albums_deleted_destroy", responses={204: None})
    def delete(self, request: Request, album_id: UUID) -> Response:
        """Delete a deleted album for good, with its photos and links; this cannot be undone"""
        album = access.deleted_album_for(self.viewer, album_id)
        album_flow.delete_for_good(album, patience=album_flow.A_WHILE)
        return Response(status=status.HTTP_204_NO_CONTENT)


class AlbumRestore(OwnerView):
    @extend_schema(request=None, responses=AlbumSerializer)
    def post(self, request: Request, album_id: UUID) -> Response:
        """Have a deleted album back, with its photos and links; guests search anew"""
        album = access.deleted_album_for(self.viewer, album_id)
        album_flow.restore(album)
        album.refresh_from_db()
        return Response(AlbumSerializer(album, context=self.told).data)
