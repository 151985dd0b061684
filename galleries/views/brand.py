"""What an album's own look is made of: its accent as a style sheet, its logo, and the cover of a link preview; and the
site's own manifest.

For guests the album's hang on the link's token, so that they end when the link does; for the owner on the album.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from galleries import access, colours, media
from galleries.access import Action, Viewer
from galleries.errors import Refusal
from galleries.models import Album, SiteSettings, site

from .page import kept_while_unchanged, refused


def _asset(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Asked for by a page; a browser may keep it, and asks at each use whether it still may."""

    @require_safe
    @wraps(view)
    def wrapper(request: HttpRequest, **ids: Any) -> HttpResponseBase:
        try:
            return view(request, access.viewer_of(request), **ids)
        except Refusal as refusal:
            return refused(request, refusal)

    return wrapper


@require_safe
def site_accent(request: HttpRequest) -> HttpResponseBase:
    """The site's own accent, where an administrator has chosen one."""
    return _accent(request, site.current())


@_asset
def album_accent(request: HttpRequest, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    return _accent(request, access.album_for(viewer, album_id, Action.INSPECT))


@_asset
def album_logo(request: HttpRequest, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    return media.send_logo(request, access.album_for(viewer, album_id, Action.INSPECT))


@_asset
def guest_accent(request: HttpRequest, viewer: Viewer, token: str) -> HttpResponseBase:
    return _accent(request, access.shared_link(token).album)


@_asset
def guest_logo(request: HttpRequest, viewer: Viewer, token: str) -> HttpResponseBase:
    return media.send_logo(request, access.shared_link(token).album)


@_asset
def guest_cover(request: HttpRequest, viewer: Viewer, token: str) -> HttpResponseBase:
    """For whoever shows a preview of the link: a messenger's server, without any cookie."""
    return media.send_thumb(request, access.public_cover(access.shared_link(token)))


@require_safe
@cache_control(public=True, max_age=3600)
def manifest(request: HttpRequest) -> HttpResponse:
    """By which a phone or a desktop installs the site. There is no service worker: private pages are kept nowhere."""
    return render(request, "manifest.json", content_type="application/manifest+json")


def _accent(request: HttpRequest, coloured: Album | SiteSettings) -> HttpResponseBase:
    if not coloured.accent:
        raise Http404
    return kept_while_unchanged(request, colours.style_sheet(coloured.accent).encode(), "text/css; charset=utf-8")
