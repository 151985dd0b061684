"""What lists may be asked for: query parameters -> typed -> fewer rows. What is not understood is 400, not left out."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.db.models.functions import Coalesce, TruncDate
from rest_framework import serializers
from rest_framework.request import Request

from galleries.access import OWNER, Viewer, people_in
from galleries.models import Album, Collaborator, Photo


class Filters(serializers.Serializer[Any]):
    """`lookups`: what a parameter stands for, where that is not its own name."""

    lookups: ClassVar[dict[str, str]] = {}

    @classmethod
    def asked(cls, request: Request) -> dict[str, Any]:
        """Values by lookup, of what was asked. Raises ValidationError."""
        fields = cls(data={name: value for name, value in request.query_params.items() if value})
        fields.is_valid(raise_exception=True)
        said = fields.validated_data.items()
        return {cls.lookups.get(name, name): value for name, value in said if value is not None}

    @classmethod
    def narrow(cls, rows: Any, request: Request) -> Any:
        return rows.filter(**cls.asked(request))


class YesOrNo(serializers.BooleanField):
    """Left out, it is neither; DRF's own is a no where a form could not send one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, default=None, **kwargs)


class AlbumFilters(Filters):
    title = serializers.CharField(required=False, max_length=120, help_text="Titles that hold this.")
    face_search = YesOrNo()
    role = serializers.ChoiceField([OWNER, *Collaborator.Role.values], required=False, help_text="What you are there.")
    event_date_from = serializers.DateField(required=False, help_text="Of an album without a date: when it was made.")
    event_date_to = serializers.DateField(required=False)

    lookups = {"title": "title__icontains", "event_date_from": "day__gte", "event_date_to": "day__lte"}


class PhotoFilters(Filters):
    state = serializers.ChoiceField(Photo.State.choices, required=False)
    hidden = YesOrNo()
    name = serializers.CharField(required=False, max_length=255, help_text="Names that hold this.")
    folder = serializers.CharField(required=False, max_length=650)
    taken_from = serializers.DateTimeField(
        required=False, help_text="By the camera's clock, or where it says nothing, when the photo was received."
    )
    taken_to = serializers.DateTimeField(required=False)
    person = serializers.UUIDField(required=False, help_text="Photos in which this person of the album is seen.")

    lookups = {"name": "name__icontains", "taken_from": "moment__gte", "taken_to": "moment__lte"}


class PeopleFilters(Filters):
    hidden = YesOrNo(help_text="Those who are hidden from the list, and no others.")


class SearchFilters(Filters):
    outcome = serializers.CharField(required=False, max_length=40)
    link = serializers.UUIDField(required=False)
    created_from = serializers.DateTimeField(required=False)
    created_to = serializers.DateTimeField(required=False)

    lookups = {"created_from": "created_at__gte", "created_to": "created_at__lte"}


class AlertFilters(Filters):
    settled = YesOrNo()


def albums(rows: QuerySet[Album], viewer: Viewer, request: Request) -> QuerySet[Album]:
    asked = AlbumFilters.asked(request)
    role = asked.pop("role", None)
    if role == OWNER:
        rows = rows.filter(owner=viewer.user)
    elif role:
        rows = rows.filter(pk__in=Collaborator.objects.filter(user=viewer.user, role=role).values("album"))
    return rows.annotate(day=Coalesce("event_date", TruncDate("created_at"))).filter(**asked)


def photos(album: Album, viewer: Viewer, request: Request) -> QuerySet[Photo]:
    asked = PhotoFilters.asked(request)
    rows = album.photos.by_moment()
    if "person" in request.query_params:
        if "person" not in asked:
            # Left out, it would answer with everybody's photos.
            raise serializers.ValidationError({"person": "The id of a person of this album."})
        rows = rows.filter(people_in(viewer, album, [asked.pop("person")])[0].photos)
    return rows.filter(**asked)


def alerts(rows: Any, request: Request) -> Any:
    settled = AlertFilters.asked(request).get("settled")
    return rows if settled is None else rows.filter(settled_at__isnull=not settled)
