"""Settings that do not go together stop every command, and with it the start, with a word on what to set."""

from typing import Any

from django.conf import settings
from django.core.checks import Error, register


@register
def public_address(app_configs: Any, **options: Any) -> list[Error]:
    """A public address needs a proxy that is believed, and no page that shows settings."""
    errors = []
    if settings.PIXORA_PUBLIC_URL.startswith("https://") and not settings.PIXORA_TRUSTED_PROXIES:
        errors.append(
            Error(
                "PIXORA_PUBLIC_URL is https, but PIXORA_TRUSTED_PROXIES is empty: every page would redirect to itself.",
                hint="Set PIXORA_TRUSTED_PROXIES to the address of the proxy that has the certificate and sends "
                "X-Forwarded-Proto, such as 127.0.0.1.",
                id="pixora.E001",
            )
        )
    if settings.DEBUG and settings.PIXORA_PUBLIC_URL:
        errors.append(
            Error(
                "PIXORA_DEBUG is on, and PIXORA_PUBLIC_URL is set: Django's error pages would show strangers the code.",
                hint="Set PIXORA_DEBUG=0, or take PIXORA_PUBLIC_URL away.",
                id="pixora.E002",
            )
        )
    return errors
