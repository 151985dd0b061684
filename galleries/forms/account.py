"""An account: its making, its mail, its end."""

from django import forms
from django.contrib.auth import password_validation
from django.utils.translation import gettext_lazy as _

from galleries.models import Topic

from .fields import PASSWORD_LENGTH


class FirstAdminForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=PASSWORD_LENGTH,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=password_validation.password_validators_help_text_html,
    )

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        password_validation.validate_password(password)
        return password


class MailSettingsForm(forms.Form):
    wanted = forms.MultipleChoiceField(
        label=_("Send me e-mails about"),
        choices=Topic.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("E-mails that your account needs, such as the link to a new password, come in any case."),
    )


class CloseAccountForm(forms.Form):
    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        max_length=PASSWORD_LENGTH,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
