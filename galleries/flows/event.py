"""What happened, said in the transaction that made it true: its deliveries are committed with the fact, or not at all.

Where nobody listens, this is one query, and nothing is written.
"""

import json
import uuid
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from galleries.models import Delivery, Photo, Webhook
from galleries.models.webhook import TEST, Event

from . import delivery
from .doorbell import ring

API_VERSION = "1"


def happened(
    kind: Event,
    album_id: uuid.UUID,
    *,
    photo: Photo | None = None,
    code: str = "",
    erased: str = "",
    erasing: uuid.UUID | None = None,
) -> None:
    """Ids and addresses only: no names, nothing of a face, and of a guest nothing at all.

    `code`: why a photo is rejected. `erased`: "album" or "search"; it is told once no file is left of `erasing`.
    """
    if not Webhook.objects.of_owner_of(album_id).exists():
        return
    listening = list(Webhook.objects.listening(kind, album_id).values_list("pk", flat=True))
    if not listening:
        return
    facts: dict[str, Any] = {"album": _named("album", album_id)}
    if photo:
        facts["photo"] = _named("photo", photo.pk) | ({"code": code} if code else {})
    if erased:
        facts["erased"] = erased
    _write(listening, kind, facts, erasing)


def try_out(tried: Webhook) -> Delivery:
    """Something to deliver that did not happen."""
    (written,) = _write([tried.pk], TEST, {})
    # With what the database has filled in.
    written.refresh_from_db()
    return written


def _named(what: str, pk: uuid.UUID) -> dict[str, str]:
    return {"id": str(pk), "url": _address(f"api:{what}", **{f"{what}_id": pk})}


def _address(name: str, **ids: Any) -> str:
    host = f"[{settings.PIXORA_HOST}]" if ":" in settings.PIXORA_HOST else settings.PIXORA_HOST
    site = settings.PIXORA_PUBLIC_URL or f"http://{host}:{settings.PIXORA_PORT}"
    return f"{site}{reverse(name, kwargs=ids)}"


def _write(
    listening: Iterable[uuid.UUID], kind: str, facts: dict[str, Any], erasing: uuid.UUID | None = None
) -> list[Delivery]:
    # This machine's clock, of which two facts never have the same moment; SQLite's has milliseconds.
    now = timezone.now()
    created = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    written = []
    for listener in listening:
        row = Delivery(webhook_id=listener, kind=kind, erasing=erasing, created_at=now)
        said = {"id": str(row.pk), "kind": kind, "created": created, "api_version": API_VERSION, **facts}
        row.body = json.dumps(said)
        written.append(row)
    Delivery.objects.bulk_create(written)
    ring(delivery.work)
    return written
