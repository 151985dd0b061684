"""Who works on an album beside its owner: the owner's list, and a collaborator's way out."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from galleries import access
from galleries.access import Action, Viewer
from galleries.errors import Refusal
from galleries.flows import collaborator as collaborator_flow
from galleries.forms import CollaboratorForm, RoleForm
from galleries.models import Album, Collaborator

from .confirm import Question, ask, is_confirmed
from .page import Request, owners_page, told_by


@require_http_methods(["GET", "HEAD", "POST"])
@owners_page
def album_collaborators(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id, Action.OWN)
    form = CollaboratorForm(request.POST or None)
    if form.is_valid():
        with told_by(form):
            collaborator_flow.add(album, form.cleaned_data["email"], form.cleaned_data["role"])
            messages.success(request, _("Added. The album is in their list now."))
            return redirect("album-collaborators", album.pk)
    there = album.collaborators.select_related("user")
    context = {"album": album, "form": form, "there": there, "roles": Collaborator.Role.choices}
    return render(request, "sharing/collaborators.html", context)


@require_POST
@owners_page
def album_collaborator(request: Request, viewer: Viewer, album_id: UUID, collaborator_id: UUID) -> HttpResponseBase:
    """Another role, or none."""
    album = access.album_for(viewer, album_id, Action.OWN)
    collaborator = access.collaborator_for(viewer, album, collaborator_id)
    if "remove" in request.POST:
        collaborator_flow.remove(collaborator)
        messages.success(request, _("Removed. The album is closed to them from now on."))
        return redirect("album-collaborators", album.pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise Refusal("invalid", _("This is not a role we know."))
    collaborator_flow.change_role(collaborator, form.cleaned_data["role"])
    messages.success(request, _("Saved."))
    return redirect("album-collaborators", album.pk)


@require_POST
@owners_page
def album_leave(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id, Action.INSPECT)
    if not is_confirmed(request):
        return ask(request, _about_leaving(album))
    collaborator_flow.leave(album, access.require_user(viewer))
    messages.success(request, _("You have left “%(title)s”.") % {"title": album.title})
    return redirect("albums")


def _about_leaving(album: Album) -> Question:
    return Question(
        title=_("Leave “%(title)s”?") % {"title": album.title},
        text=_("The album goes from your list. Only its owner can let you in again."),
        button=_("Leave the album"),
        back=reverse("album", args=[album.pk]),
    )
