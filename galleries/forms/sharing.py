"""Whom an album is shared with: links, and those who work on it."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from galleries.models import Collaborator, Link
from galleries.models.album import not_past

from .fields import PASSWORD_LENGTH, DayInput, PasswordToShare, end_of


class LinkForm(forms.ModelForm):
    can_browse = forms.BooleanField(
        label=_("Guests may see all photos"),
        required=False,
        help_text=_("Otherwise each guest sees only the photos they are in."),
    )
    can_download = forms.BooleanField(label=_("Guests may download"), required=False, initial=True)
    password = forms.CharField(
        label=_("Password"),
        required=False,
        strip=False,
        max_length=PASSWORD_LENGTH,
        widget=PasswordToShare(attrs={"autocomplete": "off"}),
        help_text=_("Guests are asked for it once. Leave it empty for none."),
    )
    last_day = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=DayInput(),
        validators=[not_past],
        help_text=format_lazy(
            _("The link works until the end of this day ({zone}). Leave it empty for no end."), zone=settings.TIME_ZONE
        ),
    )
    max_uses = forms.IntegerField(
        label=_("New guests at most"),
        required=False,
        min_value=1,
        max_value=1_000_000,
        help_text=_("Leave it empty for any number."),
    )

    class Meta:
        model = Link
        fields = ["can_browse", "can_download", "max_uses"]

    field_order = ["can_browse", "can_download", "password", "last_day", "max_uses"]

    def changes(self) -> dict[str, Any]:
        """Values by the names that Link.make and visit.change_link know."""
        said = dict(self.cleaned_data)
        said["expires_at"] = end_of(said.pop("last_day"))
        return said


class LinkEditForm(LinkForm):
    """The password is not shown again: empty keeps it. `may_lock`: to change it is the album's owner's."""

    remove_password = forms.BooleanField(label=_("No password any more"), required=False)

    field_order = ["can_browse", "can_download", "password", "remove_password", "last_day", "max_uses"]

    def __init__(self, *args: Any, may_lock: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.expires_at:
            self.initial["last_day"] = timezone.localdate(self.instance.expires_at)
        if self.instance.needs_password:
            self.fields["password"].label = _("New password")
            self.fields["password"].help_text = _("Leave it empty to keep the one it has.")
        else:
            del self.fields["remove_password"]
        if not may_lock:
            del self.fields["password"]
            self.fields.pop("remove_password", None)

    def changes(self) -> dict[str, Any]:
        said = super().changes()
        if said.pop("remove_password", False):
            return said | {"password": ""}
        if not said.get("password"):
            said.pop("password", None)
        return said


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=Collaborator.Role.choices)


class CollaboratorForm(RoleForm):
    email = forms.EmailField(label=_("E-mail address of their account"))

    field_order = ["email", "role"]
