"""Asking once more before something is gone. One page for all of them; it works without JavaScript."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


@dataclass(frozen=True)
class Question:
    """`fields` are sent along with the answer, as (name, value); `back` is where a no leads."""

    title: str
    text: str
    button: str
    back: str
    fields: Iterable[tuple[str, str]] = ()


def is_confirmed(request: HttpRequest) -> bool:
    return request.method == "POST" and request.POST.get("confirmed") == "yes"


def ask(request: HttpRequest, question: Question) -> HttpResponse:
    return render(request, "confirm.html", {"question": question})
