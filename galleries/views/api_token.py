"""API tokens on their user's desk. Only for whoever signed in themselves: pages know no tokens, and the API no tokens'
tokens, so that none can widen itself or make another.
"""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from galleries import access
from galleries.access import Viewer
from galleries.flows import api_token as token_flow
from galleries.forms import DayInput, end_of, not_past
from galleries.models import Album, ApiToken

from .confirm import Question, ask, is_confirmed
from .page import Request, owners_page

_DAYS = 90


class ApiTokenForm(forms.Form):
    SCOPES = {
        "read": gettext_lazy("Read: albums, photos, links, progress"),
        "upload": gettext_lazy("Upload: send photos"),
        "manage": gettext_lazy("Manage: change and delete albums, photos and links"),
    }

    name = forms.CharField(
        label=gettext_lazy("Name"),
        required=False,
        max_length=60,
        help_text=gettext_lazy("What it is for, such as the studio's computer."),
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"),
        choices=SCOPES.items(),
        initial=["upload"],
        widget=forms.CheckboxSelectMultiple,
    )
    albums = forms.ModelMultipleChoiceField(
        Album.objects.none(),
        label=gettext_lazy("In which albums"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Tick none for all of your albums, those to come included."),
    )
    last_day = forms.DateField(
        label=gettext_lazy("Last day"),
        required=False,
        widget=DayInput(),
        help_text=gettext_lazy("Leave it empty for no end."),
    )

    def __init__(self, *args: Any, albums: QuerySet[Album], token: ApiToken | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["albums"].queryset = albums  # type: ignore[attr-defined]
        self.initial["last_day"] = timezone.localdate() + timedelta(days=_DAYS)
        self._token = token
        if token:
            ends = timezone.localdate(token.expiry) if token.expiry else None
            self.initial = {"name": token.name, "scopes": token.scopes.split(), "last_day": ends}
            self.initial["albums"] = token.albums.all()

    def clean_scopes(self) -> list[str]:
        return [scope for scope in self.SCOPES if scope in self.cleaned_data["scopes"]]

    def clean_albums(self) -> QuerySet[Album]:
        chosen: QuerySet[Album] = self.cleaned_data["albums"]
        if self._token and self._token.is_bound and not chosen:
            raise forms.ValidationError(
                gettext_lazy("Tick an album: this token is for chosen ones. For all, make a new token.")
            )
        return chosen

    def clean_last_day(self) -> date | None:
        return not_past(self.cleaned_data["last_day"])

    def said(self) -> dict[str, Any]:
        """Values by the names that flows.api_token knows."""
        said = dict(self.cleaned_data)
        said["expires_at"] = end_of(said.pop("last_day"))
        return said


@require_safe
@owners_page
def tokens(request: Request, viewer: Viewer) -> HttpResponseBase:
    rows = access.api_tokens(viewer).prefetch_related("albums").order_by("-created")
    return render(request, "tokens/tokens.html", {"tokens": rows})


@sensitive_variables("secret")
@require_http_methods(["GET", "POST"])
@owners_page
def token_new(request: Request, viewer: Viewer) -> HttpResponseBase:
    """Asks for the password, or a code, if that was not done just now: what is made here outlives a session."""
    raise_if_reauthentication_required(request, app="")
    form = ApiTokenForm(request.POST or None, albums=access.visible_to(viewer, Album))
    if form.is_valid():
        token, secret = token_flow.make(access.require_user(viewer), **form.said())
        return render(request, "tokens/made.html", {"token": token, "secret": secret})
    return render(request, "tokens/form.html", {"form": form})


@require_http_methods(["GET", "POST"])
@owners_page
def token(request: Request, viewer: Viewer, token_id: UUID) -> HttpResponseBase:
    token = access.api_token_for(viewer, token_id)
    raise_if_reauthentication_required(request, app="")
    albums = access.visible_to(viewer, Album)
    form = ApiTokenForm(request.POST or None, albums=albums, token=token)
    if form.is_valid():
        token_flow.change(token, **form.said())
        messages.success(request, _("Saved."))
        return redirect("tokens")
    return render(request, "tokens/form.html", {"form": form, "token": token})


@require_http_methods(["GET", "POST"])
@owners_page
def token_revoke(request: Request, viewer: Viewer, token_id: UUID) -> HttpResponseBase:
    """Without asking for a password again: whoever fears for a token shall not have to look for one first."""
    token = access.api_token_for(viewer, token_id)
    if not is_confirmed(request):
        question = Question(
            title=_("Revoke this token?"),
            text=_("Whatever uses it is refused from its next request on. A token cannot be had back."),
            button=_("Revoke the token"),
            back=reverse("tokens"),
        )
        return ask(request, question)
    token_flow.revoke(token)
    messages.success(request, _("The token has been revoked."))
    return redirect("tokens")
