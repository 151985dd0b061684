"""/photos/: one photo, its bytes, and the bytes of a zip."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from galleries import access, media
from galleries.access import Action
from galleries.flows import archive as archive_flow
from galleries.flows import photo as photo_flow
from galleries.flows import visit
from galleries.models import Album, Photo

from .authentication import OwnerView, ViewerView
from .schema import bytes_of
from .serializers import PhotoSerializer


class PhotoDetail(OwnerView):
    may_be_kept = True

    def hold(self, **ids: Any) -> None:
        """The album first, as everywhere."""
        list(Album.objects.locked().filter(photos=ids["photo_id"]).values_list("pk"))
        list(Photo.objects.select_for_update(no_key=True).filter(pk=ids["photo_id"]).values_list("pk"))

    @extend_schema(responses=PhotoSerializer)
    def get(self, request: Request, photo_id: UUID) -> Response:
        """One photo of an album that you work on"""
        photo = access.photo_for(self.viewer, photo_id, Action.INSPECT)
        return Response(PhotoSerializer(photo, context={"request": request}).data)

    @extend_schema(request=PhotoSerializer(partial=True), responses=PhotoSerializer)
    def patch(self, request: Request, photo_id: UUID) -> Response:
        """Hide a photo from guests, or show it again"""
        photo = access.photo_for(self.viewer, photo_id, Action.EDIT)
        fields = PhotoSerializer(photo, data=request.data, partial=True, context={"request": request})
        fields.is_valid(raise_exception=True)
        photo_flow.hide(photo, hidden=fields.validated_data.get("hidden", photo.hidden))
        return Response(fields.data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, photo_id: UUID) -> Response:
        """Delete a photo with its file and its faces; this cannot be undone"""
        photo_flow.delete([access.photo_for(self.viewer, photo_id, Action.EDIT)])
        return Response(status=status.HTTP_204_NO_CONTENT)


class AnyType(BaseContentNegotiation):
    """Bytes have the type they have, whatever the client says it accepts; only errors are rendered."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class BytesView(ViewerView):
    """A route that browsers are sent to: whoever reads there what went wrong is a person, not a program."""

    content_negotiation_class = AnyType

    def handle_exception(self, exc: Exception) -> Any:
        problem = super().handle_exception(exc)
        if self.request.get_preferred_type(["application/json", "text/html"]) != "text/html":
            return problem
        page = render(self.request._request, "refusal.html", {"refusal": problem.data}, status=problem.status_code)
        patch_vary_headers(page, ("Accept",))
        for name in ("Retry-After", "WWW-Authenticate"):
            if name in problem:
                page[name] = problem[name]
        return page


class PhotoThumb(BytesView):
    @extend_schema(responses=bytes_of("image/jpeg"))
    def get(self, request: Request, photo_id: UUID) -> HttpResponseBase:
        """A photo's small picture"""
        return media.send_thumb(request, _ready(access.photo_for(self.viewer, photo_id)))


class PhotoPreview(BytesView):
    @extend_schema(responses=bytes_of("image/jpeg"))
    def get(self, request: Request, photo_id: UUID) -> HttpResponseBase:
        """A photo's large picture"""
        return media.send_preview(request, _ready(access.photo_for(self.viewer, photo_id)))


class PhotoOriginal(BytesView):
    @extend_schema(responses=bytes_of("image/jpeg", "image/png", "image/webp", "image/heic"))
    def get(self, request: Request, photo_id: UUID) -> HttpResponseBase:
        """A photo's file as it was sent; for a guest the same picture without the file's metadata"""
        photo = access.photo_for(self.viewer, photo_id, Action.DOWNLOAD)
        if not photo.original_key:
            raise Http404
        send = media.send_original if access.may_have_metadata(self.viewer, photo) else media.send_stripped
        answer = send(request, photo)
        if request.method == "GET" and answer.status_code == status.HTTP_200_OK:
            visit.note_original(self.viewer, photo)
        return answer


def _ready(photo: Photo) -> Photo:
    if photo.state != Photo.State.READY:
        raise Http404
    return photo


class ArchiveBytes(BytesView):
    @extend_schema(responses=bytes_of("application/zip"))
    def get(self, request: Request, archive_id: UUID) -> HttpResponseBase:
        """The bytes of a zip, whole or a range of them"""
        archive = access.archive_for(self.viewer, archive_id)
        archive_flow.require_fresh(self.viewer, archive)
        layout = archive_flow.layout_of(archive)
        return media.send_archive(request, layout, f"{archive.album.title}.zip")
