"""A guest's search: the wait, the result, their word on it, its zip, and its end."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from galleries import access
from galleries.access import Action, Viewer
from galleries.errors import Refusal
from galleries.flows import archive as archive_flow
from galleries.flows import notice as notice_flow
from galleries.flows import selfie as selfie_flow
from galleries.forms import VerdictForm, ZipForm
from galleries.models import Match, Selfie

from .confirm import Question, ask, is_confirmed
from .guest import selfie_form, with_camera
from .page import Request, page, whole_number
from .result import result_page, searched, shown_by, sure_run
from .zip import send_off

_TEMPLATES = {
    Selfie.State.QUEUED: "selfie/waiting.html",
    Selfie.State.WORKING: "selfie/waiting.html",
    Selfie.State.EXPIRED: "selfie/expired.html",
}
_TITLES = {
    "no_face": gettext_lazy("We see no face"),
    "several_faces": gettext_lazy("Only you, please"),
    "face_too_small": gettext_lazy("Come closer"),
    "face_blurred": gettext_lazy("Hold still"),
    "another_person": gettext_lazy("Only your own photos"),
    "album_photo": gettext_lazy("A fresh selfie, please"),
}


@require_safe
@page
def selfie(request: Request, viewer: Viewer, selfie_id: UUID) -> HttpResponseBase:
    selfie = access.selfie_for(viewer, selfie_id)
    state = selfie.state_now
    context: dict[str, Any] = {"selfie": selfie, "album": selfie.album, "link": selfie.link}
    if state == Selfie.State.DONE:
        return _done(request, selfie, context)
    if state == Selfie.State.FAILED:
        return with_camera(render(request, "selfie/failed.html", context | _once_more(selfie)))
    if state != Selfie.State.EXPIRED:
        context |= {"total": selfie_flow.progress(selfie)[1]}
    return render(request, _TEMPLATES[state], context)


def _done(request: Request, selfie: Selfie, context: dict[str, Any]) -> HttpResponse:
    shown = shown_by(request.GET)
    if request.htmx and "start" in request.GET:
        return render(request, "selfie/more.html", sure_run(selfie, whole_number(request, "start"), shown))
    judged = _judged(selfie, request.GET.get("judged", ""))
    context |= {"mail_is_offered": notice_flow.is_offered()}
    return render(request, "selfie/done.html", context | result_page(selfie, shown, judged))


def _judged(selfie: Selfie, photo_id: str) -> Match | None:
    """The match that the guest has just said something of, which they may take back."""
    try:
        return selfie.matches.exclude(verdict="").select_related("photo").filter(photo=UUID(photo_id)).first()
    except ValueError:
        return None


def _once_more(selfie: Selfie) -> dict[str, Any]:
    """What was wrong, and the form for another try, with what its guest agreed to a moment ago."""
    words = selfie_flow.WORDS[selfie.code]
    title = _TITLES.get(selfie.code, _("Once more, please"))
    said = {"agreed": True, "posted": selfie.keep_me_posted, "hint": f"{title}."}
    return {"words": words, "title": title} | said | selfie_form()


@require_safe
@page
def selfie_status(request: Request, viewer: Viewer, selfie_id: UUID) -> HttpResponseBase:
    """The part of the page that waits. Once the search is over, the browser is told to load the whole page anew."""
    selfie = access.selfie_for(viewer, selfie_id)
    state = selfie.state_now
    if state == Selfie.State.DONE and "seen" in request.GET:
        seen = whole_number(request, "seen")
        fresh = max(0, selfie_flow.result(selfie).count() - seen)
        return render(request, "selfie/searched.html", {"selfie": selfie, "fresh": fresh} | searched(selfie, seen))
    if state in Selfie.WAITING:
        return render(request, "selfie/status.html", {"selfie": selfie, "total": selfie_flow.progress(selfie)[1]})
    return HttpResponse(headers={"HX-Refresh": "true"})


@require_POST
@page
def selfie_feedback(request: Request, viewer: Viewer, selfie_id: UUID) -> HttpResponseBase:
    selfie = access.selfie_for(viewer, selfie_id)
    form = VerdictForm(request.POST)
    if not form.is_valid():
        raise Refusal("invalid", _("Say of a photo whether it is you."))
    judged = selfie_flow.judge(selfie, form.cleaned_data["photo"], form.cleaned_data["verdict"])
    if request.htmx:
        return render(request, "selfie/result.html", result_page(selfie, shown_by(request.POST), judged))
    return redirect(f"{reverse('selfie', args=[selfie.pk])}?judged={judged.photo_id}")


@require_POST
@page
def selfie_zip(request: Request, viewer: Viewer, selfie_id: UUID) -> HttpResponseBase:
    selfie = access.selfie_for(viewer, selfie_id)
    form = ZipForm(request.POST)
    if not form.is_valid():
        raise Refusal("invalid", _("This is not a size we know, or not a photo."))
    archive = archive_flow.of_selfie(viewer, selfie, form.cleaned_data["photo"] or None, form.cleaned_data["size"])
    return send_off(request, archive, back=reverse("selfie", args=[selfie.pk]))


@require_http_methods(["GET", "POST"])
@page
def selfie_withdraw(request: Request, viewer: Viewer, selfie_id: UUID) -> HttpResponseBase:
    selfie = access.selfie_for(viewer, selfie_id, Action.OWN)
    if not is_confirmed(request):
        return ask(request, _about_withdrawing(selfie))
    token = selfie.link.token
    if selfie_flow.withdraw(selfie):
        words = _(
            "This search is erased. To erase all that we know of your face, withdraw your other searches here too."
        )
    else:
        words = _("Your consent is withdrawn. Your search and all that we knew of your face are erased.")
    messages.success(request, words)
    return redirect("guest-link", token)


def _about_withdrawing(selfie: Selfie) -> Question:
    return Question(
        title=_("Withdraw your consent?"),
        text=_(
            "Your search, its result and all that we know of your face are erased at once. "
            "For 30 days it stays noted that there was a search, without picture or name. "
            "The photos stay in the photographer's album. You can search again later with a new selfie."
        ),
        button=_("Withdraw and erase"),
        back=reverse("selfie", args=[selfie.pk]),
    )
