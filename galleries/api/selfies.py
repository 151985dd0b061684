"""/selfies/: a guest's search, what they say of its photos, and their zip."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from galleries import access
from galleries.access import Action
from galleries.flows import archive as archive_flow
from galleries.flows import selfie as selfie_flow
from galleries.models import Selfie

from .authentication import ViewerView
from .serializers import (
    ArchiveRequestSerializer,
    ArchiveSerializer,
    FeedbackAnswerSerializer,
    FeedbackSerializer,
    SelfieSerializer,
    address,
)

PHOTOS_A_PAGE = 500


class SelfieDetail(ViewerView):
    @extend_schema(responses=SelfieSerializer)
    def get(self, request: Request, selfie_id: UUID) -> Response:
        """How a search stands, and a page of its photos"""
        selfie = access.selfie_for(self.viewer, selfie_id)
        return Response(SelfieSerializer(selfie, context=self._page(request, selfie)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, selfie_id: UUID) -> Response:
        """Withdraw the consent: the search, and all that is known of the face, are erased"""
        selfie_flow.withdraw(access.selfie_for(self.viewer, selfie_id, Action.OWN))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _page(self, request: Request, selfie: Selfie) -> dict[str, object]:
        number = request.query_params.get("page", "1")
        start = (int(number) - 1 if number.isdecimal() and 0 < int(number) < 10**6 else 0) * PHOTOS_A_PAGE
        matches = list(selfie_flow.result(selfie)[start : start + PHOTOS_A_PAGE + 1])
        page = matches[:PHOTOS_A_PAGE]
        photo_ids = [match.photo_id for match in page]
        downloadable = access.downloadable_by(self.viewer).filter(pk__in=photo_ids).values_list("pk", flat=True)
        following = address({"request": request}, "api:selfie", selfie_id=selfie.pk)
        further = f"{following}?page={start // PHOTOS_A_PAGE + 2}" if len(matches) > PHOTOS_A_PAGE else None
        return {"request": request, "page": page, "next": further, "downloadable": set(downloadable)}


class SelfieFeedback(ViewerView):
    def door(self, selfie_id: UUID) -> Selfie:
        return access.selfie_for(self.viewer, selfie_id)

    @extend_schema(request=FeedbackSerializer, responses=FeedbackAnswerSerializer)
    def post(self, request: Request, selfie_id: UUID) -> Response:
        """Say of a photo of the result whether it is you"""
        selfie = self.door(selfie_id)
        fields = FeedbackSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        match = selfie_flow.judge(selfie, fields.validated_data["photo"], fields.validated_data["verdict"])
        return Response({"photo": match.photo_id, "verdict": match.verdict, "tier": match.shown_tier})


class SelfieArchives(ViewerView):
    def door(self, selfie_id: UUID) -> Selfie:
        return access.selfie_for(self.viewer, selfie_id)

    @extend_schema(request=ArchiveRequestSerializer, responses={201: ArchiveSerializer})
    def post(self, request: Request, selfie_id: UUID) -> Response:
        """Make a zip of a search's photos: the named ones, or all that are certain"""
        selfie = self.door(selfie_id)
        fields = ArchiveRequestSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        wanted = fields.validated_data
        archive = archive_flow.of_selfie(self.viewer, selfie, wanted.get("photos"), wanted["size"])
        return Response(ArchiveSerializer(archive, context={"request": request}).data, status=status.HTTP_201_CREATED)
