"""A guest's devices: the address that opens a search on another one, and leaving a shared one."""

from uuid import UUID

import segno
from django.contrib import messages
from django.db.models.functions import Now
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from galleries import access
from galleries.access import Viewer
from galleries.flows import device as device_flow
from galleries.flows import notice as notice_flow
from galleries.models import ReturnLink, Selfie

from .notice import address_in
from .page import Request, page


@require_http_methods(["GET", "HEAD", "POST"])
@page
def selfie_devices(request: Request, viewer: Viewer, selfie_id: UUID) -> HttpResponseBase:
    selfie = access.selfie_for(viewer, selfie_id)
    step = request.POST.get("step")
    if step == "leave":
        return _leave(request, selfie)
    if step == "make":
        address = request.build_absolute_uri(reverse("return", args=[device_flow.lend(selfie)]))
        return _devices(request, selfie, address)
    if step == "mail":
        device_flow.mail_link(selfie, address_in(request))
        messages.success(
            request, _("The link is on its way. It works for %(n)s hours.") % {"n": device_flow.LINK_HOURS}
        )
    if step == "end":
        device_flow.end(selfie)
        messages.success(request, _("The return address no longer works."))
    if step == "end-mailed":
        device_flow.end_mailed(selfie)
        messages.success(request, _("The links in your e-mails no longer work."))
    if step == "others":
        device_flow.forget_others(selfie, access.guest_key_of(request))
        messages.success(request, _("Your photos are now open on this device only."))
    return redirect("selfie-devices", selfie.pk) if step else _devices(request, selfie)


def _devices(request: Request, selfie: Selfie, address: str = "") -> HttpResponse:
    context = {
        "selfie": selfie,
        "album": selfie.album,
        "link": selfie.link,
        "address": address,
        "code": segno.make_qr(address, error="m").svg_data_uri(scale=8, border=4, light="#fff") if address else "",
        "lent": ReturnLink.objects.filter(selfie=selfie, mailed=False).first(),
        "devices": selfie.guest.keys.count(),
        "mailed": ReturnLink.objects.filter(selfie=selfie, mailed=True, expires_at__gt=Now()).exists(),
        "mail_is_offered": notice_flow.is_offered(),
    }
    return render(request, "guest/devices.html", context)


def _leave(request: Request, selfie: Selfie) -> HttpResponseBase:
    token = selfie.link.token
    device_flow.forget(access.guest_key_of(request))
    words = _("This device has forgotten you. If you made a return address, it still leads to your photos.")
    messages.success(request, words)
    response = redirect("guest-link", token)
    access.forget_guest(response)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@page
def come_back(request: Request, viewer: Viewer, return_token: str) -> HttpResponseBase:
    """Looking leaves no trace, so that a program that reads ahead takes nothing; the button lets this device in."""
    selfie = access.returning_selfie(return_token)
    if viewer.guest and viewer.guest.pk == selfie.guest_id:
        return redirect("selfie", selfie.pk)
    if request.method != "POST":
        return render(request, "guest/return.html", {"album": selfie.album, "other": viewer.guest is not None})
    response = redirect("selfie", selfie.pk)
    access.remember_guest(response, device_flow.take(selfie))
    return response
