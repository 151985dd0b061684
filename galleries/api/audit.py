"""/albums/{id}/searches/ and /alerts/: what the owner may know of the searches of an album."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from galleries import access
from galleries.flows import watch
from galleries.models import Alert, SearchRecord

from . import filters
from .authentication import OwnerView
from .pages import paged
from .schema import PAGED, page_of


class SearchRecordSerializer(serializers.ModelSerializer[SearchRecord]):
    """`outcome` is `waiting`, `done`, or the code of the failure. Guests and networks have opaque labels."""

    class Meta:
        model = SearchRecord
        fields = [
            "id", "created_at", "link", "guest_label", "network_label", "outcome", "photos", "is_repeat", "began_anew",
        ]  # fmt: skip
        read_only_fields = fields


class AlertSerializer(serializers.ModelSerializer[Alert]):
    is_slowing = serializers.BooleanField(read_only=True)

    class Meta:
        model = Alert
        fields = [
            "id", "sign", "created_at", "seen_at", "link", "guest_label", "network_label", "is_slowing", "settled_at",
        ]  # fmt: skip
        read_only_fields = fields


class AlbumSearches(OwnerView):
    @extend_schema(
        operation_id="albums_searches_list",
        parameters=[*PAGED, filters.SearchFilters],
        responses=page_of(SearchRecordSerializer),
    )
    def get(self, request: Request, album_id: UUID) -> Response:
        """List the searches of an album of the last 30 days, without anybody's name"""
        searches = access.album_for(self.viewer, album_id).search_records.all()
        return paged(request, filters.SearchFilters.narrow(searches, request), SearchRecordSerializer)


class AlbumAlerts(OwnerView):
    @extend_schema(
        operation_id="albums_alerts_list",
        parameters=[*PAGED, filters.AlertFilters],
        responses=page_of(AlertSerializer),
    )
    def get(self, request: Request, album_id: UUID) -> Response:
        """List strange patterns of searches in an album"""
        found = filters.alerts(access.album_for(self.viewer, album_id).alerts.all(), request)
        return paged(request, found, AlertSerializer)


class AlertSettled(OwnerView):
    def door(self, album_id: UUID, alert_id: UUID) -> Alert:
        return access.alert_for(self.viewer, access.album_for(self.viewer, album_id), alert_id)

    @extend_schema(request=None, responses=AlertSerializer)
    def post(self, request: Request, album_id: UUID, alert_id: UUID) -> Response:
        """Say that you know who it is: nobody is slowed down for it any more"""
        alert = self.door(album_id, alert_id)
        watch.settle(alert)
        alert.refresh_from_db()
        return Response(AlertSerializer(alert).data)
