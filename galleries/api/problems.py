"""Errors of the API: `application/problem+json` (RFC 9457) with a stable `code`, whatever went wrong."""

import logging
import sys
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from galleries import logs, metrics
from galleries.database import count_failure, trouble_of
from galleries.errors import RETRY_SECONDS, Refusal, refusal_for

logger = logging.getLogger(__name__)

_Answer = TypeVar("_Answer", bound=HttpResponse)

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    410: "Gone",
    411: "Length required",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Unsupported media type",
    422: "Not the same request",
    429: "Too many requests",
    500: "Server error",
    503: "Busy",
    507: "Disk full",
}


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. None, for what nobody expected: Django logs it and asks handler500 for an answer."""
    set_rollback()
    if isinstance(error, Refusal):
        return _of_refusal(error)
    if isinstance(error, Http404):
        return problem(404, "not_found", "There is nothing here, or it is not yours to see.")
    if isinstance(error, PermissionDenied):
        return problem(403, "permission_denied", "This is not allowed.")
    if isinstance(error, SuspiciousOperation):
        return problem(400, "invalid", "This request is not well formed, or holds too many fields or files.")
    if isinstance(error, exceptions.ValidationError):
        return problem(400, "invalid", "Some fields are not right; see errors.", errors=error.detail)
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    if refusal := refusal_for(error):
        logger.warning("%s: %s", refusal, error)
        _count(error, refusal.status)
        return problem(refusal.status, refusal.code, refusal.detail)
    return None


def _of_refusal(refusal: Refusal) -> Response:
    response = problem(refusal.status, refusal.code, refusal.detail)
    if refusal.retry_after:
        response["Retry-After"] = str(refusal.retry_after)
    return response


def _of_framework(error: exceptions.APIException) -> Response:
    code = error.get_codes() if isinstance(error.get_codes(), str) else error.default_code
    response = problem(error.status_code, str(code), str(error.detail))
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = str(int(wait) + 1)
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: a page for people, a problem for programs; neither says what went wrong.

    Nothing here may want the database: that it is gone is one reason to be here.
    """
    error = sys.exc_info()[1]
    status, code, words = _told_of(error)
    _count(error, status)
    return _answer(request, status, code, words)


def _told_of(error: BaseException | None) -> tuple[int, str, str]:
    if refusal := refusal_for(error):
        return refusal.status, refusal.code, refusal.detail
    if trouble_of(error):
        return 503, "busy", _("We are back in a moment. Nothing that you sent before is lost.")
    return 500, "server_error", _("Something went wrong on our side. It has been written down.")


def _count(error: BaseException | None, status: int) -> None:
    count_failure(error)
    metrics.count("server_errors", status=status)


def _answer(request: HttpRequest, status: int, code: str, words: str) -> HttpResponse:
    reference = logs.known().get("request", "")
    if request.path.startswith("/api/"):
        return problem_json(status, code, words, request_id=reference)
    page = loader.render_to_string(f"{status}.html", {"reference": reference})
    return _with_retry(HttpResponse(page, status=status))


def problem_json(status_code: int, code: str, detail: str, **more: Any) -> HttpResponse:
    """A problem from outside of DRF."""
    return _with_retry(
        JsonResponse(_body(status_code, code, detail) | more, status=status_code, content_type=MEDIA_TYPE)
    )


def _with_retry(response: _Answer) -> _Answer:
    if response.status_code in RETRY_SECONDS:
        response["Retry-After"] = str(RETRY_SECONDS[response.status_code])
    return response


def _body(status_code: int, code: str, detail: str) -> dict[str, Any]:
    title = TITLES.get(status_code, "Error")
    return {"type": "about:blank", "title": title, "status": status_code, "detail": detail, "code": code}


def problem(status_code: int, code: str, detail: str, **more: Any) -> Response:
    return _with_retry(Response(_body(status_code, code, detail) | more, status=status_code, content_type=MEDIA_TYPE))
