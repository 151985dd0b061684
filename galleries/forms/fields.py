"""What fields of several forms have in common."""

import uuid
from datetime import date, datetime, time
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

PASSWORD_LENGTH = 128


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


def end_of(day: date | None) -> datetime | None:
    return datetime.combine(day, time.max, tzinfo=timezone.get_default_timezone()) if day else None


class PasswordToShare(forms.TextInput):
    """Readable while it is typed, for it is to be told to guests; never sent back with a form that has a fault."""

    def format_value(self, value: Any) -> None:
        return None


class PhotoIdsField(forms.Field):
    """The photos ticked in a grid, as UUIDs. One value may hold many: Django takes 1,000 fields, and an album more."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: list[str] | None) -> list[uuid.UUID]:
        try:
            return [uuid.UUID(each) for each in " ".join(value or []).split()]
        except ValueError as error:
            raise forms.ValidationError(_("This is not a photo.")) from error
