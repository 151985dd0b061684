"""Who comes in: staff, with a second step at sign-in where the site wants one."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

admin.site.site_header = admin.site.site_title = "Pixora"
_is_staff = admin.site.has_permission


def _may_enter(request: HttpRequest) -> bool:
    return _is_staff(request) and not _lacks_second_factor(request)


def _lacks_second_factor(request: HttpRequest) -> bool:
    return settings.PIXORA_STAFF_NEED_MFA and not is_mfa_enabled(request.user)


@secure_admin_login
def _login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
    """Only staff who are signed in come here: they lack the second factor, or came by this address."""
    if not _lacks_second_factor(request):
        return redirect("admin:index")
    messages.warning(request, _("The administration wants a second step at sign-in. Set it up here, then go on."))
    return redirect("mfa_index")


admin.site.has_permission = _may_enter  # type: ignore[method-assign]
admin.site.login = _login  # type: ignore[method-assign]
