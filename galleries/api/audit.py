"""/albums/{id}/searches/ and /alerts/: what the owner may know of the searches of an album."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from galleries import access
from galleries.flows import watch
from galleries.models import Alert, SearchRecord

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
    @extend_schema(operation_id="albums_searches_list", parameters=PAGED, responses=page_of(SearchRecordSerializer))
    def get(self, request: Request, album_id: UUID) -> Response:
        return paged(request, access.album_for(self.viewer, album_id).search_records.all(), SearchRecordSerializer)


class AlbumAlerts(OwnerView):
    @extend_schema(operation_id="albums_alerts_list", parameters=PAGED, responses=page_of(AlertSerializer))
    def get(self, request: Request, album_id: UUID) -> Response:
        return paged(request, access.album_for(self.viewer, album_id).alerts.all(), AlertSerializer)


class AlertSettled(OwnerView):
    """The owner knows who it is: nobody is slowed down for it any more."""

    @extend_schema(request=None, responses=AlertSerializer)
    def post(self, request: Request, album_id: UUID, alert_id: UUID) -> Response:
        alert = access.alert_for(self.viewer, access.album_for(self.viewer, album_id), alert_id)
        watch.settle(alert)
        alert.refresh_from_db()
        return Response(AlertSerializer(alert).data)
