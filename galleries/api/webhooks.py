"""/webhooks/ and /deliveries/: where a photographer's own programs are told what happened, and what they were told."""

import json
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from galleries import access
from galleries.flows import webhook as webhook_flow
from galleries.models import Album, Delivery, User, Webhook
from galleries.models.webhook import TEST, Event

from .authentication import OwnerView
from .pages import paged
from .schema import PAGED, page_of
from .serializers import address

_SIGNED = (
    "Each delivery is a POST of JSON: `id`, `kind`, `created`, `api_version`, `album` and `photo` by `id` and `url`. "
    "Its header `Pixora-Signature: t=<unix seconds>,v1=<hex>` is the HMAC-SHA256 of `<t>.<body>` with the webhook's "
    "secret; for a day after the secret was changed there is a second v1, by the one before. Compare in constant time, "
    "refuse what is older than five minutes, and do nothing twice for one `id`: a delivery arrives at least once. "
    "Any 2xx takes it; 410 switches the webhook off; all else is tried again, seven times in 31 hours.\n\n"
    "A session, unlike a token, must have confirmed its password, or a code, just now: 403 `reauthenticate`."
)
_MADE = OpenApiExample(
    "For the studio's computer",
    value={"name": "Studio", "url": "https://studio.example.org/pixora", "events": ["album.ready"], "albums": None},
    request_only=True,
)


class OwnAlbum(serializers.PrimaryKeyRelatedField):
    """Of others' albums, and of those that are not, the same is said."""

    def get_queryset(self) -> Any:
        viewer = self.context["viewer"]
        return access.visible_to(viewer, Album).filter(owner=viewer.user)


class ChosenAlbums(serializers.ManyRelatedField):
    """None: all of the owner's. Of chosen ones that are gone an empty list is left, which is not the same."""

    default_error_messages = {"empty": _("Name an album, or null for all of yours.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(OwnAlbum(queryset=Album.objects.all()), allow_empty=False, allow_null=True, **kwargs)

    def get_attribute(self, instance: Webhook) -> Any:
        return super().get_attribute(instance) if instance.is_bound else None


class WebhookSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(max_length=60, required=False, allow_blank=True)
    url = serializers.CharField(max_length=1000)
    events = serializers.ListField(
        child=serializers.ChoiceField(Event.choices), min_length=1, max_length=20, source="event_list"
    )
    albums = ChosenAlbums(
        required=False, help_text="Null: all of yours, those to come included. Empty in answers: the chosen are gone."
    )
    active = serializers.BooleanField(source="is_on", required=False)
    switched_off_because = serializers.ChoiceField(["", *Webhook.Ended.values], read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    deliveries_url = serializers.SerializerMethodField()
    test_url = serializers.SerializerMethodField()

    def get_deliveries_url(self, webhook: Webhook) -> str:
        return address(self.context, "api:webhook-deliveries", webhook_id=webhook.pk)

    def get_test_url(self, webhook: Webhook) -> str:
        return address(self.context, "api:webhook-test", webhook_id=webhook.pk)

    def said(self) -> dict[str, Any]:
        """What was sent, by the names that flows.webhook knows."""
        sent = dict(self.validated_data)
        sent.pop("is_on", None)
        if "albums" in sent:
            sent["albums"] = sent["albums"] or ()
        return {"events" if name == "event_list" else name: value for name, value in sent.items()}


class MadeWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(read_only=True, help_text="Shown this once.")


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(read_only=True, help_text="Shown this once.")


class DeliverySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField([*Event.values, TEST])
    state = serializers.ChoiceField(["waiting", "sent", "given_up"])
    attempts = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(help_text="When it is tried next, while it waits.")
    tried_at = serializers.DateTimeField(allow_null=True)
    sent_at = serializers.DateTimeField(allow_null=True)
    answer_status = serializers.IntegerField(allow_null=True, help_text="Of the last answer; null: there was none.")
    last_error = serializers.CharField()
    payload = serializers.SerializerMethodField()
    retry_url = serializers.SerializerMethodField()

    def get_payload(self, delivery: Delivery) -> dict[str, Any]:
        return dict(json.loads(delivery.body))

    def get_retry_url(self, delivery: Delivery) -> str:
        return address(self.context, "api:delivery-retry", delivery_id=delivery.pk)


class WebhookView(OwnerView):
    # A POST with an Idempotency-Key and its answer: rows only.
    in_one_transaction = True


class WebhookList(WebhookView):
    @extend_schema(operation_id="webhooks_list", parameters=PAGED, responses=page_of(WebhookSerializer))
    def get(self, request: Request) -> Response:
        """List your webhooks, the newest first"""
        rows = access.webhooks_of(self.viewer).prefetch_related("albums")
        return paged(request, rows, WebhookSerializer, self.told)

    def door(self) -> User:
        return access.webhook_maker(self.viewer)

    @extend_schema(
        request=WebhookSerializer,
        responses={201: MadeWebhookSerializer},
        examples=[_MADE],
        description=_SIGNED,
        summary="Make a webhook; its secret is in this answer only",
    )
    def post(self, request: Request) -> Response:
        owner = self.door()
        access.require_recent_authentication(self.viewer, request)
        fields = WebhookSerializer(data=request.data, context=self.told)
        fields.is_valid(raise_exception=True)
        webhook, secret = webhook_flow.make(owner, **fields.said())
        if fields.validated_data.get("is_on") is False:
            webhook_flow.switch(webhook, on=False)
        shown = WebhookSerializer(webhook, context=self.told).data
        return Response({**shown, "secret": secret}, status=status.HTTP_201_CREATED)


class WebhookDetail(WebhookView):
    @extend_schema(responses=WebhookSerializer)
    def get(self, request: Request, webhook_id: UUID) -> Response:
        """One of your webhooks, and how it does"""
        return self._shown(access.webhook_for(self.viewer, webhook_id))

    def hold(self, **ids: Any) -> None:
        Webhook.objects.select_for_update(no_key=True).filter(pk=ids["webhook_id"]).first()

    @extend_schema(request=WebhookSerializer(partial=True), responses=WebhookSerializer)
    def patch(self, request: Request, webhook_id: UUID) -> Response:
        """Change a webhook, or switch it off and on

        For more than the switch a session, unlike a token, must have confirmed its password, or a code, just now:
        403 `reauthenticate`.
        """
        webhook = access.webhook_for(self.viewer, webhook_id)
        fields = WebhookSerializer(data=request.data, partial=True, context=self.told)
        fields.is_valid(raise_exception=True)
        if said := fields.said():
            access.require_recent_authentication(self.viewer, request)
            webhook_flow.change(webhook, **said)
        wanted = fields.validated_data.get("is_on", webhook.is_on)
        if wanted != webhook.is_on:
            webhook_flow.switch(webhook, on=wanted)
        return self._shown(webhook)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, webhook_id: UUID) -> Response:
        """Delete a webhook, and the log of what it was told"""
        webhook_flow.delete(access.webhook_for(self.viewer, webhook_id))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _shown(self, webhook: Webhook) -> Response:
        return Response(WebhookSerializer(webhook, context=self.told).data)


class WebhookSecret(WebhookView):
    def door(self, webhook_id: UUID) -> Webhook:
        return access.webhook_for(self.viewer, webhook_id)

    @extend_schema(request=None, responses=SecretSerializer)
    def post(self, request: Request, webhook_id: UUID) -> Response:
        """Change a webhook's secret; deliveries are signed with the old one as well for a day

        A session, unlike a token, must have confirmed its password, or a code, just now: 403 `reauthenticate`.
        """
        webhook = self.door(webhook_id)
        access.require_recent_authentication(self.viewer, request)
        return Response({"secret": webhook_flow.rotate(webhook)})


class WebhookDeliveries(WebhookView):
    @extend_schema(operation_id="webhooks_deliveries_list", parameters=PAGED, responses=page_of(DeliverySerializer))
    def get(self, request: Request, webhook_id: UUID) -> Response:
        """List what a webhook was told in the last 30 days, the newest first"""
        webhook = access.webhook_for(self.viewer, webhook_id)
        return paged(request, webhook.deliveries.all(), DeliverySerializer, self.told)


class WebhookTest(WebhookView):
    def door(self, webhook_id: UUID) -> Webhook:
        return access.webhook_for(self.viewer, webhook_id)

    @extend_schema(request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, webhook_id: UUID) -> Response:
        """Send a test, whatever the webhook listens to"""
        delivery = webhook_flow.send_test(self.door(webhook_id))
        return Response(DeliverySerializer(delivery, context=self.told).data, status=status.HTTP_202_ACCEPTED)


class DeliveryRetry(WebhookView):
    def door(self, delivery_id: UUID) -> Delivery:
        return access.delivery_for(self.viewer, delivery_id)

    @extend_schema(request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, delivery_id: UUID) -> Response:
        """Send the very same once more, by the same id"""
        delivery = self.door(delivery_id)
        webhook_flow.send_again(delivery)
        return Response(DeliverySerializer(delivery, context=self.told).data, status=status.HTTP_202_ACCEPTED)
