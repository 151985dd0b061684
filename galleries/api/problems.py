"""Errors of the API: `application/problem+json` (RFC 9457) with a stable `code`, whatever went wrong."""

from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from galleries.errors import Refusal

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 10
_TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    410: "Gone",
    413: "Too large",
    415: "Unsupported media type",
    429: "Too many requests",
    500: "Server error",
    503: "Busy",
}


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. None, for what nobody expected: Django logs it and asks `server_error` for an answer."""
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
    """Django's handler500: a page for people, a problem for programs; neither says what went wrong."""
    if request.path.startswith("/api/"):
        return problem_json(500, "server_error", "Something went wrong on our side. It has been written down.")
    return defaults.server_error(request)


def problem_json(status_code: int, code: str, detail: str) -> HttpResponse:
    """A problem from outside of DRF."""
    return JsonResponse(_body(status_code, code, detail), status=status_code, content_type=MEDIA_TYPE)


def _body(status_code: int, code: str, detail: str) -> dict[str, Any]:
    title = _TITLES.get(status_code, "Error")
    return {"type": "about:blank", "title": title, "status": status_code, "detail": detail, "code": code}


def problem(status_code: int, code: str, detail: str, **more: Any) -> Response:
    response = Response(_body(status_code, code, detail) | more, status=status_code, content_type=MEDIA_TYPE)
    if status_code == status.HTTP_503_SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(RETRY_SECONDS)
    return response
