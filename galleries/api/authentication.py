"""Who calls the API: a token, a signed-in browser, a guest. All become one `access.Viewer`."""

from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from drf_spectacular.contrib.knox_auth_token import KnoxTokenScheme
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import SAFE_METHODS, AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from galleries import access

from .incoming import ApiTokenAuthentication


class ApiTokenScheme(KnoxTokenScheme):
    """Describes it in the schema; being defined registers it."""

    target_class = "galleries.api.incoming.ApiTokenAuthentication"


class ViewerView(APIView):
    """A route that knows its viewer. What they may do there, access.py's doors say."""

    authentication_classes = [ApiTokenAuthentication, SessionAuthentication]
    permission_classes = [AllowAny]
    owners_only = False
    viewer: access.Viewer

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.viewer = access.viewer_of(request)
        # Before CSRF, which reads the body: nobody's gigabytes are taken in to be thrown away.
        if self.owners_only and self.viewer.user is None:
            raise NotAuthenticated("Send an API token: Authorization: Token …")
        if self.viewer.guest_by_cookie and self.viewer.user is None and request.method not in SAFE_METHODS:
            SessionAuthentication().enforce_csrf(request)

    @property
    def told(self) -> dict[str, Any]:
        """What serializers need to know beside the object."""
        return {"request": self.request, "viewer": self.viewer}

    def finalize_response(  # type: ignore[override]  # bytes are sent by responses of Django's own
        self, request: HttpRequest, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]
        patch_vary_headers(response, ("Cookie", "Authorization", "Pixora-Guest"))
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-store"
        return response


class Nothing(ViewerView):
    """Any other address below the API: the same 404 as for what is foreign."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Http404


class OwnerView(ViewerView):
    """A route for photographers: 401 without credentials."""

    owners_only = True
