"""What guests say: a link's password, a selfie, an address, whether a photo shows them."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from galleries.models import Match
from galleries.models.mail import LONGEST_ADDRESS

from .fields import PASSWORD_LENGTH


class UnlockForm(forms.Form):
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=PASSWORD_LENGTH,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )


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


class VerdictForm(forms.Form):
    """`verdict` may be empty: an earlier one is taken back."""

    photo = forms.UUIDField()
    verdict = forms.ChoiceField(choices=[("", ""), *Match.Verdict.choices], required=False)

    def clean(self) -> dict[str, Any]:
        if "verdict" not in self.data:
            self.add_error("verdict", _("Say of a photo whether it is you."))
        return self.cleaned_data
