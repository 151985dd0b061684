"""A guest comes by a link: consent and a selfie, the password, all photos; and what they have found before."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, Q, Subquery, UUIDField
from django.http import HttpResponse, HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from galleries import access
from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.flows import camera
from galleries.flows import notice as notice_flow
from galleries.flows import selfie as selfie_flow
from galleries.flows import visit as visit_flow
from galleries.forms import SelfieForm, UnlockForm
from galleries.models import Link, Match, Selfie
from galleries.models.photo import is_shown
from galleries.models.selfie import certain
from galleries.models.site import limit

from . import opened
from .grid import Tiles, listing, photos_title
from .page import OWN_CAMERA, Request, page, told_by
from .paging import a_page

# In the session: the guest of this browser who is somebody else.
_NOT_MINE = "not_mine"


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@page
def guest_link(request: Request, viewer: Viewer, token: str) -> HttpResponseBase:
    """Looking at a link leaves no trace here; a guest is made by what they send."""
    response = _opened(request, viewer, token)
    if request.method == "GET":
        opened.remember(request, response, token)
    return response


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@page
def event(request: Request, viewer: Viewer, link_id: UUID) -> HttpResponseBase:
    """The same page at an address without the token, for the browser that opened the link."""
    token = opened.token_of(request, link_id)
    if token is None:
        return render(request, "guest/elsewhere.html", status=404)
    return _opened(request, viewer, token)


def _opened(request: Request, viewer: Viewer, token: str) -> HttpResponseBase:
    link = access.shared_link(token)
    steps: dict[str, Callable[[Request, Viewer, Link], HttpResponseBase]] = {
        "unlock": _unlock,
        "browse": _browse,
        "camera": _camera,
        "selfie": _selfie,
    }
    if request.method == "POST":
        return steps.get(request.POST.get("step", ""), _landing)(request, viewer, link)
    if request.method == "GET":
        visit_flow.note_opening(link, viewer)
    return _landing(request, viewer, link)


def _landing(request: Request, viewer: Viewer, link: Link, form: Any = None, status: int = 200) -> HttpResponse:
    if link.needs_password and access.visit_of(viewer, link) is None:
        return render(request, "guest/locked.html", {"link": link, "form": form or UnlockForm()}, status=status)
    earlier = access.visible_to(viewer, Selfie).filter(link=link, state=Selfie.State.DONE).first()
    context = {"link": link, "album": link.album, "earlier": earlier} | selfie_form(form)
    return with_camera(render(request, "guest/landing.html", context, status=status))


def selfie_form(form: SelfieForm | None = None) -> dict[str, Any]:
    """What guest/selfie_form.html and its consent text need, beside the link."""
    days, mail = limit("selfie_days"), notice_flow.is_offered()
    return {"form": form or SelfieForm(), "selfie_days": days, "mail_is_offered": mail}


def with_camera(response: HttpResponse) -> HttpResponse:
    """A page that has the selfie form on it, and so may ask for the camera."""
    response["Permissions-Policy"] = OWN_CAMERA
    return response


def _unlock(request: Request, viewer: Viewer, link: Link) -> HttpResponseBase:
    form = UnlockForm(request.POST)
    if form.is_valid():
        with told_by(form):
            # The secret of its CSRF cookie is the one name that every browser has before it is let in.
            browser = request.META.get("CSRF_COOKIE", "")
            _, key = visit_flow.enter(link, viewer, form.cleaned_data["password"], browser=browser)
            return _on_the_way("guest-link", link.token, key)
    return _landing(request, viewer, link, form, status=403)


def _browse(request: Request, viewer: Viewer, link: Link) -> HttpResponseBase:
    access.require_visit(viewer, link)
    if not link.can_browse:
        raise Refusal("browsing_off", "This link shows each guest their own photos only.", status=403)
    _, key = visit_flow.enter(link, viewer)
    return _on_the_way("shared", link.album_id, key)


def _camera(request: Request, viewer: Viewer, link: Link) -> HttpResponseBase:
    """The page's camera has just opened."""
    access.require_visit(viewer, link)
    return HttpResponse(camera.ticket(link, _browser(request)), content_type="text/plain")


def _browser(request: Request) -> str:
    """A secret that this browser's cookie holds, also before it is a guest's."""
    get_token(request)
    return str(request.META["CSRF_COOKIE"])


def _selfie(request: Request, viewer: Viewer, link: Link) -> HttpResponseBase:
    access.require_visit(viewer, link)
    form = SelfieForm(request.POST, request.FILES)
    if form.is_valid():
        sent = form.cleaned_data
        with told_by(form):
            selfie, key = selfie_flow.receive(
                link,
                viewer,
                sent["selfie"].chunks(),
                consent=sent["consent"],
                keep_me_posted=sent["keep_me_posted"],
                email=sent["email"],
                by_camera=camera.took_it(link, _browser(request), sent["ticket"]),
            )
            return _on_the_way("selfie", selfie.pk, key)
    return _landing(request, viewer, link, form, status=400)


def _on_the_way(name: str, to: Any, key: str | None) -> HttpResponseBase:
    response = redirect(name, to)
    if key:
        access.remember_guest(response, key)
    return response


@require_safe
@page
def shared(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    """The whole album, for guests whose link lets them look through it."""
    visit = access.browsing_visit_for(viewer, album_id)
    shown = visit.link.album.photos.shown()
    photos, last = a_page(shown, request.GET.get("after", ""))
    tiles = Tiles(alt=_("Photo %(name)s"), downloadable=visit.link.can_download)
    grid = {"tiles": tiles.of(photos), "blank": tiles.blank, "last": last, "title": photos_title(shown.count())}
    grid |= {"listing": reverse("shared-listing", args=[album_id]), "more": "?"}
    return render(request, "guest/shared.html", {"album": visit.link.album, "link": visit.link} | grid)


@require_safe
@page
def shared_listing(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    visit = access.browsing_visit_for(viewer, album_id)
    return listing(request, visit.link.album.photos.shown(), "time", photos_title)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def my_photos(request: Request, viewer: Viewer) -> HttpResponseBase:
    """The galleries of this viewer's searches, newest first."""
    if request.method == "POST":
        return _keep_or_not(request, viewer)
    best = Match.objects.certain().filter(is_shown("photo__"), selfie=OuterRef("pk")).order_by("distance")
    shown = is_shown("matches__photo__")
    found = access.visible_to(viewer, Selfie).exclude(state__in=[Selfie.State.FAILED, Selfie.State.EXPIRED])
    galleries = found.select_related("album").annotate(
        count=Count("matches", filter=shown & certain("matches__")),
        maybe_count=Count("matches", filter=shown & Q(matches__tier="maybe", matches__verdict="")),
        cover=Subquery(best.values("photo")[:1], output_field=UUIDField()),
    )
    asks = visit_flow.may_keep(viewer, access.guest_key_of(request)) and request.session.get(_NOT_MINE) != _of(viewer)
    return render(request, "guest/my_photos.html", {"galleries": galleries, "asks_to_keep": asks})


def _keep_or_not(request: Request, viewer: Viewer) -> HttpResponseBase:
    """Whose photos a shared phone has found, only people know. Whoever says they are another's is asked once."""
    if request.POST.get("step") == "keep":
        visit_flow.keep_with_account(viewer, access.guest_key_of(request))
    elif viewer.user:
        request.session[_NOT_MINE] = _of(viewer)
    return redirect("my-photos")


def _of(viewer: Viewer) -> str:
    return str(viewer.guest.pk) if viewer.guest else ""
