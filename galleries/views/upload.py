"""The two things of an upload that are not the API's: doing it without JavaScript, and coming back after signing in."""

from collections import Counter
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from galleries import access
from galleries.access import Action, Viewer
from galleries.flows import photo as photo_flow

from .page import Request, owners_page


@require_http_methods(["GET", "HEAD", "POST"])
@owners_page
def album_upload(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    """POST: upload without JavaScript; with it, the page sends files to the API one by one.

    GET: where signing in during an upload ends, and where the page that uploads learns that it may go on.
    """
    album = access.album_for(viewer, album_id, Action.UPLOAD)
    if request.method != "POST":
        return render(request, "album/signed_in.html", {"album": album})
    receptions = [photo_flow.receive(album, f.name or "", "", f.chunks()) for f in request.FILES.getlist("file")]
    if not receptions:
        messages.warning(request, _("Choose some photos first."))
        return redirect("album", album.pk)
    outcomes = Counter(str(reception.outcome) for reception in receptions)
    text = _("Received: %(accepted)s. Here already: %(duplicate)s. Could not be used: %(rejected)s.")
    messages.info(request, text % {str(each): outcomes[each] for each in photo_flow.Outcome})
    return redirect("album", album.pk)
