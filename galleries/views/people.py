"""The people of an album, for those who work on it: their faces, what they are called, and what was mistaken."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from galleries import access
from galleries.access import Action, Viewer
from galleries.flows import people as people_flow
from galleries.forms import PeopleForm, PersonForm, PhotosForm
from galleries.models import Album, Person

from .confirm import Question, ask, is_confirmed
from .page import Request, owners_page

_A_PAGE = 60
_IN_STRIP = 12


def strip(album: Album) -> dict[str, Any]:
    """The few who are seen most, for the album's own page."""
    progress = people_flow.progress(album)
    shown = people_flow.listed(album)[:_IN_STRIP] if progress.state != "off" else []
    return {"people": shown, "people_progress": progress}


@require_http_methods(["GET", "HEAD", "POST"])
@owners_page
def album_people(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    if request.method == "POST":
        return _switch(request, viewer, access.album_for(viewer, album_id, Action.OWN))
    album = access.album_for(viewer, album_id, Action.INSPECT)
    hidden = request.GET.get("hidden") == "yes"
    context = {
        "album": album,
        "may": access.actions_on(viewer, album),
        "people_progress": people_flow.progress(album),
        "page": Paginator(people_flow.listed(album, hidden=hidden), _A_PAGE).get_page(request.GET.get("page")),
        "hidden": hidden,
        "hidden_count": album.people.filter(hidden=True).count(),
        "legal_basis": album.legal_bases.first(),
    }
    return render(request, "people/people.html", context)


def _switch(request: Request, viewer: Viewer, album: Album) -> HttpResponseBase:
    on = request.POST.get("on") == "yes"
    if not on and not is_confirmed(request):
        return ask(request, _about_switching_off(album))
    people_flow.switch(album, on, by=viewer.user)
    messages.success(request, _("People are being looked for.") if on else _("All groups and names are deleted."))
    return redirect("album-people", album.pk)


def _about_switching_off(album: Album) -> Question:
    return Question(
        title=_("Stop grouping people?"),
        text=_("All groups and all names of this album are deleted at once. The photos and the face search stay."),
        button=_("Stop and delete groups and names"),
        back=reverse("album-people", args=[album.pk]),
        fields=[("on", "no")],
    )


@require_POST
@owners_page
def album_people_merge(request: Request, viewer: Viewer, album_id: UUID) -> HttpResponseBase:
    """The one with a name is who they all are; of several, the one in most photos."""
    album = access.album_for(viewer, album_id, Action.EDIT)
    form = PeopleForm(request.POST)
    if not form.is_valid() or len(set(form.cleaned_data["person"])) < 2:
        messages.warning(request, _("Tick two faces or more that are the same person."))
        return redirect("album-people", album.pk)
    chosen = access.people_in(viewer, album, form.cleaned_data["person"])
    counted = Person.objects.filter(pk__in=[each.pk for each in chosen]).counted()
    first, *others = sorted(counted, key=lambda each: not each.name)
    people_flow.merge(first, others)
    messages.success(request, _("They are one person now."))
    return redirect(_at(first))


@require_POST
@owners_page
def person(request: Request, viewer: Viewer, person_id: UUID) -> HttpResponseBase:
    """A name, or out of the list and back."""
    person = access.person_for(viewer, person_id, Action.EDIT)
    if "hidden" in request.POST:
        people_flow.describe(person, hidden=request.POST["hidden"] == "yes")
        return redirect("album-people", person.album_id)
    form = PersonForm(request.POST, instance=person)
    if form.is_valid():
        people_flow.describe(person, name=form.cleaned_data["name"])
        messages.success(request, _("Saved."))
    else:
        messages.warning(request, str(next(iter(form.errors.values()))[0]))
    return redirect(_at(person))


def _at(person: Person) -> str:
    return f"{reverse('album-people', args=[person.album_id])}#who-{person.pk}"


@require_POST
@owners_page
def person_remove(request: Request, viewer: Viewer, person_id: UUID) -> HttpResponseBase:
    person = access.person_for(viewer, person_id, Action.EDIT)
    form = PhotosForm(request.POST)
    if form.is_valid():
        count = people_flow.remove(person, form.cleaned_data["photo"])
        words = ngettext("Not this person in %(n)s photo.", "Not this person in %(n)s photos.", count)
        messages.success(request, words % {"n": count})
    else:
        messages.warning(request, str(next(iter(form.errors.values()))[0]))
    return redirect(f"{reverse('album', args=[person.album_id])}?person={person.pk}#photos")
