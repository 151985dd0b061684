"""Settings that do not go together stop every command, and with it the start, with a word on what to set."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 (Django's own name)

_LEAST_KEY, _LEAST_VARIETY = 32, 10  # characters; different ones
_PLACEHOLDERS = ("change", "placeholder", "insecure", "example", "secret-key", "secret_key")


@register
def public_address(app_configs: Any, **options: Any) -> Iterator[CheckMessage]:
    """A public address needs a proxy that is believed."""
    if settings.PIXORA_PUBLIC_URL.startswith("https://") and not settings.PIXORA_TRUSTED_PROXIES:
        yield Error(
            "PIXORA_PUBLIC_URL is https, but PIXORA_TRUSTED_PROXIES is empty: every page would redirect to itself.",
            hint="Set PIXORA_TRUSTED_PROXIES to the address of the proxy that has the certificate and sends "
            "X-Forwarded-Proto, such as 127.0.0.1.",
            id="pixora.E001",
        )
    if settings.PIXORA_SENDFILE and not (settings.PIXORA_PUBLIC_URL or settings.PIXORA_TRUSTED_PROXIES):
        yield Error(
            "PIXORA_SENDFILE is on, but nothing says that nginx is in front: every photo would arrive empty.",
            hint="Set PIXORA_PUBLIC_URL to the address that nginx serves, or PIXORA_SENDFILE=0.",
            id="pixora.E007",
        )


@register
def open_to_others(app_configs: Any, **options: Any) -> Iterator[CheckMessage]:
    """What is fine on one's own machine is not where others reach it."""
    reached = bool(settings.PIXORA_PUBLIC_URL) or not _is_loopback(settings.PIXORA_HOST)
    if settings.DEBUG and reached:
        yield Error(
            "PIXORA_DEBUG is on where others can reach the site: Django's error pages would show strangers the code.",
            hint="Set PIXORA_DEBUG=0; or take PIXORA_PUBLIC_URL away and listen on HOST=127.0.0.1.",
            id="pixora.E002",
        )
    if not _is_loopback(settings.PIXORA_HOST) and all(map(_is_loopback, settings.ALLOWED_HOSTS)):
        yield Error(
            f"HOST is {settings.PIXORA_HOST}, but no host name is answered that others could use.",
            hint="Set PIXORA_ALLOWED_HOSTS to the names or addresses that visitors type, or PIXORA_PUBLIC_URL.",
            id="pixora.E003",
        )


@register
def secret_key(app_configs: Any, **options: Any) -> Iterator[CheckMessage]:
    """Whoever guesses it signs in as anybody."""
    key = settings.SECRET_KEY
    weak = len(key) < _LEAST_KEY or len(set(key)) < _LEAST_VARIETY
    if weak or any(word in key.lower() for word in _PLACEHOLDERS):
        yield Error(
            "PIXORA_SECRET_KEY is short, or a placeholder.",
            hint="Make one: python -c 'import secrets; print(secrets.token_urlsafe(50))'",
            id="pixora.E004",
        )
    on_server = settings.DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql"
    if on_server and not settings.PIXORA_SECRET_KEY_GIVEN:
        yield Error(
            "DATABASE_URL is PostgreSQL, but PIXORA_SECRET_KEY is not set: each machine would make a key of its own, "
            "and sign out the visitors of the others.",
            hint="Give all the same PIXORA_SECRET_KEY, or PIXORA_SECRET_KEY_FILE; the one in use is in the file "
            "secret_key in PIXORA_DATA_DIR.",
            id="pixora.E005",
        )


@register
def misspelt_names(app_configs: Any, **options: Any) -> Iterator[CheckMessage]:
    for name, meant in settings.PIXORA_MISSPELT:
        hint = f"Did you mean {meant}?" if meant else "README lists all settings."
        yield Warning(f"{name} is set, but there is no such setting.", hint=hint, id="pixora.W001")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
