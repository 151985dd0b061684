"""The site's settings: what may be changed here, and beside it what the environment says."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import intcomma
from django.forms import Form, ModelForm, TextInput
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from galleries.flows import deed
from galleries.models import SiteSettings
from galleries.models.deed import Verb

from .rows import Rows

# Those that say how the machine is run, and hold no secret. Their values are shown.
_OF_THE_MACHINE = (
    "PIXORA_PUBLIC_URL", "PIXORA_DEBUG", "PIXORA_TRUSTED_PROXIES", "PIXORA_STAFF_NEED_MFA", "PIXORA_SENDFILE",
    "PIXORA_MAX_FILE_BYTES", "PIXORA_MIN_FREE_BYTES", "PIXORA_MAX_PIXELS", "PIXORA_DETECTOR", "PIXORA_FACE_MODEL",
    "PIXORA_WORKERS", "PIXORA_SELFIES_WAITING", "PIXORA_ZIP_STREAMS", "PIXORA_INDEX_MEGABYTES", "PIXORA_TIME_ZONE",
)  # fmt: skip
_MAY_BE_NONE = ("photo_limit", "byte_limit", "album_limit", "search_limit")
# By another name in the settings.
_NAMES = {"PIXORA_DEBUG": "DEBUG", "PIXORA_TIME_ZONE": "TIME_ZONE"}


class SiteForm(ModelForm):
    """Says beside each limit what it is by default."""

    class Meta:
        model = SiteSettings
        fields = ["sign_up", "album_days", "brand_name", "accent", "contact", "imprint_url", "privacy_url"]
        fields += list(SiteSettings.LIMITS)
        widgets = {"accent": TextInput(attrs={"placeholder": "#a53a1d"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, setting in SiteSettings.LIMITS.items():
            if name in self.fields:
                self.fields[name].help_text = _usual(name, getattr(settings, setting))


def _usual(name: str, value: int) -> str:
    """What an empty field means, in numbers that can be read."""
    if name in _MAY_BE_NONE and not value:
        return str(_("Empty or 0: no limit."))
    shown = filesizeformat(value) if name == "byte_limit" else intcomma(value)
    words = _("Empty: %(value)s. 0: no limit.") if name in _MAY_BE_NONE else _("Empty: %(value)s.")
    return words % {"value": shown}


@admin.register(SiteSettings)
class SiteSettingsAdmin(Rows):
    form = SiteForm

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [
            (_("New accounts and albums"), {"fields": ["sign_up", "album_days"]}),
            (_("Limits"), {"fields": [name for name in SiteSettings.LIMITS if not SiteSettings.is_fixed(name)]}),
            (_("Brand"), {"fields": ["brand_name", "accent", "contact", "imprint_url", "privacy_url"]}),
            (_("Said by the environment"), {"fields": ["of_the_machine"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """A limit that the environment says is among what it says."""
        return ["of_the_machine"]

    @admin.display(description=_("settings"))
    def of_the_machine(self, row: SiteSettings) -> SafeString:
        limits = [setting for name, setting in SiteSettings.LIMITS.items() if row.is_fixed(name)]
        said = ((name, getattr(settings, _NAMES.get(name, name))) for name in (*limits, *_OF_THE_MACHINE))
        return format_html("<ul>{}</ul>", format_html_join("", "<li><code>{}</code> = <code>{}</code></li>", said))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """There is one: here it is."""
        if not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        row = SiteSettings.objects.get_or_create()[0]
        return redirect(reverse("admin:galleries_sitesettings_change", args=[row.pk]))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: SiteSettings, form: Form, change: bool) -> None:
        super().save_model(request, obj, form, change)
        deed.record(Verb.SITE_CHANGED, obj, fields=sorted(form.changed_data))
