"""Photos and people that somebody has chosen, and what becomes of them."""

from django import forms
from django.utils.translation import gettext_lazy as _

from galleries.models import Archive, Person

from .fields import PhotoIdsField


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
