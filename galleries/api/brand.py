"""/albums/{id}/logo/: the photographer's logo. Name, colour and words are fields of the album."""

from functools import partial
from typing import Any
from uuid import UUID

from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from galleries import access, media
from galleries.access import Action
from galleries.flows import brand
from galleries.models import Album

from . import conditions
from .authentication import OwnerView
from .photos import AnyType
from .schema import bytes_of
from .serializers import AlbumSerializer, LogoSerializer


class AlbumLogo(OwnerView):
    parser_classes = [MultiPartParser]
    content_negotiation_class = AnyType
    compared_first = ("delete",)

    def hold(self, **ids: Any) -> None:
        Album.objects.locked().filter(pk=ids["album_id"]).first()

    @extend_schema(responses=bytes_of("image/png"))
    def get(self, request: Request, album_id: UUID) -> HttpResponseBase:
        """An album's logo"""
        return media.send_logo(request, access.album_for(self.viewer, album_id, Action.INSPECT))

    @extend_schema(request={"multipart/form-data": LogoSerializer}, responses=AlbumSerializer)
    def put(self, request: Request, album_id: UUID) -> Response:
        """Give an album a logo: PNG, JPEG or WebP of at most 5 MB"""
        album = access.album_for(self.viewer, album_id, Action.EDIT)
        fields = LogoSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        as_seen = partial(conditions.require_as_seen, self, request, album_id=album_id)
        brand.change(album, logo=fields.validated_data["logo"].chunks(), require=as_seen)
        return Response(AlbumSerializer(album, context=self.told).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, album_id: UUID) -> Response:
        """Take an album's logo away"""
        brand.change(access.album_for(self.viewer, album_id, Action.EDIT), remove_logo=True)
        return Response(status=status.HTTP_204_NO_CONTENT)
