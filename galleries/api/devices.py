"""A guest's searches and devices: the list, the address that opens a search elsewhere, mail about later photos."""

from typing import Any
from uuid import UUID

from django.db.models import Count
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from galleries import access
from galleries.access import Action
from galleries.flows import device as device_flow
from galleries.flows import notice as notice_flow
from galleries.models import ReturnLink, Selfie
from galleries.models.mail import LONGEST_ADDRESS
from galleries.models.photo import is_shown
from galleries.models.selfie import certain

from .authentication import ViewerView
from .pages import paged
from .schema import PAGED, page_of
from .serializers import address


class SearchSerializer(serializers.ModelSerializer[Selfie]):
    """A search in the guest's own list. `photo_count`: those that are certain."""

    url = serializers.SerializerMethodField()
    album_title = serializers.CharField(source="album.title", read_only=True)
    state = serializers.ChoiceField(Selfie.State.choices, source="state_now", read_only=True)
    photo_count = serializers.IntegerField(read_only=True)

    class Meta:
        model = Selfie
        fields = ["id", "url", "album_title", "state", "photo_count", "keep_me_posted", "created_at", "expires_at"]
        read_only_fields = fields

    def get_url(self, selfie: Selfie) -> str:
        return address(self.context, "api:selfie", selfie_id=selfie.pk)


class DevicesSerializer(serializers.Serializer[Any]):
    devices = serializers.IntegerField()
    return_url_until = serializers.DateTimeField(
        allow_null=True, help_text="Until when the return address works that was made last; null: there is none."
    )


class ReturnUrlSerializer(serializers.Serializer[Any]):
    url = serializers.URLField(help_text="For a browser; shown this once.")
    token = serializers.CharField(help_text="For POST /return/.")
    expires_at = serializers.DateTimeField()


class ReturnSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=200)


class ReturnedSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    url = serializers.URLField()
    guest_key = serializers.CharField(required=False)


class EmailSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=LONGEST_ADDRESS)


class SelfieList(ViewerView):
    @extend_schema(operation_id="selfies_list", parameters=PAGED, responses=page_of(SearchSerializer))
    def get(self, request: Request) -> Response:
        """List your searches as a guest, and those kept with your account, the newest first"""
        shown = is_shown("matches__photo__")
        found = access.selfies_of(self.viewer).select_related("album")
        counted = found.annotate(photo_count=Count("matches", filter=shown & certain("matches__")))
        return paged(request, counted, SearchSerializer, {"request": request})


class SelfieDevices(ViewerView):
    @extend_schema(responses=DevicesSerializer)
    def get(self, request: Request, selfie_id: UUID) -> Response:
        """On how many devices a search is open"""
        selfie = access.selfie_for(self.viewer, selfie_id)
        lent = ReturnLink.objects.filter(selfie=selfie, mailed=False).first()
        return Response({"devices": selfie.guest.keys.count(), "return_url_until": lent.expires_at if lent else None})

    @extend_schema(responses={204: None})
    def delete(self, request: Request, selfie_id: UUID) -> Response:
        """Shut every other device out, and end all return addresses"""
        device_flow.forget_others(access.selfie_for(self.viewer, selfie_id, Action.OWN), _key_at_hand(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class SelfieReturn(ViewerView):
    def door(self, selfie_id: UUID) -> Selfie:
        return access.selfie_for(self.viewer, selfie_id, Action.OWN)

    @extend_schema(request=None, responses={201: ReturnUrlSerializer})
    def post(self, request: Request, selfie_id: UUID) -> Response:
        """Make the address that opens a search on another device; the one before ends"""
        selfie = self.door(selfie_id)
        token = device_flow.lend(selfie)
        url = address({"request": request}, "return", return_token=token)
        body = {"url": url, "token": token, "expires_at": selfie.expires_at}
        return Response(ReturnUrlSerializer(body).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, selfie_id: UUID) -> Response:
        """End the return address; devices that came by it stay"""
        device_flow.end(access.selfie_for(self.viewer, selfie_id, Action.OWN))
        return Response(status=status.HTTP_204_NO_CONTENT)


class SelfieReturnMail(ViewerView):
    def door(self, selfie_id: UUID) -> Selfie:
        return access.selfie_for(self.viewer, selfie_id, Action.OWN)

    @extend_schema(request=EmailSerializer, responses={202: None})
    def post(self, request: Request, selfie_id: UUID) -> Response:
        """Mail somebody a return address of its own, which opens the search for a while"""
        selfie = self.door(selfie_id)
        fields = EmailSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        device_flow.mail_link(selfie, fields.validated_data["email"])
        return Response(status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, selfie_id: UUID) -> Response:
        """End all return addresses that were mailed; devices that came by them stay"""
        device_flow.end_mailed(access.selfie_for(self.viewer, selfie_id, Action.OWN))
        return Response(status=status.HTTP_204_NO_CONTENT)


class SelfieMail(ViewerView):
    @extend_schema(request=EmailSerializer, responses={204: None})
    def put(self, request: Request, selfie_id: UUID) -> Response:
        """Have an e-mail address told of later photos, once its owner has agreed to it"""
        selfie = access.selfie_for(self.viewer, selfie_id, Action.OWN)
        fields = EmailSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        notice_flow.subscribe(selfie, fields.validated_data["email"])
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, selfie_id: UUID) -> Response:
        """No more e-mail of this search; the address is forgotten"""
        notice_flow.forget(access.selfie_for(self.viewer, selfie_id, Action.OWN))
        return Response(status=status.HTTP_204_NO_CONTENT)


class Return(ViewerView):
    @extend_schema(operation_id="return_create", request=ReturnSerializer, responses=ReturnedSerializer)
    def post(self, request: Request) -> Response:
        """Come back to a search by the token of its return address, with a key of your own"""
        fields = ReturnSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        selfie = access.returning_selfie_for(self.viewer, fields.validated_data["token"])
        body = {"id": selfie.pk, "url": address({"request": request}, "api:selfie", selfie_id=selfie.pk)}
        is_theirs = self.viewer.guest and self.viewer.guest.pk == selfie.guest_id
        return Response(body | ({} if is_theirs else {"guest_key": device_flow.take(selfie)}))


class GuestKeyDetail(ViewerView):
    @extend_schema(operation_id="guest_destroy", responses={204: None})
    def delete(self, request: Request) -> Response:
        """Forget the guest key that this is sent with; the searches stay"""
        if self.viewer.guest is None:
            raise Http404
        device_flow.forget(_key_at_hand(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _key_at_hand(request: Request) -> str:
    return request.headers.get(access.GUEST_HEADER) or access.guest_key_of(request._request)
