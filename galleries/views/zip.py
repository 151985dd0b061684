"""How a zip reaches the browser: by a page that says what comes, and starts it."""

from django.http import HttpResponse
from django.shortcuts import render

from galleries import media
from galleries.models import Archive

from .page import Request


def send_off(request: Request, archive: Archive, back: str) -> HttpResponse:
    """No redirect: zips may come from another port, and `form-action 'self'` forbids a form to end up there."""
    address = media.archive_address(request, archive)
    return render(request, "zip.html", {"archive": archive, "address": address, "back": back})
