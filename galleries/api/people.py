"""/albums/{id}/people/ and /people/: who is in an album, for its photographer. Guests see none of it."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from galleries import access, media
from galleries.access import Action
from galleries.flows import people as people_flow
from galleries.models import Person

from . import filters
from .authentication import OwnerView
from .pages import CursorPages, both_ways, paged
from .photos import BytesView
from .schema import bytes_of, page_of, paged_by
from .serializers import address

_AT_ONCE = 1000


class PersonSerializer(serializers.ModelSerializer[Person]):
    photo_count = serializers.SerializerMethodField()
    face_url = serializers.SerializerMethodField(help_text="A square picture of the face.")
    photos_url = serializers.SerializerMethodField()

    class Meta:
        model = Person
        fields = ["id", "name", "hidden", "photo_count", "face_url", "photos_url"]

    def get_photo_count(self, person: Person) -> int:
        counted: int | None = getattr(person, "photo_count", None)
        return person.sightings.there().count() if counted is None else counted

    def get_face_url(self, person: Person) -> str:
        return address(self.context, "api:person-face", person_id=person.pk)

    def get_photos_url(self, person: Person) -> str:
        return f"{address(self.context, 'api:album-photos', album_id=person.album_id)}?person={person.pk}"


class PeopleStateSerializer(serializers.Serializer[Any]):
    on = serializers.BooleanField(help_text="Only the owner switches it; off deletes all groups and names.")
    state = serializers.ChoiceField(["off", "working", "ready"], read_only=True)
    scanned = serializers.IntegerField(read_only=True, help_text="Photos whose faces are measured.")
    total = serializers.IntegerField(read_only=True)


class MergeSerializer(serializers.Serializer[Any]):
    people = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=_AT_ONCE)


class NotInPhotosSerializer(serializers.Serializer[Any]):
    photos = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=_AT_ONCE)


class RemovedSerializer(serializers.Serializer[Any]):
    removed = serializers.IntegerField()


class PeoplePages(CursorPages):
    orderings = both_ways({"photo_count": "photo_count"}, "-photo_count")


class AlbumPeople(OwnerView):
    """Without those who have no name and are in one photo only."""

    @extend_schema(
        operation_id="albums_people_list",
        parameters=[*paged_by(PeoplePages), filters.PeopleFilters],
        responses=page_of(PersonSerializer),
    )
    def get(self, request: Request, album_id: UUID) -> Response:
        """List the people of an album, those of most photos first"""
        album = access.album_for(self.viewer, album_id, Action.INSPECT)
        hidden = filters.PeopleFilters.asked(request).get("hidden", False)
        return paged(request, people_flow.listed(album, hidden=hidden), PersonSerializer, self.told, PeoplePages)


class AlbumPeopleState(OwnerView):
    @extend_schema(responses=PeopleStateSerializer)
    def get(self, request: Request, album_id: UUID) -> Response:
        """Whether an album's faces are grouped into people, and how far that is"""
        return self._told(access.album_for(self.viewer, album_id, Action.INSPECT))

    def hold(self, **ids: Any) -> None:
        people_flow.hold(ids["album_id"])

    @extend_schema(request=PeopleStateSerializer, responses=PeopleStateSerializer)
    def put(self, request: Request, album_id: UUID) -> Response:
        """Group an album's faces into people, or stop and delete groups and names"""
        album = access.album_for(self.viewer, album_id, Action.OWN)
        fields = PeopleStateSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        people_flow.switch(album, fields.validated_data["on"], by=self.viewer.user)
        return self._told(album)

    def _told(self, album: Any) -> Response:
        progress = people_flow.progress(album)
        said = {"on": progress.state != "off", "state": progress.state}
        return Response(said | {"scanned": progress.scanned, "total": progress.total})


class PersonDetail(OwnerView):
    @extend_schema(responses=PersonSerializer)
    def get(self, request: Request, person_id: UUID) -> Response:
        """One person of an album"""
        person = access.person_for(self.viewer, person_id, Action.INSPECT)
        return Response(PersonSerializer(person, context=self.told).data)

    def hold(self, **ids: Any) -> None:
        people_flow.hold(access.person_for(self.viewer, ids["person_id"], Action.EDIT).album_id)

    @extend_schema(request=PersonSerializer(partial=True), responses=PersonSerializer)
    def patch(self, request: Request, person_id: UUID) -> Response:
        """Give a person a name, or hide them from the list"""
        person = access.person_for(self.viewer, person_id, Action.EDIT)
        fields = PersonSerializer(person, data=request.data, partial=True, context=self.told)
        fields.is_valid(raise_exception=True)
        people_flow.describe(person, **fields.validated_data)
        return Response(PersonSerializer(person, context=self.told).data)


class SaidOfPerson(OwnerView):
    in_one_transaction = True

    def door(self, person_id: UUID) -> Person:
        return access.person_for(self.viewer, person_id, Action.EDIT)


class PersonMerge(SaidOfPerson):
    @extend_schema(request=MergeSerializer, responses=PersonSerializer)
    def post(self, request: Request, person_id: UUID) -> Response:
        """Say that others are the same person, who takes the first name that there is"""
        person = self.door(person_id)
        fields = MergeSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        others = access.people_in(self.viewer, person.album, fields.validated_data["people"])
        people_flow.merge(person, others)
        return Response(PersonSerializer(person, context=self.told).data)


class PersonRemove(SaidOfPerson):
    @extend_schema(request=NotInPhotosSerializer, responses=RemovedSerializer)
    def post(self, request: Request, person_id: UUID) -> Response:
        """Say that a person is not the one in these photos; it is kept from then on"""
        person = self.door(person_id)
        fields = NotInPhotosSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        return Response({"removed": people_flow.remove(person, fields.validated_data["photos"])})


class PersonFace(BytesView):
    owners_only = True

    @extend_schema(responses=bytes_of("image/jpeg"))
    def get(self, request: Request, person_id: UUID) -> HttpResponseBase:
        """A small square picture of a person's face"""
        person = access.person_for(self.viewer, person_id, Action.INSPECT)
        face = people_flow.best_face(person)
        if face is None:
            raise Http404
        return media.send_face(request, face)
