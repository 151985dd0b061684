"""What people type into pages -> typed values."""

from .account import CloseAccountForm, FirstAdminForm, MailSettingsForm
from .album import PIXORAS_ACCENT, AlbumForm, BrandForm, FaceSearchForm, NewAlbumForm, SelfieRulesForm
from .guest import EmailForm, SelfieForm, UnlockForm, VerdictForm
from .photos import PeopleForm, PersonForm, PhotosChangeForm, PhotosForm, ZipForm
from .programs import ApiTokenForm, WebhookForm
from .sharing import CollaboratorForm, LinkEditForm, LinkForm, RoleForm

__all__ = [
    "PIXORAS_ACCENT",
    "AlbumForm",
    "ApiTokenForm",
    "BrandForm",
    "CloseAccountForm",
    "CollaboratorForm",
    "EmailForm",
    "FaceSearchForm",
    "FirstAdminForm",
    "LinkEditForm",
    "LinkForm",
    "MailSettingsForm",
    "NewAlbumForm",
    "PeopleForm",
    "PersonForm",
    "PhotosChangeForm",
    "PhotosForm",
    "RoleForm",
    "SelfieForm",
    "SelfieRulesForm",
    "UnlockForm",
    "VerdictForm",
    "WebhookForm",
    "ZipForm",
]
