"""ETags: what a client has already is not sent again, and what has changed since they saw it is left alone.

They are strong, of the bytes that are sent, so whatever a viewer may see differently has another one.
"""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.cache import get_conditional_response
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from galleries.errors import Refusal

from .problems import problem_json

if TYPE_CHECKING:
    from .authentication import ViewerView


def _changed() -> Refusal:
    return Refusal(
        "precondition_failed",
        "It has changed since you read it. Read it again, and then say what you want of it.",
        status=412,
    )


def tagged(request: Any, response: Any) -> Any:
    """The answer to a read with its ETag, or 304 or 412 in its place, as the request's conditions say."""
    response["ETag"] = _etag(response.content)
    if request.method == "PATCH":
        return response
    answer = get_conditional_response(request, etag=response["ETag"], response=response)
    if answer is None or answer.status_code != 412:
        return answer
    changed = _changed()
    refused = problem_json(changed.status, changed.code, changed.detail)
    for name in ("Vary", "Cache-Control"):
        if name in response:
            refused[name] = response[name]
    return refused


def if_match(view: "ViewerView", handler: Callable[..., Any], request: Request, **ids: Any) -> Any:
    """Change or delete what is still as the client saw it. Raises Refusal 412."""
    with transaction.atomic():
        view.hold(**ids)
        require_as_seen(view, request, **ids)
        return handler(request, **ids)


def require_as_seen(view: "ViewerView", request: Request, **ids: Any) -> None:
    """For a transaction that holds the rows. Raises Refusal 412 where the request names another ETag, if it does any,
    and Http404 where there is nothing any more.
    """
    if "If-Match" not in request.headers:
        return
    now = view.get(request, **ids)  # type: ignore[attr-defined]  # asked only of views that have it
    # What is no JSON brings its own.
    etag = _etag(JSONRenderer().render(now.data)) if isinstance(now, Response) else now["ETag"]
    if get_conditional_response(request, etag=etag) is not None:
        raise _changed()


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'
