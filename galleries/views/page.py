"""What all pages have in common: their viewer, private caching, and words for what is refused.

A view is `view(request, viewer, **ids)`. It raises Refusal or Http404 and nothing else that is expected; here, and only
here, a Refusal becomes a page with its words.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from django import forms
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from django.utils.functional import SimpleLazyObject
from django_htmx.middleware import HtmxDetails

from galleries import access
from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.models import site

_View = Callable[..., HttpResponseBase]
# What somebody can put right in the form they sent; other refusals are pages.
_CORRECTABLE = (400, 403, 413)
_NO_DEVICES = "camera=(), microphone=(), geolocation=()"
OWN_CAMERA = "camera=(self), microphone=(), geolocation=()"


def about_the_site(request: HttpRequest) -> dict[str, Any]:
    """For all templates: its name, colour and links, as an administrator has set them."""
    return {"site": SimpleLazyObject(site.current)}


class Request(HttpRequest):
    """Django's request after the htmx middleware."""

    htmx: HtmxDetails


def page(view: _View) -> _View:
    """A page for anybody."""

    @wraps(view)
    def wrapper(request: Request, **ids: Any) -> HttpResponseBase:
        try:
            response = view(request, access.viewer_of(request), **ids)
        except Refusal as refusal:
            response = _reload(refusal.status) if request.htmx else refused(request, refusal)
        except Http404:
            if not request.htmx:
                raise
            response = _reload(404)
        response.setdefault("Permissions-Policy", _NO_DEVICES)
        if not response.has_header("Cache-Control"):
            patch_cache_control(response, private=True, no_store=True)
        patch_vary_headers(response, ("Cookie", "HX-Request"))
        return response

    return wrapper


def owners_page(view: _View) -> _View:
    """A page for photographers: whoever is not signed in is asked to, whether or not there is such a page."""

    @page
    @wraps(view)
    def wrapper(request: Request, viewer: Viewer, **ids: Any) -> HttpResponseBase:
        if viewer.user is None:
            return _reload(401) if request.htmx else redirect_to_login(_return_path(request))
        return view(request, viewer, **ids)

    return wrapper


def refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    response = render(request, "refusal.html", {"refusal": refusal}, status=refusal.status)
    if refusal.retry_after:
        response["Retry-After"] = str(refusal.retry_after)
    return response


@contextmanager
def told_by(form: forms.BaseForm) -> Iterator[None]:
    """Show a refusal that can be put right at the form it answers."""
    try:
        yield
    except Refusal as refusal:
        if refusal.status not in _CORRECTABLE:
            raise
        form.add_error(None, refusal.detail)


def whole_number(request: HttpRequest, name: str) -> int:
    """A number that a page of ours put into its own addresses; 0 for anything else."""
    number = request.GET.get(name, "")
    return int(number) if number.isdecimal() and len(number) < 10 else 0


def _reload(status: int) -> HttpResponse:
    """A part of a page that can no longer be had: have the browser ask for the whole page, which says why."""
    return HttpResponse(status=status, headers={"HX-Refresh": "true"})


def _return_path(request: HttpRequest) -> str:
    return request.get_full_path() if request.method == "GET" else reverse("albums")


def kept_while_unchanged(request: HttpRequest, body: bytes, content_type: str) -> HttpResponseBase:
    """A browser may keep it and asks at each use; it is sent again only when it has changed."""
    # Weak, since it may be sent compressed or not.
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    fresh = HttpResponse(body, content_type=content_type, headers={"ETag": etag})
    answer = get_conditional_response(request, etag=etag, response=fresh) or fresh
    patch_cache_control(answer, private=True, no_cache=True)
    patch_vary_headers(answer, ("Cookie",))
    return answer
