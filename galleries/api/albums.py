"""/albums/: the photographer's albums, their uploads, progress, links and zips."""

from itertools import zip_longest
from typing import Any
from uuid import UUID

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from galleries import access
from galleries.access import Action
from galleries.flows import album as album_flow
from galleries.flows import archive as archive_flow
from galleries.flows import check, visit
from galleries.flows import photo as photo_flow
from galleries.models import Album, Photo

from . import filters
from .authentication import OwnerView
from .pages import AlbumPages, PhotoPages, paged
from .schema import PAGED, page_of, paged_by
from .serializers import (
    AlbumSerializer,
    ArchiveRequestSerializer,
    ArchiveSerializer,
    LinkSerializer,
    PhotoCheckAnswerSerializer,
    PhotoCheckSerializer,
    PhotoSerializer,
    ProgressSerializer,
    ReceptionSerializer,
    RetrySerializer,
)

FILES_AT_ONCE = 100
# What an editor does not change.
OWNERS_FACTS = {"face_search", "legal_basis", "persons_a_guest", "live_camera_only", "kept_until"}
_MANY_FILES = {"type": "array", "items": {"type": "string", "format": "binary"}, "maxItems": FILES_AT_ONCE}
_UPLOAD = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": _MANY_FILES,
        "path": {"type": "array", "items": {"type": "string"}},
        "replaces": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The n-th is the id of the photo that the n-th file takes the place of, or empty. That "
            "photo goes once the new one is ready. A file whose bytes the album has already replaces nothing.",
        },
    },
}


class AlbumList(OwnerView):
    may_be_kept = in_one_transaction = True

    @extend_schema(
        operation_id="albums_list",
        parameters=[*paged_by(AlbumPages), filters.AlbumFilters],
        responses=page_of(AlbumSerializer),
    )
    def get(self, request: Request) -> Response:
        """List your albums, and those you work on"""
        found = filters.albums(access.albums_of(self.viewer), self.viewer, request)
        return paged(request, found, AlbumSerializer, self.told, AlbumPages)

    @extend_schema(request=AlbumSerializer, responses={201: AlbumSerializer})
    def post(self, request: Request) -> Response:
        """Make an album; face search wants a legal basis that you attest"""
        fields = AlbumSerializer(data=request.data, context=self.told)
        fields.is_valid(raise_exception=True)
        facts = dict(fields.validated_data)
        album = album_flow.make(self.viewer, **facts.pop("legal_basis", {}), **facts)
        return Response(AlbumSerializer(album, context=self.told).data, status=status.HTTP_201_CREATED)


class AlbumDetail(OwnerView):
    may_be_kept = True

    def hold(self, **ids: Any) -> None:
        Album.objects.locked().filter(pk=ids["album_id"]).first()

    @extend_schema(responses=AlbumSerializer)
    def get(self, request: Request, album_id: UUID) -> Response:
        """One album"""
        album = access.album_for(self.viewer, album_id, Action.INSPECT)
        return Response(AlbumSerializer(album, context=self.told).data)

    @extend_schema(request=AlbumSerializer(partial=True), responses=AlbumSerializer)
    def patch(self, request: Request, album_id: UUID) -> Response:
        """Change an album; face search off deletes all of its face data"""
        album = access.album_for(self.viewer, album_id, Action.EDIT)
        fields = AlbumSerializer(album, data=request.data, partial=True, context=self.told)
        fields.is_valid(raise_exception=True)
        _change(album, self.viewer, dict(fields.validated_data))
        return Response(AlbumSerializer(album, context=self.told).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, album_id: UUID) -> Response:
        """Delete an album; it can be had back for 7 days"""
        album_flow.delete(access.album_for(self.viewer, album_id, Action.OWN))
        return Response(status=status.HTTP_204_NO_CONTENT)


@transaction.atomic
def _change(album: Album, viewer: access.Viewer, facts: dict[str, Any]) -> None:
    if facts.keys() & OWNERS_FACTS:
        access.require(viewer, Action.OWN, album)
    if "cover_id" in facts:
        _choose_cover(album, viewer, facts.pop("cover_id"))
    switches = "face_search" in facts
    on, basis = facts.pop("face_search", album.face_search), facts.pop("legal_basis", {})
    album_flow.describe(album, **facts)
    if switches:
        album_flow.switch_face_search(album, on, by=viewer.user, **basis)


def _choose_cover(album: Album, viewer: access.Viewer, photo_id: UUID | None) -> None:
    if photo_id is None:
        album_flow.describe(album, cover=None)
        return
    ready = access.visible_to(viewer, Photo).filter(album=album, pk=photo_id, state=Photo.State.READY).first()
    if ready is None:
        raise ValidationError({"cover": "The id of a photo of this album that is ready, or null."})
    album_flow.choose_cover(album, ready)


class PhotoCheck(OwnerView):
    def door(self, album_id: UUID) -> Album:
        return access.album_for(self.viewer, album_id, Action.UPLOAD)

    @extend_schema(request=PhotoCheckSerializer, responses=PhotoCheckAnswerSerializer)
    def post(self, request: Request, album_id: UUID) -> Response:
        """Ask which files an album lacks, before they are sent"""
        album = self.door(album_id)
        fields = PhotoCheckSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        files = fields.validated_data["files"]
        missing, duplicate = check.missing_of(album, [file["sha256"] for file in files])
        here = set(duplicate)
        paths = {file["path"] or file["name"]: file["sha256"] for file in files if file["sha256"] not in here}
        taken = check.namesakes(album, paths)
        sizes = {file["sha256"]: file["size"] for file in files if file["sha256"] not in here}
        over_quota = [
            {"sha256": sha256, "code": exceeded.code, "detail": exceeded.reason}
            for sha256, exceeded in check.without_room(album, sizes).items()
        ]
        same_name = [{"path": path, "sha256": paths[path], "id": photo} for path, photo in taken.items()]
        return Response({"missing": missing, "duplicate": duplicate, "same_name": same_name, "over_quota": over_quota})


class AlbumPhotos(OwnerView):
    may_be_kept = True
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="albums_photos_list",
        parameters=[*paged_by(PhotoPages), filters.PhotoFilters],
        responses=page_of(PhotoSerializer),
    )
    def get(self, request: Request, album_id: UUID) -> Response:
        """List the photos of an album, in any state"""
        album = access.album_for(self.viewer, album_id, Action.INSPECT)
        photos = filters.photos(album, self.viewer, request)
        return paged(request, photos, PhotoSerializer, {"request": request}, PhotoPages)

    def door(self, album_id: UUID) -> Album:
        return access.album_for(self.viewer, album_id, Action.UPLOAD)

    @extend_schema(request={"multipart/form-data": _UPLOAD}, responses={201: ReceptionSerializer})
    def post(self, request: Request, album_id: UUID) -> Response:
        """Send photos, up to 100 in one request"""
        album = self.door(album_id)
        files = request.FILES.getlist("file")
        if not files or len(files) > FILES_AT_ONCE:
            raise ValidationError({"file": f"Send 1 to {FILES_AT_ONCE} files in fields named file."})
        folders = [_folder_of(path) for path in request.POST.getlist("path")]
        replaced = [_id_or_none(text) for text in request.POST.getlist("replaces")]
        receptions = [
            photo_flow.receive(album, file.name or "", folder or "", file.chunks(), replaces=photo)
            for file, folder, photo in zip_longest(files, folders[: len(files)], replaced[: len(files)])
        ]
        return Response(ReceptionSerializer(receptions).data, status=status.HTTP_201_CREATED)


def _folder_of(path: str) -> str:
    """The folder part of a file's path below the folder that was chosen."""
    return path.replace("\\", "/").rpartition("/")[0]


def _id_or_none(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise ValidationError({"replaces": "The id of a photo, or nothing."}) from error


class AlbumProgress(OwnerView):
    may_be_kept = True

    @extend_schema(responses=ProgressSerializer)
    def get(self, request: Request, album_id: UUID) -> Response:
        """How far an album's photos are, in numbers that add up"""
        return Response(photo_flow.progress(access.album_for(self.viewer, album_id, Action.INSPECT)))


class AlbumRetry(OwnerView):
    def door(self, album_id: UUID) -> Album:
        return access.album_for(self.viewer, album_id, Action.EDIT)

    @extend_schema(request=None, responses=RetrySerializer)
    def post(self, request: Request, album_id: UUID) -> Response:
        """Try quarantined photos once more"""
        return Response({"retried": photo_flow.retry(self.door(album_id).photos.all())})


class AlbumLinks(OwnerView):
    in_one_transaction = True

    @extend_schema(operation_id="albums_links_list", parameters=PAGED, responses=page_of(LinkSerializer))
    def get(self, request: Request, album_id: UUID) -> Response:
        """List the links of an album"""
        links = access.album_for(self.viewer, album_id, Action.SHARE).links.all()
        return paged(request, links, LinkSerializer, {"request": request})

    def door(self, album_id: UUID) -> Album:
        return access.album_for(self.viewer, album_id, Action.SHARE)

    @extend_schema(request=LinkSerializer, responses={201: LinkSerializer})
    def post(self, request: Request, album_id: UUID) -> Response:
        """Make a link that guests open"""
        album = self.door(album_id)
        fields = LinkSerializer(data=request.data, context={"request": request})
        fields.is_valid(raise_exception=True)
        link = visit.make_link(album, **fields.validated_data)
        return Response(LinkSerializer(link, context={"request": request}).data, status=status.HTTP_201_CREATED)


class AlbumArchives(OwnerView):
    def door(self, album_id: UUID) -> Album:
        return access.album_for(self.viewer, album_id, Action.INSPECT)

    @extend_schema(request=ArchiveRequestSerializer, responses={201: ArchiveSerializer})
    def post(self, request: Request, album_id: UUID) -> Response:
        """Make a zip of an album's photos, as they were sent"""
        album = self.door(album_id)
        fields = ArchiveRequestSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        wanted = fields.validated_data
        archive = archive_flow.of_album(self.viewer, album, wanted.get("photos"), wanted["size"])
        return Response(ArchiveSerializer(archive, context={"request": request}).data, status=status.HTTP_201_CREATED)
