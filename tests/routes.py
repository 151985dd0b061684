"""Every route of the site with its methods, from the resolver and from the API's schema, and what is sent to it."""

import io
import json
import re
from collections.abc import Iterator
from typing import Any

from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from drf_spectacular.generators import SchemaGenerator

from tests import pictures

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SELFIE = {"selfie": pictures.selfie_jpeg(), "consent": "true"}
# What is sent where a form is wanted, "photo_id", "alert_id" and "person_id" standing for the world's; other routes of
# the API get JSON.
FORMS: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "api:album-photos"): {"file": pictures.jpeg(pictures.quadrants())},
    ("PUT", "api:album-logo"): {"logo": pictures.png(pictures.quadrants())},
    ("POST", "api:shared-link-selfies"): SELFIE,
    ("POST", "guest-link"): SELFIE | {"step": "selfie"},
    ("POST", "album-new"): {"title": "A"},
    ("POST", "album-edit"): {"title": "A"},
    ("POST", "account-close"): {"password": "not the password"},
    ("POST", "album-delete"): {"confirmed": "yes"},
    ("POST", "album-face-search"): {"on": "no", "confirmed": "yes"},
    ("POST", "album-link-new"): {"can_browse": "on"},
    ("POST", "album-zip"): {"size": "original"},
    ("POST", "album-leave"): {"confirmed": "yes"},
    ("POST", "album-collaborators"): {"email": "ada@example.org", "role": "viewer"},
    ("POST", "album-collaborator"): {"role": "viewer"},
    ("POST", "album-photos-change"): {"photo": "photo_id", "change": "hide"},
    ("POST", "album-photos-delete"): {"photo": "photo_id", "confirmed": "yes"},
    ("POST", "album-people"): {"on": "yes"},
    ("POST", "person"): {"name": "Ann"},
    ("POST", "person-remove"): {"photo": "photo_id"},
    ("POST", "photo"): {"hidden": "yes"},
    ("POST", "album-searches"): {"alert": "alert_id"},
    ("POST", "token-revoke"): {"confirmed": "yes"},
    ("POST", "webhook"): {"do": "test"},
    ("POST", "webhook-secret"): {"confirmed": "yes"},
    ("POST", "webhook-delete"): {"confirmed": "yes"},
    ("POST", "link"): {"enabled": "no"},
    ("POST", "link-delete"): {"confirmed": "yes"},
    ("POST", "selfie-feedback"): {"photo": "photo_id", "verdict": "me"},
    ("POST", "selfie-zip"): {"size": "original"},
    ("POST", "selfie-devices"): {"step": "make"},
    ("POST", "selfie-mail"): {"email": "gina@example.org"},
    ("POST", "selfie-withdraw"): {"confirmed": "yes"},
}
JSON: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "api:albums"): {"title": "A"},
    ("PATCH", "api:album"): {"title": "A"},
    ("PATCH", "api:photo"): {"hidden": True},
    ("PUT", "api:album-people-state"): {"on": True},
    ("PATCH", "api:person"): {"name": "Ann"},
    ("POST", "api:person-merge"): {"people": ["person_id"]},
    ("POST", "api:person-remove"): {"photos": ["photo_id"]},
    ("PATCH", "api:link"): {"can_download": False},
    ("POST", "api:album-photos-check"): {"files": []},
    ("POST", "api:album-collaborators"): {"email": "ada@example.org", "role": "viewer"},
    ("PATCH", "api:album-collaborator"): {"role": "viewer"},
    ("POST", "api:selfie-feedback"): {"photo": "photo_id", "verdict": "me"},
    ("POST", "api:album-photos-change"): {"photos": ["photo_id"], "change": "hide"},
    ("PATCH", "api:account"): {"name": "Olga"},
    ("POST", "api:account-close"): {"password": "not the password"},
    ("PUT", "api:selfie-mail"): {"email": "gina@example.org"},
    ("POST", "api:selfie-return-mail"): {"email": "gina@example.org"},
    ("POST", "api:return"): {"token": "return_token"},
    ("POST", "api:webhooks"): {"url": "https://example.org/hook", "events": ["photo.ready"]},
    ("PATCH", "api:webhook"): {"name": "A"},
}
# What stands in addresses, beside what the world has.
USUAL = {"invitation": "no-invitation", "rest": "no/such/route/", "uidb36": "1", "key": "no-key"}
USUAL |= {"mail_id": "00000000-0000-4000-8000-000000000000", "part": "guests", "chapter": "photos"}


def routes(patterns: list[Any] | None = None, space: str = "") -> Iterator[tuple[str, URLPattern]]:
    """All but the admin's."""
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            if pattern.namespace != "admin":
                yield from routes(pattern.url_patterns, inner)
        else:
            yield f"{space}{pattern.name}", pattern


def methods(pattern: URLPattern) -> list[str]:
    """What a class of views implements; a function is asked both ways."""
    view = getattr(pattern.callback, "cls", None)
    if view is None:
        return ["GET", "POST"]
    return [name for name in METHODS if hasattr(view, name.lower())] or ["GET"]


def asked() -> list[tuple[str, str, URLPattern]]:
    return [(method, name, pattern) for name, pattern in routes() for method in methods(pattern)]


def in_schema() -> set[tuple[str, str]]:
    """Methods and addresses that the API's description names."""
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return {(method.upper(), path) for path, known in paths.items() for method in known if method.upper() in METHODS}


def in_resolver() -> set[tuple[str, str]]:
    """The same, of what the API answers."""
    known = [(method, str(pattern.pattern)) for method, name, pattern in asked() if name.startswith("api:")]
    return {(method, "/api/v1/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)) for method, route in known}


def names_in(pattern: URLPattern) -> set[str]:
    """What the route is asked with: `album_id` and the like."""
    return set(pattern.pattern.regex.groupindex)


def address(name: str, pattern: URLPattern, ids: dict[str, Any]) -> str:
    known = USUAL | ids
    return reverse(name, kwargs={key: known[key] for key in names_in(pattern)})


def body(method: str, name: str, ids: dict[str, Any]) -> tuple[Any, str]:
    """What is sent, and its content type."""
    if name.startswith("api:") and (method, name) not in FORMS:
        return json.dumps(_filled(JSON.get((method, name), {}), ids)), "application/json"
    fields = _filled(FORMS.get((method, name), {}), ids)
    sent = {key: io.BytesIO(value) if isinstance(value, bytes) else value for key, value in fields.items()}
    return encode_multipart(BOUNDARY, sent), MULTIPART_CONTENT


def _filled(fields: dict[str, Any], ids: dict[str, Any]) -> dict[str, Any]:
    named = ("photo_id", "alert_id", "person_id", "return_token")

    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(each) for each in value]
        return str(ids[value]) if value in named else value

    return {key: filled(value) for key, value in fields.items()}
