"""The manual, /help/: its contents and what is looked for in it, and its chapters."""

from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from galleries import manual
from galleries.access import Viewer

from .page import Request, page

_LONGEST_QUERY = 100


@require_safe
@page
def contents(request: Request, viewer: Viewer) -> HttpResponseBase:
    query = request.GET.get("q", "")[:_LONGEST_QUERY].strip()
    context = {"query": query, "hits": manual.find(query), "parts": [_with_tasks(part) for part in manual.PARTS]}
    return render(request, "help/contents.html", context)


@require_safe
@page
def part(request: Request, viewer: Viewer, part: str) -> HttpResponseBase:
    return render(request, "help/part.html", {"part": _with_tasks(_part(part))})


@require_safe
@page
def chapter(request: Request, viewer: Viewer, part: str, chapter: str) -> HttpResponseBase:
    known = _part(part)
    chosen = next((each for each in known.chapters if each.name == chapter), None)
    if chosen is None:
        raise Http404
    text = manual.rendered(chosen, f"{request.scheme}://{request.get_host()}")
    context = {"part": known, "chapter": chosen, "tasks": manual.sections(text), "text": text}
    return render(request, "help/chapter.html", context)


def _part(name: str) -> manual.Part:
    known = next((each for each in manual.PARTS if each.name == name), None)
    if known is None:
        raise Http404
    return known


def _with_tasks(part: manual.Part) -> tuple[manual.Part, list[tuple[manual.Chapter, list[manual.Section]]]]:
    return part, [(chapter, manual.sections(manual.rendered(chapter))) for chapter in part.chapters]
