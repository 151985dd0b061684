"""/account/ and /tokens/: the viewer's own. Tokens are made and changed on pages, by whoever signed in themselves."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from galleries import access
from galleries.access import Action
from galleries.flows import account as account_flow
from galleries.flows import api_token as token_flow
from galleries.flows import letter as letter_flow
from galleries.flows.quota import Quota
from galleries.models import ApiToken, Topic, User
from galleries.models.account import SCOPES

from .authentication import OwnerView
from .pages import CursorPages, both_ways, paged
from .schema import page_of, paged_by


class UsageSerializer(serializers.Serializer[Any]):
    """What is kept in all of one's own albums, deleted ones included, and what may be; null is no limit."""

    photos = serializers.IntegerField()
    bytes = serializers.IntegerField(help_text="Of the originals.")
    photo_limit = serializers.IntegerField(allow_null=True)
    byte_limit = serializers.IntegerField(allow_null=True)


class WantedTopics(serializers.ListField):
    child = serializers.ChoiceField(Topic.choices)

    def get_attribute(self, instance: User) -> list[str]:
        """Of rows of their own, by address."""
        return letter_flow.wanted_by(instance)


class AccountSerializer(serializers.ModelSerializer[User]):
    name = serializers.CharField(source="first_name", max_length=150, allow_blank=True, required=False)
    created_at = serializers.DateTimeField(source="date_joined", read_only=True)
    usage = serializers.SerializerMethodField()
    mail = WantedTopics(required=False, help_text="What you are sent e-mails about.")

    class Meta:
        model = User
        fields = ["email", "name", "created_at", "usage", "mail"]
        read_only_fields = ["email"]

    def get_usage(self, user: User) -> UsageSerializer:
        return UsageSerializer(Quota.of(user.pk)).data  # type: ignore[return-value]  # said for the description


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    scopes = serializers.SerializerMethodField()
    albums = serializers.SerializerMethodField(help_text="Those that it reaches; null: all, those to come included.")
    created_at = serializers.DateTimeField(source="created", read_only=True)
    expires_at = serializers.DateTimeField(source="expiry", read_only=True, allow_null=True)

    class Meta:
        model = ApiToken
        fields = ["id", "name", "scopes", "albums", "created_at", "expires_at", "last_used_at"]
        read_only_fields = fields

    def get_scopes(self, token: ApiToken) -> list[str]:
        return [scope for scope in SCOPES if scope in token.scope_set()]

    def get_albums(self, token: ApiToken) -> list[UUID] | None:
        chosen = token.album_ids()
        return sorted(chosen) if chosen is not None else None


class LatestTokens(CursorPages):
    orderings = both_ways({"created_at": "created"}, "-created_at")
    identity = "public_id"


class Account(OwnerView):
    may_be_kept = True

    @extend_schema(operation_id="account_retrieve", responses=AccountSerializer)
    def get(self, request: Request) -> Response:
        """Your account, and what it keeps of what it may keep"""
        return Response(AccountSerializer(access.account_of(self.viewer, Action.INSPECT)).data)

    @extend_schema(operation_id="account_partial_update", request=AccountSerializer, responses=AccountSerializer)
    def patch(self, request: Request) -> Response:
        """Change your name, and what you are sent e-mails about"""
        user = access.account_of(self.viewer, Action.OWN)
        fields = AccountSerializer(user, data=request.data, partial=True)
        fields.is_valid(raise_exception=True)
        user.first_name = fields.validated_data.get("first_name", user.first_name)
        user.save(update_fields=["first_name"])
        if "mail" in fields.validated_data:
            letter_flow.want(user, fields.validated_data["mail"])
        return Response(AccountSerializer(user).data)

    def hold(self, **ids: Any) -> None:
        User.objects.select_for_update(no_key=True).filter(pk=access.require_user(self.viewer).pk).first()


class CloseSerializer(serializers.Serializer[Any]):
    password = serializers.CharField(max_length=128, trim_whitespace=False, write_only=True)


class AccountClose(OwnerView):
    @extend_schema(request=CloseSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """End your account, with all albums and searches; only for who is signed in, and it cannot be undone"""
        access.require_session(self.viewer)
        fields = CloseSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        user = access.account_of(self.viewer, Action.OWN)
        account_flow.close(user, fields.validated_data["password"], self.viewer.address)
        return Response(status=status.HTTP_204_NO_CONTENT)


class Tokens(OwnerView):
    @extend_schema(operation_id="tokens_list", parameters=paged_by(LatestTokens), responses=page_of(TokenSerializer))
    def get(self, request: Request) -> Response:
        """List your API tokens, the newest first; their secrets are shown to nobody"""
        access.account_of(self.viewer, Action.INSPECT)
        tokens = access.api_tokens(self.viewer).prefetch_related("albums")
        return paged(request, tokens, TokenSerializer, kind=LatestTokens)


class TokenDetail(OwnerView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, token_id: UUID) -> Response:
        """Revoke a token; only for who is signed in, by the session's cookie"""
        access.require_session(self.viewer)
        token_flow.revoke(access.api_token_for(self.viewer, token_id))
        return Response(status=status.HTTP_204_NO_CONTENT)
