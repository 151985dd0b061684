"""/albums/{id}/collaborators/: who works on an album beside its owner; the owner's to say."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from galleries import access
from galleries.access import Action
from galleries.flows import collaborator as collaborator_flow
from galleries.models import Album, Collaborator

from .authentication import OwnerView
from .pages import paged
from .schema import PAGED, page_of
from .serializers import CollaboratorSerializer, RoleSerializer


class AlbumCollaborators(OwnerView):
    @extend_schema(
        operation_id="albums_collaborators_list", parameters=PAGED, responses=page_of(CollaboratorSerializer)
    )
    def get(self, request: Request, album_id: UUID) -> Response:
        """List who works on an album beside its owner"""
        album = access.album_for(self.viewer, album_id, Action.OWN)
        return paged(request, album.collaborators.select_related("user"), CollaboratorSerializer)

    def door(self, album_id: UUID) -> Album:
        return access.album_for(self.viewer, album_id, Action.OWN)

    @extend_schema(request=CollaboratorSerializer, responses={201: CollaboratorSerializer})
    def post(self, request: Request, album_id: UUID) -> Response:
        """Let somebody with an account work on an album, or change their role"""
        album = self.door(album_id)
        fields = CollaboratorSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        sent = fields.validated_data
        collaborator = collaborator_flow.add(album, sent["user"]["email"], sent["role"])
        return Response(CollaboratorSerializer(collaborator).data, status=status.HTTP_201_CREATED)


class AlbumLeave(OwnerView):
    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, album_id: UUID) -> Response:
        """Leave an album that you work on; its owner stays"""
        album = access.album_for(self.viewer, album_id, Action.INSPECT)
        access.require_scope(self.viewer, access.SCOPE_FOR[Action.OWN])
        collaborator_flow.leave(album, access.require_user(self.viewer))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CollaboratorDetail(OwnerView):
    @extend_schema(responses=CollaboratorSerializer)
    def get(self, request: Request, album_id: UUID, collaborator_id: UUID) -> Response:
        """One who works on an album"""
        return Response(CollaboratorSerializer(self._collaborator(album_id, collaborator_id)).data)

    def hold(self, **ids: Any) -> None:
        Collaborator.objects.select_for_update(no_key=True).filter(pk=ids["collaborator_id"]).first()

    @extend_schema(request=RoleSerializer, responses=CollaboratorSerializer)
    def patch(self, request: Request, album_id: UUID, collaborator_id: UUID) -> Response:
        """Change a collaborator's role"""
        collaborator = self._collaborator(album_id, collaborator_id)
        fields = RoleSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        collaborator_flow.change_role(collaborator, fields.validated_data["role"])
        return Response(CollaboratorSerializer(collaborator).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, album_id: UUID, collaborator_id: UUID) -> Response:
        """Close an album to a collaborator"""
        collaborator_flow.remove(self._collaborator(album_id, collaborator_id))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _collaborator(self, album_id: UUID, collaborator_id: UUID) -> Collaborator:
        return access.collaborator_for(self.viewer, access.album_for(self.viewer, album_id), collaborator_id)
