"""Who calls the API: a token, a signed-in browser, a guest. All become one `access.Viewer`."""

from functools import partial
from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from drf_spectacular.contrib.knox_auth_token import KnoxTokenScheme
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import SAFE_METHODS, AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_200_OK
from rest_framework.views import APIView

from galleries import access

from . import conditions, idempotency
from .incoming import ApiTokenAuthentication


class ApiTokenScheme(KnoxTokenScheme):
    """Describes it in the schema; being defined registers it."""

    target_class = "galleries.api.incoming.ApiTokenAuthentication"


class ViewerView(APIView):
    """A route that knows its viewer. What they may do there, access.py's doors say.

    Every one of them answers reads with an ETag, and knows If-None-Match, If-Match and Idempotency-Key.
    """

    authentication_classes = [ApiTokenAuthentication, SessionAuthentication]
    permission_classes = [AllowAny]
    owners_only = False
    # Whether a client may keep what it reads, and ask at each use whether it is still so. Not where secrets are told.
    may_be_kept = False
    # Whether a POST with an Idempotency-Key is one transaction with its answer; not where it stores files or counts
    # what was tried in vain.
    in_one_transaction = False
    # What is one transaction with the comparison of its If-Match; not what stores files, which compares for itself.
    compared_first: tuple[str, ...] = ("patch", "put", "delete")
    viewer: access.Viewer

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.viewer = access.viewer_of(request)
        # Before CSRF, which reads the body: nobody's gigabytes are taken in to be thrown away.
        if self.owners_only and self.viewer.user is None:
            raise NotAuthenticated("Send an API token: Authorization: Token …")
        if self.viewer.guest_by_cookie and self.viewer.user is None and request.method not in SAFE_METHODS:
            SessionAuthentication().enforce_csrf(request)
        self._guard(request)

    def _guard(self, request: Request) -> None:
        """Put around the method's handler what the request's headers ask for; this view serves one request only."""
        method = str(request.method).lower()
        handler = getattr(self, method, None)
        if handler and method == "post" and idempotency.HEADER in request.headers:
            setattr(self, method, partial(idempotency.once, self, handler))
        if handler and method in self.compared_first and "If-Match" in request.headers and hasattr(self, "get"):
            setattr(self, method, partial(conditions.if_match, self, handler))

    def hold(self, **ids: Any) -> None:
        """Lock the rows that the route's ETag is of, so that they stay as they are compared: for If-Match."""

    def door(self, *_: Any, **ids: Any) -> Any:
        """What a POST is about, or the refusal that its handler gives too: for Idempotency-Key, which reads the body
        before the handler does, and answers without it. Not where the deed itself shuts the door behind it.
        """

    @property
    def told(self) -> dict[str, Any]:
        """What serializers need to know beside the object."""
        return {"request": self.request, "viewer": self.viewer}

    def finalize_response(  # type: ignore[override]  # bytes are sent by responses of Django's own
        self, request: HttpRequest, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]
        patch_vary_headers(response, ("Cookie", "Authorization", "Pixora-Guest"))
        is_read = request.method in ("GET", "HEAD") and response.status_code == HTTP_200_OK
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-cache" if self.may_be_kept and is_read else "private, no-store"
        if isinstance(response, Response) and (is_read or request.method == "PATCH") and not response.exception:
            response.add_post_render_callback(partial(conditions.tagged, request))
        return response


class Nothing(ViewerView):
    """Any other address below the API: the same 404 as for what is foreign."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Http404


class OwnerView(ViewerView):
    """A route for photographers: 401 without credentials."""

    owners_only = True
