"""Photos taken down everywhere: which, why, and whether they may come again. Adding one is doing it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from galleries.flows import takedown as takedown_flow
from galleries.models import Photo, Takedown

from .rows import FewPages, Rows

AT_ONCE = 50


class TakedownForm(forms.Form):
    what = forms.CharField(
        label=_("Which photos"),
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=20_000,
        help_text=_("An address that names the photo, its id, or the SHA-256 of its file; several, one a line."),
    )
    reason = forms.ChoiceField(label=_("Reason"), choices=Takedown.Reason.choices)
    is_barred = forms.BooleanField(
        label=_("It may not be uploaded again"),
        required=False,
        initial=True,
        help_text=_("This knows the file itself. The same picture saved anew is another file."),
    )

    def clean_what(self) -> list[str]:
        """Hashes of files, each once."""
        said = self.cleaned_data["what"].split()
        if len(said) > AT_ONCE:
            raise forms.ValidationError(_("At most %(count)s photos at once, please.") % {"count": AT_ONCE})
        hashes = {text: takedown_flow.hash_of(text) for text in said}
        if unknown := [text for text, sha256 in hashes.items() if not sha256]:
            words = _("No photo is known by this: %(text)s")
            raise forms.ValidationError([words % {"text": text[:80]} for text in unknown])
        return list(dict.fromkeys(hashes.values()))


@admin.register(Takedown)
class TakedownAdmin(Rows):
    list_display = ["__str__", "reason", "is_barred", "copies", "made_by", "made_at"]
    list_filter = ["reason", "is_barred", "made_at"]
    search_fields = ["=sha256"]
    list_select_related = ["made_by"]
    paginator = FewPages
    show_full_result_count = False
    actions = ["allow_again"]
    readonly_fields = ("sha256", "reason", "is_barred", "copies", "made_by", "made_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and request.user.has_perm("galleries.delete_photo")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It says that something was done."""
        return False

    def add_view(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        """Asks which, shows what there is of it, asks again, and does it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = TakedownForm(request.POST or None, initial={"what": request.GET.get("what", "").replace(" ", "\n")})
        found = _copies(form.cleaned_data["what"]) if form.is_valid() else []
        if found and request.POST.get("confirmed"):
            return self._take_down(request, form.cleaned_data)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Take photos down everywhere"),
            "opts": self.opts,
            "form": form,
            "found": found,
        }
        return TemplateResponse(request, "admin/galleries/takedown/add.html", context)

    def _take_down(self, request: HttpRequest, said: dict[str, Any]) -> HttpResponse:
        facts = {"reason": said["reason"], "is_barred": said["is_barred"], "by": request.user}
        copies = sum(takedown_flow.take_down(sha256, **facts) for sha256 in said["what"])
        messages.success(request, _("%(count)s copies have been deleted.") % {"count": copies})
        return redirect("admin:galleries_takedown_changelist")

    @admin.action(description=_("Allow to be uploaded again"), permissions=["add"])
    def allow_again(self, request: HttpRequest, queryset: QuerySet[Takedown]) -> None:
        for each in queryset:
            takedown_flow.allow_again(each)
        messages.success(request, _("They may be uploaded again."))


def _copies(hashes: list[str]) -> list[dict[str, Any]]:
    """Of each file its copies, as far as they can be read on one page, and how many there are."""
    found = []
    for sha256 in hashes:
        copies = Photo.objects.filter(sha256=sha256).select_related("album__owner")
        found.append({"sha256": sha256, "count": copies.count(), "copies": copies[:20]})
    return found
