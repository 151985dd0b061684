"""`Idempotency-Key`: a POST that is sent once more, because its answer was lost, does nothing twice.

It gets the same status and body again. An error is not kept: it did nothing, and the key is free for another try.
"""

import json
import re
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import QueryDict
from django.utils.crypto import salted_hmac
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import is_success

from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.models import IdempotencyKey

if TYPE_CHECKING:
    from .authentication import ViewerView

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
# Of nobody in particular the key is all that tells one from another, and the answer may be a guest's secret.
_SECRET_LENGTH = 32
_IN_PROGRESS_SECONDS = 2


def once(view: "ViewerView", handler: Callable[..., Any], request: Request, **ids: Any) -> Any:
    """The handler's answer, or the one it gave before. Raises Refusal: 400, 409, 422, and what the door does."""
    viewer, key = view.viewer, request.headers[HEADER]
    _require_good(key, viewer)
    # Before the body is taken in, and before an answer that is kept: who was let in then may be shut out now.
    view.door(**ids)
    key_hash = _hashed("galleries.idempotency", _asker(viewer, request), str(request.method), request.path, key)
    fingerprint = _hashed("galleries.idempotency.body", key, _body(request))
    claimed = IdempotencyKey.take(key_hash, fingerprint, user=viewer.user, guest=viewer.guest)
    if claimed is None:
        return _again(key_hash, fingerprint)
    try:
        # In one transaction, where that holds up nobody: then not even a death in between has it done twice.
        with transaction.atomic() if view.in_one_transaction else nullcontext():
            return _kept(claimed, handler(request, **ids))
    except BaseException:
        claimed.forget()
        raise


def _kept(claimed: IdempotencyKey, response: Any) -> Any:
    if isinstance(response, Response) and is_success(response.status_code):
        claimed.keep(response.status_code, JSONRenderer().render(response.data).decode() or "null")
    else:
        claimed.forget()
    return response


def _again(key_hash: str, fingerprint: str) -> Response:
    known = IdempotencyKey.objects.filter(key_hash=key_hash).first()
    if known and known.fingerprint != fingerprint:
        raise Refusal(
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request. Make a new key for each.",
            status=422,
        )
    if known and known.status:
        return Response(json.loads(known.answer), known.status, headers={REPLAYED: "true"})
    raise Refusal(
        "idempotency_in_progress",
        "The request with this Idempotency-Key is still under way. Send it again in a moment.",
        status=409,
        retry_after=_IN_PROGRESS_SECONDS,
    )


def _require_good(key: str, viewer: Viewer) -> None:
    if not _KEY.fullmatch(key):
        raise Refusal(
            "idempotency_key_invalid",
            "An Idempotency-Key has 1 to 255 visible characters without blanks; a UUID is a good one.",
        )
    if viewer.user is None and viewer.guest is None and len(key) < _SECRET_LENGTH:
        raise Refusal(
            "idempotency_key_too_short",
            "Without credentials an Idempotency-Key has at least 32 characters, such as a UUID.",
        )


def _asker(viewer: Viewer, request: Request) -> str:
    """Another token of the same user is somebody else: it may do less."""
    token: Any = request.auth
    user = f"token {token.public_id}" if token else f"user {viewer.user and viewer.user.pk}"
    return f"{user}, guest {viewer.guest and viewer.guest.pk}"


def _body(request: Request) -> str:
    """What it says, however it is written: a form that is sent again has another boundary."""
    data = request.data
    if isinstance(data, QueryDict):
        data = {name: [_said(value) for value in data.getlist(name)] for name in data}
    return json.dumps(data, sort_keys=True)


def _said(value: Any) -> Any:
    is_file = isinstance(value, UploadedFile)
    return [value.name, value.size, value.sha256] if is_file else value


def _hashed(salt: str, *what: str) -> str:
    return salted_hmac(salt, "\0".join(what), algorithm="sha256").hexdigest()
