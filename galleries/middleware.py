"""What stands around all views: answers for whoever watches over the process, and how long a request may be."""

import re
import secrets
from collections.abc import Callable
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import resolve
from django.utils.translation import gettext as _

from galleries import access, logs
from galleries.api.problems import problem_json
from galleries.errors import Refusal
from galleries.flows import deed
from galleries.views.page import refused

# The longest list of ids that the API takes has 4 MB.
PLAIN_BYTES = 10_000_000
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_PROBES = ("/healthz", "/readyz")
_ONE_FILE = ("guest-link", "event", "api:shared-link-selfies")
_MANY_FILES = ("album-upload", "api:album-photos")


class Sealed:
    """What every answer says, whoever makes it: a page, the API, a file, a probe, an error. A view may say more itself.

    Referrer-Policy is not no-referrer: with it browsers send forms with "Origin: null", which CSRF refuses. Of what
    same-origin tells, no line of a log keeps the token.
    """

    HEADERS: ClassVar = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    }

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        for name, value in self.HEADERS.items():
            response.setdefault(name, value)
        if settings.SECURE_HSTS_SECONDS and request.is_secure():
            response.setdefault("Strict-Transport-Security", f"max-age={settings.SECURE_HSTS_SECONDS}")
        return response


class TrustedProxies:
    """Nobody but our proxies says that a visitor came by https: who comes past them is not believed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "HTTP_X_FORWARDED_PROTO" in request.META and not access.is_our_proxy(request.META.get("REMOTE_ADDR", "")):
            del request.META["HTTP_X_FORWARDED_PROTO"]
        return self._get_response(request)


class Probes:
    """Answers who watches over the site before all else, which may want a database, a session or one of our names."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info in _PROBES or (request.path_info == "/metrics" and "Authorization" in request.headers):
            view, args, kwargs = resolve(request.path_info)
            return view(request, *args, **kwargs)
        return self._get_response(request)


class RequestId:
    """Gives each request a short name, which its lines in the log, its answer and its error page have in common."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = _given_id(request) or secrets.token_hex(6)
        with logs.apart(request=request_id):
            response = self._get_response(request)
        response["X-Request-Id"] = request_id
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        logs.note(**{name: kwargs[f"{name}_id"] for name in ("photo", "selfie", "archive") if f"{name}_id" in kwargs})


def _given_id(request: HttpRequest) -> str:
    """That of a proxy we trust, so that its log and ours speak of the same; nobody else puts words into our log."""
    given = request.headers.get("X-Request-Id", "")
    return given if _REQUEST_ID.fullmatch(given) and access.is_our_proxy(request.META.get("REMOTE_ADDR", "")) else ""


class Acting:
    """Says for the log of deeds whose request it is, for as long as it lasts."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with deed.in_request(request):
            return self._get_response(request)


class BodyLimit:
    """Refuses by the Content-Length, before the first byte of the body is read.

    The web server holds every body to its Content-Length. This stands before CsrfViewMiddleware, which reads forms.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        refusal = _refusal(request)
        if refusal is None:
            return None
        if request.resolver_match and request.resolver_match.app_name == "api":
            return problem_json(refusal.status, refusal.code, refusal.detail)
        return refused(request, refusal)


def _refusal(request: HttpRequest) -> Refusal | None:
    if "Transfer-Encoding" in request.headers:
        # Django would take its body for an empty one.
        return Refusal("length_required", _("Send this with its length (Content-Length)."), status=411)
    most = PLAIN_BYTES + _files(request) * settings.PIXORA_MAX_FILE_BYTES
    if _length(request) <= most:
        return None
    words = _("This is too much for one request: at most %(n)s MB are taken here.") % {"n": most // 1_000_000}
    return Refusal("request_too_large", words, status=413)


def _files(request: HttpRequest) -> int:
    """How many files of full length the route takes. Who has not signed in has no album to send many to."""
    name = request.resolver_match.view_name if request.resolver_match else ""
    if name in _ONE_FILE:
        return 1
    signed_in = request.user.is_authenticated or "Authorization" in request.headers
    return settings.DATA_UPLOAD_MAX_NUMBER_FILES if name in _MANY_FILES and signed_in else 0


def _length(request: HttpRequest) -> int:
    """Django, too, reads nothing of a body whose length it cannot read."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdecimal() else 0
