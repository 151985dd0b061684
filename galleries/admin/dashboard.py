"""The desk's first page: how the site does, above what there is to work on."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.sites import AdminSite
from django.http import HttpRequest, HttpResponse

from galleries import access
from galleries.flows import dashboard


def _index(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    context = dict(extra_context or {})
    if access.sees_numbers_of_the_site(request):
        context["dashboard"] = dashboard.look()
    return AdminSite.index(admin.site, request, context)


admin.site.index = _index  # type: ignore[method-assign, assignment]
