"""What a page can do, the API can: a new page, or a new field of a form, wants a route or a reason in this table."""

import inspect
from typing import Any

import pytest
from django import forms as django_forms
from drf_spectacular.generators import SchemaGenerator

from galleries import forms
from tests import routes

_SESSION = "of a browser's session: signing in, passwords and second steps are allauth's pages"
_PICTURE = "what a page is made of; a program draws its own"
# Page -> the operations that do the same, or why there is none.
_LOCAL_MAIL = "for whoever tries the site alone, where no mail is sent"
_MANUAL = "words for people; the API has a guide of its own"
PAGES: dict[str, list[str] | str] = {
    "home": _PICTURE,
    "manifest": _PICTURE,
    "set_language": "the language of pages; the API has Accept-Language",
    "healthz": "for whoever watches over the process",
    "readyz": "for whoever watches over the process",
    "metrics": "for Prometheus",
    "first-admin": "the first administrator is made in a browser, by a link shown on the machine",
    "account-close": ["account_close_create"],
    "tokens": ["tokens_list"],
    "token-new": "tokens are made by who has signed in and given their password again, never by a token",
    "token": "tokens are changed by who has signed in and given their password again, never by a token",
    "token-revoke": ["tokens_destroy"],
    "albums": ["albums_list", "account_retrieve"],
    "album-new": ["albums_create"],
    "albums-deleted": ["albums_deleted_list"],
    "album-restore": ["albums_restore_create"],
    "album-delete-for-good": ["albums_deleted_destroy"],
    "album": ["albums_retrieve", "albums_photos_list", "albums_links_list", "albums_stats_retrieve"],
    "album-edit": ["albums_partial_update", "albums_logo_update", "albums_logo_destroy"],
    "album-accent": _PICTURE,
    "album-logo": ["albums_logo_retrieve"],
    "album-delete": ["albums_destroy"],
    "album-face-search": ["albums_partial_update"],
    "album-progress": ["albums_progress_retrieve", "albums_stats_retrieve"],
    "album-problems": ["albums_photos_list"],
    "album-upload": ["albums_photos_create", "albums_photos_check_create"],
    "album-searches": ["albums_searches_list", "albums_alerts_list", "albums_alerts_settle_create"],
    "album-retry": ["albums_retry_create"],
    "album-listing": ["albums_photos_list"],
    "album-photos-change": ["albums_photos_change_create", "albums_partial_update"],
    "album-photos-delete": ["albums_photos_change_create", "photos_destroy"],
    "album-zip": ["albums_archives_create", "archives_retrieve"],
    "album-collaborators": ["albums_collaborators_list", "albums_collaborators_create"],
    "album-collaborator": [
        "albums_collaborators_retrieve",
        "albums_collaborators_partial_update",
        "albums_collaborators_destroy",
    ],
    "album-leave": ["albums_leave_create"],
    "album-link-new": ["albums_links_create"],
    "link": ["links_retrieve", "links_partial_update", "links_stats_retrieve"],
    "link-poster": ["links_qr_retrieve"],
    "link-delete": ["links_destroy"],
    "photo": ["photos_retrieve", "photos_partial_update", "photos_original_retrieve", "photos_preview_retrieve"],
    "guest-link": ["links_open", "links_unlock_create", "links_selfies_create"],
    "event": "the same page at an address without the token, for the browser that opened it",
    "guest-accent": _PICTURE,
    "guest-logo": _PICTURE,
    "guest-cover": "for messengers that show a preview of a link",
    "shared": ["links_photos_list", "photos_thumb_retrieve"],
    "shared-listing": ["links_photos_list"],
    "my-photos": ["selfies_list"],
    "selfie": ["selfies_retrieve"],
    "selfie-status": ["selfies_retrieve"],
    "selfie-feedback": ["selfies_feedback_create"],
    "selfie-zip": ["selfies_archives_create"],
    "selfie-mail": ["selfies_mail_update", "selfies_mail_destroy"],
    "mail": "the address in a mail, by which its owner agrees or ends it, in whatever browser",
    "selfie-devices": [
        "selfies_devices_retrieve",
        "selfies_devices_destroy",
        "selfies_return_create",
        "selfies_return_destroy",
        "selfies_return_mail_create",
        "selfies_return_mail_destroy",
        "guest_destroy",
    ],
    "return": ["return_create"],
    "selfie-withdraw": ["selfies_destroy"],
    "album-people": ["albums_people_list", "albums_people_state_retrieve", "albums_people_state_update"],
    "album-people-merge": ["people_merge_create"],
    "person": ["people_retrieve", "people_partial_update", "people_face_retrieve"],
    "person-remove": ["people_remove_create"],
    "webhooks": ["webhooks_list"],
    "webhook-new": ["webhooks_create"],
    "webhook": ["webhooks_retrieve", "webhooks_deliveries_list", "webhooks_test_create"],
    "webhook-change": ["webhooks_partial_update"],
    "webhook-secret": ["webhooks_secret_create"],
    "webhook-delete": ["webhooks_destroy"],
    "delivery": ["deliveries_retry_create", "webhooks_deliveries_list"],
    "mail-settings": ["account_retrieve", "account_partial_update"],
    "mails": _LOCAL_MAIL,
    "mail-shown": _LOCAL_MAIL,
    "help": _MANUAL,
    "help-part": _MANUAL,
    "help-chapter": _MANUAL,
    "invited": "an account is made in a browser",
    "site-accent": _PICTURE,
}
# Form -> the operation that takes the same, what it calls the fields that have another name there, and why some are
# not taken.
_LINK = {"last_day": "expires_at"}
FORMS: dict[str, tuple[str, dict[str, str]] | str] = {
    "AlbumForm": ("albums_partial_update", {}),
    "NewAlbumForm": ("albums_create", {}),
    "BrandForm": (
        "albums_partial_update",
        {
            "logo": "not here: albums_logo_update",
            "remove_logo": "not here: albums_logo_destroy",
            "own_accent": "accent",
        },
    ),
    "SelfieRulesForm": ("albums_partial_update", {}),
    "FaceSearchForm": ("albums_create", {"basis": "legal_basis", "attested": "legal_basis"}),
    "LinkForm": ("albums_links_create", _LINK),
    "LinkEditForm": ("links_partial_update", _LINK | {"remove_password": "password"}),
    "RoleForm": ("albums_collaborators_partial_update", {}),
    "CollaboratorForm": ("albums_collaborators_create", {}),
    "SelfieForm": ("links_selfies_create", {"ticket": "not here: proves that the page's own camera took the picture"}),
    "EmailForm": ("selfies_mail_update", {}),
    "MailSettingsForm": ("account_partial_update", {"wanted": "mail"}),
    "PersonForm": ("people_partial_update", {}),
    "PeopleForm": ("people_merge_create", {"person": "people"}),
    "UnlockForm": ("links_unlock_create", {}),
    "VerdictForm": ("selfies_feedback_create", {}),
    "PhotosForm": ("albums_photos_change_create", {"photo": "photos"}),
    "PhotosChangeForm": ("albums_photos_change_create", {"photo": "photos"}),
    "ZipForm": ("albums_archives_create", {"photo": "photos"}),
    "FirstAdminForm": "the first administrator is made in a browser",
    "CloseAccountForm": ("account_close_create", {}),
    "ApiTokenForm": "tokens are made and changed on pages",
    "WebhookForm": ("webhooks_create", {}),
}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return dict(SchemaGenerator().get_schema(request=None, public=True))


def by_id(described: dict[str, Any]) -> dict[str, Any]:
    return {each["operationId"]: each for known in described["paths"].values() for each in known.values()}


def pages() -> set[str]:
    return {name for name, _ in routes.routes() if ":" not in name and not name.startswith(("account_", "mfa_"))}


def test_whatever_pages_do_the_api_does_or_there_is_a_reason(described: dict[str, Any]) -> None:
    assert pages() - PAGES.keys() == set(), "a page that is not in the table: which route of the API does the same?"
    assert PAGES.keys() - pages() == set()
    known = by_id(described).keys()
    named = {each for operations in PAGES.values() if isinstance(operations, list) for each in operations}
    assert named - known == set()


def test_whatever_forms_take_the_api_takes_or_there_is_a_reason(described: dict[str, Any]) -> None:
    ours = {
        name: form
        for name, form in inspect.getmembers(forms, inspect.isclass)
        if issubclass(form, django_forms.BaseForm) and form.__module__.startswith(forms.__name__)
    }
    assert ours.keys() == FORMS.keys()
    for name, form in ours.items():
        said = FORMS[name]
        if isinstance(said, str):
            continue
        operation, called = said
        taken = fields_of(by_id(described)[operation], described)
        for field in vars(form)["base_fields"]:
            there = called.get(field, field)
            assert there in taken or there.startswith("not here: "), f"{name}.{field} is not taken by {operation}"


def fields_of(operation: dict[str, Any], described: dict[str, Any]) -> set[str]:
    """What its body may hold."""
    schema = next(iter(operation["requestBody"]["content"].values()))["schema"]
    if ref := schema.get("$ref"):
        schema = described["components"]["schemas"][ref.rpartition("/")[2]]
    return {name for name, part in schema["properties"].items() if not part.get("readOnly")}
