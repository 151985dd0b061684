"""/links/: the owner changes them by id, the guest opens them by token."""

import io
from typing import Any
from uuid import UUID

import segno
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from galleries import access
from galleries.access import Action
from galleries.errors import Refusal
from galleries.flows import selfie as selfie_flow
from galleries.flows import visit
from galleries.models import Link

from .authentication import OwnerView, ViewerView
from .conditions import tagged
from .pages import PhotoPages
from .schema import bytes_of, page_of, paged_by
from .serializers import (
    GuestPhotoSerializer,
    LinkSerializer,
    SelfieAnswerSerializer,
    SelfieUploadSerializer,
    SharedAlbumSerializer,
    UnlockAnswerSerializer,
    UnlockSerializer,
    address,
)


class LinkDetail(OwnerView):
    def hold(self, **ids: Any) -> None:
        Link.objects.select_for_update(no_key=True).filter(pk=ids["link_id"]).first()

    @extend_schema(responses=LinkSerializer)
    def get(self, request: Request, link_id: UUID) -> Response:
        """One link, with its address"""
        link = access.link_for(self.viewer, link_id)
        return Response(LinkSerializer(link, context={"request": request}).data)

    @extend_schema(request=LinkSerializer(partial=True), responses=LinkSerializer)
    def patch(self, request: Request, link_id: UUID) -> Response:
        """Change a link, or switch it off; a new password locks out who came by the old one"""
        link = access.link_for(self.viewer, link_id)
        fields = LinkSerializer(link, data=request.data, partial=True, context={"request": request})
        fields.is_valid(raise_exception=True)
        if "password" in fields.validated_data:
            access.require(self.viewer, Action.OWN, link.album)
        visit.change_link(link, **fields.validated_data)
        return Response(fields.data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, link_id: UUID) -> Response:
        """Delete a link, and erase the searches of those who came by it"""
        visit.delete_link(access.link_for(self.viewer, link_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class LinkQr(OwnerView):
    @extend_schema(operation_id="links_qr_retrieve", responses=bytes_of("image/svg+xml"))
    def get(self, request: Request, link_id: UUID) -> HttpResponse:
        """The QR code of a link, to be printed"""
        link = access.link_for(self.viewer, link_id)
        code = segno.make_qr(address({"request": request}, "guest-link", token=link.token), error="m")
        svg = io.BytesIO()
        code.save(svg, kind="svg", scale=8, border=4, light="#fff")
        answer: HttpResponse = tagged(request, HttpResponse(svg.getvalue(), content_type="image/svg+xml"))
        return answer


class SharedLink(ViewerView):
    @extend_schema(operation_id="links_open", responses=SharedAlbumSerializer)
    def get(self, request: Request, token: str) -> Response:
        """What a guest may know of an album before they are let in"""
        link = access.shared_link_for(self.viewer, token)
        return Response(SharedAlbumSerializer(link, context={"request": request}).data)


class SharedLinkUnlock(ViewerView):
    def door(self, token: str) -> Link:
        return access.shared_link_for(self.viewer, token)

    @extend_schema(request=UnlockSerializer, responses=UnlockAnswerSerializer)
    def post(self, request: Request, token: str) -> Response:
        """Come in by a link, with its password if it has one; a new guest is told their key"""
        fields = UnlockSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        _, key = visit.enter(self.door(token), self.viewer, fields.validated_data["password"])
        return Response({"guest_key": key} if key else {})


class SharedLinkPhotos(ViewerView):
    @extend_schema(
        operation_id="links_photos_list", parameters=paged_by(PhotoPages), responses=page_of(GuestPhotoSerializer)
    )
    def get(self, request: Request, token: str) -> Response:
        """List all photos of an album, where its link lets guests look through it"""
        link = access.shared_link_for(self.viewer, token)
        access.require_visit(self.viewer, link)
        if not link.can_browse:
            raise Refusal("browsing_off", "This link shows each guest their own photos only.", status=403)
        pages = PhotoPages()
        page = pages.paginate_queryset(link.album.photos.shown().by_moment(), request) or []
        context = {"request": request, "downloadable": {photo.pk for photo in page} if link.can_download else set()}
        return pages.get_paginated_response(GuestPhotoSerializer(page, many=True, context=context).data)


class SharedLinkSelfies(ViewerView):
    parser_classes = [MultiPartParser]

    def door(self, token: str) -> Link:
        link = access.shared_link_for(self.viewer, token)
        access.require_visit(self.viewer, link)
        return link

    @extend_schema(request={"multipart/form-data": SelfieUploadSerializer}, responses={202: SelfieAnswerSerializer})
    def post(self, request: Request, token: str) -> Response:
        """Search for the photos of whom a selfie shows, with their consent"""
        link = self.door(token)
        fields = SelfieUploadSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        sent = fields.validated_data
        wishes = {"consent": sent["consent"], "keep_me_posted": sent["keep_me_posted"]}
        wishes |= {"email": sent.get("email", "")}
        selfie, key = selfie_flow.receive(link, self.viewer, sent["selfie"].chunks(), **wishes)
        url = address({"request": request}, "api:selfie", selfie_id=selfie.pk)
        body: dict[str, Any] = {"id": selfie.pk, "url": url}
        return Response(body | ({"guest_key": key} if key else {}), status=status.HTTP_202_ACCEPTED)
