"""Links: made, shown with their QR code, changed, switched off, deleted."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from galleries import access
from galleries.access import Action, Viewer
from galleries.flows import stats, visit
from galleries.forms import LinkEditForm, LinkForm
from galleries.models import Link

from .confirm import Question, ask, is_confirmed
from .page import Request, owners_page


@require_http_methods(["GET", "POST"])
@owners_page
def album_link_new(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id, Action.SHARE)
    form = LinkForm(request.POST or None)
    if form.is_valid():
        return redirect("link", Link.make(album, **form.changes()).pk)
    return render(request, "sharing/new.html", {"album": album, "form": form})


@require_http_methods(["GET", "POST"])
@owners_page
def link(request: Request, viewer: Viewer, link_id: UUID) -> HttpResponseBase:
    link = access.link_for(viewer, link_id)
    if request.method == "POST" and (switch := request.POST.get("enabled")):
        visit.change_link(link, enabled=switch == "yes")
        return redirect("link", link.pk)
    may_own = access.can(viewer, Action.OWN, link)
    form = LinkEditForm(request.POST or None, instance=link, may_lock=may_own)
    if form.is_valid():
        visit.change_link(link, **form.changes())
        messages.success(request, _("Saved."))
        return redirect("link", link.pk)
    context = {"link": link, "form": form, "may_own": may_own, "address": _address(request, link)} | stats.of_link(link)
    return render(request, "sharing/link.html", context)


def _address(request: Request, link: Link) -> str:
    return request.build_absolute_uri(reverse("guest-link", args=[link.token]))


@require_safe
@owners_page
def link_poster(request: Request, viewer: Viewer, link_id: UUID) -> HttpResponseBase:
    """One sheet of A5 to be printed and put up: what guests do, and the code that leads them there."""
    link = access.link_for(viewer, link_id)
    return render(
        request, "sharing/poster.html", {"link": link, "album": link.album, "address": _address(request, link)}
    )


@require_http_methods(["GET", "POST"])
@owners_page
def link_delete(request: Request, viewer: Viewer, link_id: UUID) -> HttpResponseBase:
    link = access.link_for(viewer, link_id)
    if not is_confirmed(request):
        return ask(request, _about_deleting(link))
    visit.delete_link(link)
    messages.success(request, _("The link has been deleted."))
    return redirect("album", link.album_id)


def _about_deleting(link: Link) -> Question:
    return Question(
        title=_("Delete this link?"),
        text=_(
            "Whoever came by it loses access at once, and their searches are erased. "
            "Printed QR codes of it stop working. To pause it, switch it off instead."
        ),
        button=_("Delete the link"),
        back=reverse("link", args=[link.pk]),
    )
