"""Invitations: made here, their link shown once, and mailed where the site knows its own address."""

from typing import Any

from django.contrib import admin, messages
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from galleries.flows import invitation as invitation_flow
from galleries.models import Invitation, User

from .rows import Rows


class InvitationForm(ModelForm):
    class Meta:
        model = Invitation
        fields = ["email"]

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if User.objects.filter(email__iexact=email).exists():
            self.add_error("email", _("There is an account with this address already."))
        return email

    def validate_constraints(self) -> None:
        """An earlier invitation of the same address gives way to the new one."""


@admin.register(Invitation)
class InvitationAdmin(Rows):
    form = InvitationForm
    list_display = ["email", "invited_by", "created_at", "used_at"]
    search_fields = ["email"]
    list_select_related = ["invited_by"]
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        made, token = invitation_flow.invite(obj.email, by=request.user)  # type: ignore[arg-type]
        obj.pk = made.pk
        address = request.build_absolute_uri(reverse("invited", args=[token]))
        words = _("Copy this link now, it is shown this once: {}")
        messages.warning(request, format_html(str(words), format_html("<code>{}</code>", address)))
