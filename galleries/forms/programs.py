"""What is made for programs: API tokens, webhooks. Each is for chosen albums, or for all of them."""

from datetime import timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from galleries.models import Album, ApiToken, Webhook
from galleries.models.album import not_past
from galleries.models.webhook import Event

from .fields import DayInput, end_of

_TOKEN_DAYS = 90


class OfAlbums(forms.Form):
    """For chosen albums, or with none ticked for all. What was made for chosen ones is not opened to all by that: of
    those that were deleted none are left to be ticked.
    """

    albums = forms.ModelMultipleChoiceField(
        Album.objects.none(),
        label=_("Albums"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Tick none for all of your albums, those to come included."),
    )

    def __init__(
        self, *args: Any, albums: QuerySet[Album], made: ApiToken | Webhook | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["albums"].queryset = albums  # type: ignore[attr-defined]
        self._made = made
        if made:
            self.initial["albums"] = made.albums.all()

    def clean_albums(self) -> QuerySet[Album]:
        chosen: QuerySet[Album] = self.cleaned_data["albums"]
        if self._made and self._made.is_bound and not chosen:
            raise forms.ValidationError(_("Tick an album: this is for chosen ones. For all, make a new one."))
        return chosen


class ApiTokenForm(OfAlbums):
    SCOPES = {
        "read": _("Read: albums, photos, links, progress"),
        "upload": _("Upload: send photos"),
        "manage": _("Manage: change and delete albums, photos and links"),
    }

    name = forms.CharField(
        label=_("Name"), required=False, max_length=60, help_text=_("What it is for, such as the studio's computer.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"), choices=SCOPES.items(), initial=["upload"], widget=forms.CheckboxSelectMultiple
    )
    last_day = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=DayInput(),
        validators=[not_past],
        help_text=_("Leave it empty for no end."),
    )

    field_order = ["name", "scopes", "albums", "last_day"]

    def __init__(self, *args: Any, token: ApiToken | None = None, **kwargs: Any) -> None:
        super().__init__(*args, made=token, **kwargs)
        if token:
            ends = timezone.localdate(token.expiry) if token.expiry else None
            self.initial.update(name=token.name, scopes=token.scopes.split(), last_day=ends)
        else:
            self.initial["last_day"] = timezone.localdate() + timedelta(days=_TOKEN_DAYS)

    def clean_scopes(self) -> list[str]:
        return [scope for scope in self.SCOPES if scope in self.cleaned_data["scopes"]]

    def said(self) -> dict[str, Any]:
        """Values by the names that flows.api_token knows."""
        said = dict(self.cleaned_data)
        said["expires_at"] = end_of(said.pop("last_day"))
        return said


class WebhookForm(OfAlbums):
    name = forms.CharField(label=_("Name"), required=False, max_length=60, help_text=_("What it is for."))
    url = forms.CharField(
        label=_("Address"),
        max_length=1000,
        widget=forms.URLInput(attrs={"placeholder": "https://", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Where your program listens. What happened is sent there as JSON."),
    )
    events = forms.MultipleChoiceField(
        label=_("What it is told"), choices=Event.choices, widget=forms.CheckboxSelectMultiple
    )

    field_order = ["name", "url", "events", "albums"]

    def __init__(self, *args: Any, webhook: Webhook | None = None, **kwargs: Any) -> None:
        super().__init__(*args, made=webhook, **kwargs)
        if webhook:
            self.initial.update(name=webhook.name, url=webhook.url, events=webhook.event_list())
