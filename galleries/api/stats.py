"""/albums/{id}/stats/ and /links/{id}/stats/: numbers, and nobody's name."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from galleries import access
from galleries.access import Action
from galleries.flows import stats

from .authentication import OwnerView


class PhotoCountsSerializer(serializers.Serializer[Any]):
    uploaded = serializers.IntegerField()
    processing = serializers.IntegerField()
    ready = serializers.IntegerField()
    rejected = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    hidden = serializers.IntegerField(help_text="Of those that are ready.")
    indexing = serializers.IntegerField(help_text="Of those that are ready, the faces of which are being looked for.")


class SearchCountsSerializer(serializers.Serializer[Any]):
    """Of the last 30 days."""

    all = serializers.IntegerField()
    done = serializers.IntegerField()
    found = serializers.IntegerField(help_text="With a photo at least.")


class DownloadCountsSerializer(serializers.Serializer[Any]):
    opened = serializers.IntegerField(help_text="How often a link was looked at by somebody not yet let in.")
    zips = serializers.IntegerField()
    originals = serializers.IntegerField()


class LiveSerializer(serializers.Serializer[Any]):
    arrived = serializers.IntegerField(help_text="Photos of the last minutes.")
    searched_today = serializers.IntegerField()
    searching = serializers.IntegerField()
    coverage = serializers.ListField(
        child=serializers.IntegerField(),
        allow_null=True,
        help_text="How many guests with an open search have no photo, one, two, and more.",
    )


class DayStatsSerializer(serializers.Serializer[Any]):
    day = serializers.DateField()
    photos = serializers.IntegerField()
    guests = serializers.IntegerField()
    searches = serializers.IntegerField()


class AlbumStatsSerializer(serializers.Serializer[Any]):
    photos = PhotoCountsSerializer()
    faces = serializers.IntegerField()
    bytes = serializers.IntegerField(help_text="Of the originals.")
    guests = serializers.IntegerField(help_text="Who were let in, by any link.")
    searches = SearchCountsSerializer()
    downloads = DownloadCountsSerializer()
    live = LiveSerializer()
    days = DayStatsSerializer(many=True, help_text="Of the last 30, those on which something happened; latest first.")


class LinkStatsSerializer(serializers.Serializer[Any]):
    guest_count = serializers.IntegerField(help_text="Who were let in by it.")
    searched_count = serializers.IntegerField()
    found_count = serializers.IntegerField()


class AlbumStats(OwnerView):
    may_be_kept = True

    @extend_schema(responses=AlbumStatsSerializer)
    def get(self, request: Request, album_id: UUID) -> Response:
        """Numbers of an album: photos, faces, bytes, guests, searches, downloads, by day"""
        album = access.album_for(self.viewer, album_id, Action.INSPECT)
        return Response(AlbumStatsSerializer(stats.of_album(album)).data)


class LinkStats(OwnerView):
    may_be_kept = True

    @extend_schema(responses=LinkStatsSerializer)
    def get(self, request: Request, link_id: UUID) -> Response:
        """How many guests came by a link, searched and found photos"""
        return Response(LinkStatsSerializer(stats.of_link(access.link_for(self.viewer, link_id))).data)
