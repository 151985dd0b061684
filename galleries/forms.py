"""What people type into pages -> typed values."""

import uuid
from datetime import date, datetime, time
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import password_validation
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from galleries.models import Album, Archive, Collaborator, LegalBasis, Link, Match, Person, Topic
from galleries.models.album import MOST_PERSONS_A_GUEST
from galleries.models.mail import LONGEST_ADDRESS

_PASSWORD_LENGTH = 128
# --accent of static/css/pixora.css.
PIXORAS_ACCENT = "#a53a1d"


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


def not_past(day: date | None) -> date | None:
    if day and day < timezone.localdate():
        raise forms.ValidationError(_("This day lies in the past."))
    return day


def end_of(day: date | None) -> datetime | None:
    return datetime.combine(day, time.max, tzinfo=timezone.get_default_timezone()) if day else None


class PasswordToShare(forms.TextInput):
    """Readable while it is typed, for it is to be told to guests; never sent back with a form that has a fault."""

    def format_value(self, value: Any) -> None:
        return None


class AlbumForm(forms.ModelForm):
    class Meta:
        model = Album
        fields = ["title", "event_date", "kept_until"]
        widgets = {"event_date": DayInput(), "kept_until": DayInput()}
        help_texts = {
            "kept_until": _("The album is deleted the day after. Empty: it is kept until somebody deletes it."),
        }

    def clean_kept_until(self) -> date | None:
        return not_past(self.cleaned_data["kept_until"])


class BrandForm(forms.ModelForm):
    """How the album shows itself to guests. A colour field is never empty, so a tick says whether it counts."""

    logo = forms.FileField(
        label=_("Logo"),
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
        help_text=_("PNG, JPEG or WebP of at most 5 MB."),
    )
    remove_logo = forms.BooleanField(label=_("No logo any more"), required=False)
    own_accent = forms.BooleanField(label=_("An accent colour of my own"), required=False)

    class Meta:
        model = Album
        fields = ["brand_name", "welcome", "accent", "link_preview"]
        labels = {"brand_name": _("Your name"), "link_preview": _("Previews of the link show title and cover")}
        help_texts = {
            "brand_name": _("Yours or your studio's. Guests see it on top of their pages."),
            "welcome": _("A few words to your guests, on the page that the link opens."),
            "accent": _("Made a little darker or lighter where it would be hard to read."),
            "link_preview": _(
                "In messengers, for anybody who is sent the link. Otherwise they show neither. "
                "Switched off, the picture is gone at once; a messenger may have kept its copy."
            ),
        }
        widgets = {"welcome": forms.Textarea(attrs={"rows": 3}), "accent": forms.TextInput(attrs={"type": "color"})}

    field_order = ["brand_name", "logo", "remove_logo", "welcome", "own_accent", "accent", "link_preview"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["own_accent"] = bool(self.instance.accent)
        self.initial["accent"] = self.instance.accent or PIXORAS_ACCENT
        if not self.instance.logo_key:
            del self.fields["remove_logo"]

    def changes(self) -> dict[str, Any]:
        """Values by the names that flows.brand.change knows."""
        said = dict(self.cleaned_data)
        said["accent"] = said["accent"] if said.pop("own_accent") else ""
        said["logo"] = said["logo"].chunks() if said["logo"] else None
        return said


class SelfieRulesForm(forms.ModelForm):
    """Who may be searched for, and by which pictures."""

    persons_a_guest = forms.IntegerField(
        label=_("Persons a guest may search for"),
        required=False,
        min_value=1,
        max_value=MOST_PERSONS_A_GUEST,
        help_text=_("1: later selfies must show the person of the first. Up to 3 for families with one phone."),
    )

    class Meta:
        model = Album
        fields = ["persons_a_guest", "live_camera_only"]
        labels = {"live_camera_only": _("Live camera only")}
        help_texts = {
            "live_camera_only": _(
                "Selfies are taken on the page, not chosen from files or sent by a program. "
                "This keeps honest people honest; it proves nothing, since a camera can be shown a picture."
            ),
        }

    def clean_persons_a_guest(self) -> int:
        said: int | None = self.cleaned_data["persons_a_guest"]
        return said or self.instance.persons_a_guest


class FaceSearchForm(forms.Form):
    """Why faces may be searched. All of it empty, or all of it filled in."""

    basis = forms.ChoiceField(
        label=_("Legal basis"), required=False, choices=[("", _("Please choose …")), *LegalBasis.Basis.choices]
    )
    attested = forms.BooleanField(
        label=_("I attest that this applies to the people in these photos, and that I can show it."), required=False
    )


class NewAlbumForm(AlbumForm):
    """Its last day is the one that the site's settings propose, unless its owner says another, or none."""

    face_search = forms.BooleanField(
        label=_("Let guests find their photos by a selfie"),
        required=False,
        help_text=_("Pixora then measures the faces in this album. You can switch it on or off later."),
    )


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
        max_length=_PASSWORD_LENGTH,
        widget=PasswordToShare(attrs={"autocomplete": "off"}),
        help_text=_("Guests are asked for it once. Leave it empty for none."),
    )
    last_day = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=DayInput(),
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

    def clean_last_day(self) -> date | None:
        return not_past(self.cleaned_data["last_day"])

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


class SelfieForm(forms.Form):
    selfie = forms.FileField(
        allow_empty_file=True,
        error_messages={"required": _("Take a selfie, or choose a picture of yourself, first.")},
    )
    consent = forms.BooleanField(error_messages={"required": _("We search only after you have agreed to it.")})
    keep_me_posted = forms.BooleanField(required=False)
    email = forms.EmailField(
        max_length=LONGEST_ADDRESS,
        required=False,
        error_messages={"invalid": _("This is not an e-mail address.")},
    )
    # From the camera step, where the album takes no other selfies.
    ticket = forms.CharField(required=False, max_length=500)


class EmailForm(forms.Form):
    email = forms.EmailField(max_length=LONGEST_ADDRESS)


class MailSettingsForm(forms.Form):
    wanted = forms.MultipleChoiceField(
        label=_("Send me e-mails about"),
        choices=Topic.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("E-mails that your account needs, such as the link to a new password, come in any case."),
    )


class UnlockForm(forms.Form):
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=_PASSWORD_LENGTH,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )


class VerdictForm(forms.Form):
    """`verdict` may be empty: an earlier one is taken back."""

    photo = forms.UUIDField()
    verdict = forms.ChoiceField(choices=[("", ""), *Match.Verdict.choices], required=False)

    def clean(self) -> dict[str, Any]:
        if "verdict" not in self.data:
            self.add_error("verdict", _("Say of a photo whether it is you."))
        return self.cleaned_data


class PhotoIdsField(forms.Field):
    """The photos ticked in a grid, as UUIDs. One value may hold many: Django takes 1,000 fields, and an album more."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: list[str] | None) -> list[uuid.UUID]:
        try:
            return [uuid.UUID(each) for each in " ".join(value or []).split()]
        except ValueError as error:
            raise forms.ValidationError(_("This is not a photo.")) from error


class PhotosForm(forms.Form):
    photo = PhotoIdsField(error_messages={"required": _("Choose some photos first.")})


class PhotosChangeForm(PhotosForm):
    CHANGES = {"hide": _("Hide from guests"), "show": _("Show to guests"), "cover": _("Album cover")}

    change = forms.ChoiceField(choices=CHANGES.items())


class ZipForm(forms.Form):
    """No photos: all of them."""

    photo = PhotoIdsField(required=False)
    size = forms.ChoiceField(choices=Archive.Size.choices)


class PersonForm(forms.ModelForm):
    class Meta:
        model = Person
        fields = ["name"]


class PeopleForm(forms.Form):
    person = PhotoIdsField(error_messages={"required": _("Tick the faces first.")})


class FirstAdminForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=_PASSWORD_LENGTH,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=password_validation.password_validators_help_text_html,
    )

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        password_validation.validate_password(password)
        return password


class CloseAccountForm(forms.Form):
    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        max_length=_PASSWORD_LENGTH,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
