"""The searches of an album, for its owner: when, by which link, with what outcome; and alerts. Nobody's name."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from galleries import access
from galleries.access import Viewer
from galleries.flows import watch
from galleries.models import Album
from galleries.models.audit import KEPT_DAYS

from .page import Request, owners_page

_A_PAGE = 50
_OUTCOMES = {
    "waiting": gettext_lazy("waiting"),
    "done": gettext_lazy("searched"),
    "no_face": gettext_lazy("no face"),
    "several_faces": gettext_lazy("several faces"),
    "face_too_small": gettext_lazy("face too small"),
    "face_blurred": gettext_lazy("blurred"),
    "damaged": gettext_lazy("damaged picture"),
    "another_person": gettext_lazy("refused: another person than before"),
    "album_photo": gettext_lazy("refused: a photo of this album"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@owners_page
def album_searches(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    album = access.album_for(viewer, album_id)
    if request.method == "POST":
        return _settle(request, viewer, album)
    page = Paginator(album.search_records.select_related("link"), _A_PAGE).get_page(request.GET.get("page"))
    rows = [(record, _OUTCOMES.get(record.outcome, _("failed"))) for record in page]
    alerts = album.alerts.select_related("link")
    context = {"album": album, "page": page, "rows": rows, "alerts": alerts, "days": KEPT_DAYS}
    return render(request, "album/searches.html", context)


def _settle(request: Request, viewer: Viewer, album: Album) -> HttpResponseBase:
    watch.settle(access.alert_for(viewer, album, _id_or_404(request.POST.get("alert", ""))))
    messages.success(request, _("All right. Nobody is slowed down for it any more."))
    return redirect("album-searches", album.pk)


def _id_or_404(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error
