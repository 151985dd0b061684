"""An album: what it is, how it shows itself, and whether and how faces may be searched in it."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from galleries.models import Album, LegalBasis
from galleries.models.album import MOST_PERSONS_A_GUEST

from .fields import DayInput

# --accent of static/css/pixora.css.
PIXORAS_ACCENT = "#a53a1d"


class AlbumForm(forms.ModelForm):
    class Meta:
        model = Album
        fields = ["title", "event_date", "kept_until"]
        widgets = {"event_date": DayInput(), "kept_until": DayInput()}
        help_texts = {
            "kept_until": _("The album is deleted the day after. Empty: it is kept until somebody deletes it."),
        }


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
