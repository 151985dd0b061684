"""The environment, typed and loud: a value that cannot be meant stops the start with its name and what was expected."""

import os
import re
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import available_timezones

import environ
from django.core.exceptions import ImproperlyConfigured

_env = environ.Env()


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool) -> bool:
    value = text(name).lower()
    if value in {"", "1", "true", "yes", "on", "0", "false", "no", "off"}:
        return value in {"1", "true", "yes", "on"} if value else default
    raise ImproperlyConfigured(f"{name} is {value!r}: write 1 or 0.")


def choice(name: str, default: str, *others: str) -> str:
    value = text(name, default).lower()
    if value not in (default, *others):
        raise ImproperlyConfigured(f"{name} is {value!r}: write {' or '.join((default, *others))}.")
    return value


def whole_number(name: str, default: int, *, least: int = 0) -> int:
    value = text(name, str(default))
    if not value.isdecimal() or int(value) < least:
        raise ImproperlyConfigured(f"{name} is {value!r}: write a whole number of at least {least}.")
    return int(value)


def time_zone(name: str, default: str) -> str:
    value = text(name, default)
    if value not in available_timezones():
        raise ImproperlyConfigured(f"{name} is {value!r}: write the name of a time zone such as Europe/Berlin.")
    return value


def words(name: str) -> list[str]:
    return [word for word in text(name).replace(",", " ").split() if word]


def folder(name: str, default: Path) -> Path:
    return Path(text(name, str(default))).expanduser().resolve()


def public_url(name: str) -> str:
    value = text(name).rstrip("/")
    if value and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname):
        raise ImproperlyConfigured(f"{name} is {value!r}: write a full address such as https://photos.example.org.")
    return value


def redis_url(name: str, default_socket: Path) -> str:
    value = text(name, f"unix://{default_socket}")
    if urlsplit(value).scheme not in {"redis", "rediss", "unix"}:
        raise ImproperlyConfigured(f"{name} is {value!r}: it starts with redis://, rediss:// or unix://.")
    return value


def broker_url(redis: str) -> str:
    """Celery spells a unix socket redis+socket://, where the Redis client writes unix://."""
    return redis.replace("unix://", "redis+socket://", 1)


def database(name: str, default_file: Path) -> dict[str, Any]:
    unreadable = ImproperlyConfigured(f"{name} cannot be read: write postgres://user:password@host:5432/name.")
    try:
        found = dict(_env.db_url(name, default=f"sqlite:///{default_file}"))
    except Exception as error:
        raise unreadable from error
    if found["ENGINE"] not in {"django.db.backends.sqlite3", "django.db.backends.postgresql"}:
        raise unreadable
    return found


def bucket(name: str) -> dict[str, str]:
    """`s3://bucket/prefix?endpoint=https://...&region=...` in its parts; nothing, where files are the store."""
    if not (value := text(name)):
        return {}
    # The value is not shown: somebody may have put a key into it.
    unreadable = ImproperlyConfigured(
        f"{name} cannot be read: write s3://bucket/prefix?endpoint=https://s3.example.org&region=eu-central-1 (the "
        "prefix, endpoint and region may be left out), and the credentials into AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY."
    )
    address = urlsplit(value)
    parts = {"bucket": address.netloc, "prefix": address.path.strip("/"), "endpoint": "", "region": ""}
    asked = dict(parse_qsl(address.query, keep_blank_values=True))
    parts |= {key: word.rstrip("/") for key, word in asked.items()}
    shapes = {
        "bucket": r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "prefix": r"([A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*)?",
        "endpoint": r"(https?://[A-Za-z0-9.-]+(:[0-9]+)?)?",
        "region": r"[a-z0-9-]*",
    }
    readable = parts.keys() == shapes.keys() and all(re.fullmatch(shapes[key], parts[key]) for key in shapes)
    if address.scheme != "s3" or address.fragment or not readable:
        raise unreadable
    return parts


def email(name: str) -> dict[str, Any]:
    try:
        return dict(_env.email_url(name))
    except Exception as error:
        raise ImproperlyConfigured(f"{name} cannot be read: write smtp+tls://user:password@host:587.") from error


def secret_key(name: str, file: Path) -> str:
    """The key from the environment, else from `file`, which a first run makes (mode 0600)."""
    if given := text(name):
        return given
    if not file.exists():
        _make_key(file)
    if key := file.read_text().strip():
        return key
    raise ImproperlyConfigured(f"{file} is empty: delete it, and the next start makes a new key; all sign in again.")


def _make_key(file: Path) -> None:
    """Whole from its first moment, and never over another's: processes that start together end with one key."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=f"{file.name}.") as made:
        made.write(secrets.token_urlsafe(50))
        made.flush()
        os.fsync(made.fileno())
        with suppress(FileExistsError):
            os.link(made.name, file)
