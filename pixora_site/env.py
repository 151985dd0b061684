"""The environment, typed and loud: a value that cannot be meant stops the start with its name and what was expected."""

import difflib
import os
import re
import secrets
import tempfile
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import available_timezones

import environ
from django.core.exceptions import ImproperlyConfigured

_env = environ.Env()
_asked: set[str] = set()
# Not settings: what the tests, measurements and `upload_folder` look for.
_OTHERS = {"PIXORA_PHOTOS", "PIXORA_REQUIRE_ALL", "PIXORA_TOKEN", "PIXORA_TOKEN_FILE"}


def text(name: str, default: str = "") -> str:
    _asked.add(name)
    return os.environ.get(name, "").strip() or default


def secret(name: str) -> str:
    """The variable, else what stands in the file that `name`_FILE names."""
    value, file = text(name), text(f"{name}_FILE")
    if value and file:
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set: keep one.")
    if not file:
        return value
    try:
        found = Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read ({type(error).__name__}).") from error
    if not found:
        raise ImproperlyConfigured(f"{name}_FILE names an empty file.")
    return found


def misspelt() -> list[tuple[str, str]]:
    """Variables that look like settings and are none, each with the one that may have been meant, or ""."""
    wrong = sorted(name for name in os.environ if name.startswith("PIXORA_") and name not in _asked | _OTHERS)
    return [(name, next(iter(difflib.get_close_matches(name, _asked)), "")) for name in wrong]


def given() -> frozenset[str]:
    """Names of the settings that the environment has a value for."""
    return frozenset(name for name in _asked if text(name))


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


def networks(name: str) -> list[str]:
    """Addresses and networks; "*" is everybody."""
    found = words(name)
    for word in found:
        try:
            word == "*" or ip_network(word)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} is {word!r}: write addresses or networks such as 10.0.0.0/8."
            ) from error
    return found


def folder(name: str, default: Path) -> Path:
    return Path(text(name, str(default))).expanduser().resolve()


def public_url(name: str) -> str:
    value = text(name).rstrip("/")
    if value and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname):
        raise ImproperlyConfigured(f"{name} is {value!r}: write a full address such as https://photos.example.org.")
    return value


def redis_url(name: str, default_socket: Path) -> str:
    value = secret(name) or f"unix://{default_socket}"
    if urlsplit(value).scheme not in {"redis", "rediss", "unix"}:
        raise ImproperlyConfigured(f"{name} cannot be read: it starts with redis://, rediss:// or unix://.")
    return value


def broker_url(redis: str) -> str:
    """Celery spells a unix socket redis+socket://, where the Redis client writes unix://."""
    return redis.replace("unix://", "redis+socket://", 1)


def database(name: str, default_file: Path, password: str = "") -> dict[str, Any]:
    """`password` is for an address that has none."""
    unreadable = ImproperlyConfigured(f"{name} cannot be read: write postgres://user:password@host:5432/name.")
    try:
        found = dict(_env.db_url_config(secret(name) or f"sqlite:///{default_file}"))
    except Exception as error:
        raise unreadable from error
    found["PASSWORD"] = found.get("PASSWORD") or password
    if found.get("ENGINE") not in {"django.db.backends.sqlite3", "django.db.backends.postgresql"}:
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
        return dict(_env.email_url_config(secret(name)))
    except Exception as error:
        raise ImproperlyConfigured(f"{name} cannot be read: write smtp+tls://user:password@host:587.") from error


def secret_key(name: str, file: Path) -> str:
    """The key from the environment, else from `file`, which a first run makes (mode 0600)."""
    if given := secret(name):
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
