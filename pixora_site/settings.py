"""All settings of Pixora. What may change between machines comes from the environment (README, Configure)."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from whitenoise.compress import Compressor

from . import env, redis_server

BASE_DIR = Path(__file__).resolve().parent.parent

# Where things are

PIXORA_DATA_DIR = env.folder("PIXORA_DATA_DIR", BASE_DIR / "var")
PIXORA_DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
PIXORA_PUBLIC_URL = env.public_url("PIXORA_PUBLIC_URL")
PIXORA_DOWNLOADS_PORT = env.whole_number("PIXORA_DOWNLOADS_PORT", 0)
# {} for files.
PIXORA_STORAGE = env.bucket("PIXORA_STORAGE")
PIXORA_SENDFILE = env.flag("PIXORA_SENDFILE", False)

# Security

DEBUG = env.flag("PIXORA_DEBUG", False)
SECRET_KEY = env.secret_key("PIXORA_SECRET_KEY", PIXORA_DATA_DIR / "secret_key")
# Sessions, sealed tokens and signed cursors of the keys before live on.
SECRET_KEY_FALLBACKS = env.secret("PIXORA_SECRET_KEY_FALLBACKS").split()
PIXORA_SECRET_KEY_GIVEN = bool(env.secret("PIXORA_SECRET_KEY"))
PIXORA_HOST = env.text("HOST", "127.0.0.1")
PIXORA_PORT = env.whole_number("PORT", 8000, least=1)
ALLOWED_HOSTS = env.words("PIXORA_ALLOWED_HOSTS") or ["localhost", "127.0.0.1", "[::1]"]
if PIXORA_PUBLIC_URL:
    ALLOWED_HOSTS.append(urlsplit(PIXORA_PUBLIC_URL).hostname or "")
PIXORA_TRUSTED_PROXIES = env.networks("PIXORA_TRUSTED_PROXIES")

_https = PIXORA_PUBLIC_URL.startswith("https://")
PIXORA_GUEST_COOKIE = "__Host-guest" if _https else "guest"
PIXORA_LINK_COOKIE = "__Host-links" if _https else "links"
CSRF_TRUSTED_ORIGINS = [PIXORA_PUBLIC_URL] if PIXORA_PUBLIC_URL else []
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = _https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PIXORA_TRUSTED_PROXIES else None
# Whether its other subdomains are on https, and browsers may be told so for good, the site cannot know.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# For Prometheus; without it only staff who are signed in may read the measurements.
PIXORA_METRICS_TOKEN = env.secret("PIXORA_METRICS_TOKEN")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "media-src": [SELF, "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
    }
}

# Application

INSTALLED_APPS = [
    "galleries",
    "recognition",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "csp",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "galleries.middleware.TrustedProxies",
    "galleries.middleware.Sealed",
    "csp.middleware.CSPMiddleware",
    "galleries.middleware.Probes",
    "galleries.middleware.RequestId",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "galleries.middleware.BodyLimit",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "galleries.middleware.Acting",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "pixora_site.urls"
WSGI_APPLICATION = "pixora_site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "galleries.views.page.about_the_site",
            ]
        },
    }
]
# Knox's one model is ours (KNOX_TOKEN_MODEL); its migrations would make a second table that nobody writes.
MIGRATION_MODULES = {"knox": None}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Database and cache

_password = env.secret("PIXORA_DATABASE_PASSWORD")
_database: dict[str, Any] = env.database("DATABASE_URL", PIXORA_DATA_DIR / "pixora.sqlite3", _password)
_statement_seconds = env.whole_number("PIXORA_STATEMENT_SECONDS", 0)
_pool = env.whole_number("PIXORA_DATABASE_POOL", 0)
# Opening SQLite, with its pragmas and its schema to read, costs a page a millisecond too.
_database["CONN_MAX_AGE"] = 60
if _database["ENGINE"] == "django.db.backends.sqlite3":
    # Measured: 0 errors from 6 writers with these, 58 % with Django's defaults (design, section 4).
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON;",
    }
else:
    # A machine that is gone says nothing: noticed within 3 s at the start of a connection, within 20 s later.
    _database["OPTIONS"] = {
        "connect_timeout": 3,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "tcp_user_timeout": 20_000,
        # `serve` says which program it is, by PGAPPNAME.
        "fallback_application_name": "pixora",
        **_database.get("OPTIONS", {}),
    }
    if _statement_seconds:
        _limits = {
            "statement_timeout": _statement_seconds,
            "lock_timeout": 10,
            "idle_in_transaction_session_timeout": 60,
        }
        _database["OPTIONS"]["options"] = " ".join(f"-c {name}={seconds}s" for name, seconds in _limits.items())
    # By default a connection a thread. Measured with 16 threads: as many pages a second (104, with a pool 98), and a
    # dead server is told in 0.05 s, where a pool waits its 3 s out, and 32 visitors together wait 6.
    if _pool:
        _database["OPTIONS"]["pool"] = {"min_size": 1, "max_size": _pool, "timeout": 3, "reconnect_timeout": 3}
        _database["CONN_MAX_AGE"] = 0
    _database["CONN_HEALTH_CHECKS"] = True
DATABASES = {"default": _database}
# In the database, so that the limits that protect accounts outlive a lost Redis.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "pixora_cache",
        # Django keeps 300 and drops a third beyond: who signs in with many addresses would push out their own limit.
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
}

# Celery

REDIS_URL = env.redis_url("REDIS_URL", redis_server.socket_path(PIXORA_DATA_DIR))
PIXORA_WORKERS = env.whole_number("PIXORA_WORKERS", os.cpu_count() or 1, least=1)
CELERY_BROKER_URL = env.broker_url(REDIS_URL)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "unacked_restore_throttle": 1,
    "socket_timeout": 30,
    "socket_connect_timeout": 1,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_TIME_LIMIT = 50
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 120
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
# A selfie never waits behind an album.
CELERY_TASK_ROUTES = {
    "galleries.flows.photo.work": {"queue": "ingest"},
    "galleries.flows.selfie.work": {"queue": "selfie"},
    "galleries.flows.upkeep.sweep": {"queue": "upkeep"},
    "galleries.flows.notice.work": {"queue": "upkeep"},
    # Upkeep's worker too, which asks its queues in turn: a sweep waits behind one of these at most.
    "galleries.flows.delivery.work": {"queue": "outgoing"},
    "galleries.flows.mail.work": {"queue": "outgoing"},
    # Of the same workers as photos, which would leave no room for its rings in a queue of theirs.
    "galleries.flows.grouping.work": {"queue": "people"},
}
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "galleries.flows.upkeep.sweep",
        "schedule": timedelta(seconds=5),
        "options": {"expires": 5},
    }
}

# Accounts

AUTH_USER_MODEL = "galleries.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_REDIRECT_URL = "albums"
# Whole venues are one address. Passwords are counted by flows/guessing.py; "login_failed" is left for codes of the
# second step.
ACCOUNT_RATE_LIMITS = {
    "login": "300/m/ip",
    "login_failed": "5/5m/key",
    "signup": "100/m/ip",
    "reset_password": "100/m/ip,5/h/key",
    "reset_password_from_key": "100/m/ip",
}
ACCOUNT_ADAPTER = "galleries.views.account.Adapter"
MFA_ADAPTER = "galleries.views.account.MfaAdapter"
MFA_TOTP_ISSUER = "Pixora"
# allauth forgets a used code after its 30 s; one that is taken for longer could be used twice.
MFA_TOTP_TOLERANCE = 0
# Where no mail is sent, no address is ever verified.
MFA_ALLOW_UNVERIFIED_EMAIL = not env.secret("EMAIL_URL")
# Without a second factor the administrator's desk is one guessed password away.
PIXORA_STAFF_NEED_MFA = env.flag("PIXORA_STAFF_NEED_MFA", _https)
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""

# For each step of a mail's sending, of which there are four: a server that says nothing does not hold upkeep for long.
# An EMAIL_URL may say another.
EMAIL_TIMEOUT = 10
# Whatever is sent is written down first; the worker's way out is another. Without a server it is the terminal, and
# /mail/, and no address is verified.
PIXORA_MAIL_IS_LOCAL = not env.secret("EMAIL_URL")
PIXORA_MAIL_TRANSPORT = "django.core.mail.backends.console.EmailBackend"
if not PIXORA_MAIL_IS_LOCAL:
    vars().update(env.email("EMAIL_URL"))
    PIXORA_MAIL_TRANSPORT = vars()["EMAIL_BACKEND"]
EMAIL_BACKEND = "galleries.flows.mail.Queue"
ACCOUNT_EMAIL_VERIFICATION = "none" if PIXORA_MAIL_IS_LOCAL else "mandatory"
# A guest's mail leads back to the site, by an address that only the public one can be.
PIXORA_MAILS_GUESTS = bool(PIXORA_PUBLIC_URL) and (DEBUG or not PIXORA_MAIL_IS_LOCAL)
PIXORA_MAIL_QUIET_HOURS = env.whole_number("PIXORA_MAIL_QUIET_HOURS", 6)
DEFAULT_FROM_EMAIL = env.text("PIXORA_MAIL_FROM", "Pixora <pixora@localhost>")

# REST API

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "galleries.api.incoming.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["galleries.api.incoming.JsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "galleries.api.pages.CursorPages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "galleries.api.problems.problem_response",
    "PAGE_SIZE": 100,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Pixora",
    "VERSION": "1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_INCLUDE_SCHEMA": False,
    # What is sent is not what is answered: ids and addresses are only answered, files and passwords only sent.
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "galleries.api.description.describe",
    ],
    "ENUM_NAME_OVERRIDES": {
        "ArchiveSizeEnum": "galleries.models.archive.Archive.Size",
        "PhotoStateEnum": "galleries.models.photo.Photo.State",
        "SelfieStateEnum": "galleries.models.selfie.Selfie.State",
    },
}
KNOX_TOKEN_MODEL = "galleries.ApiToken"  # noqa: S105 (the name of a model)
REST_KNOX = {"TOKEN_TTL": None, "AUTH_HEADER_PREFIX": "Token"}

# Uploads and the face engine

PIXORA_MAX_FILE_BYTES = env.whole_number("PIXORA_MAX_FILE_BYTES", 60_000_000, least=1)
# The sixteen threads of one web process, each taking in a file of the largest size.
PIXORA_MIN_FREE_BYTES = env.whole_number("PIXORA_MIN_FREE_BYTES", 1_000_000_000)
PIXORA_MAX_PIXELS = env.whole_number("PIXORA_MAX_PIXELS", 120_000_000, least=1)
# What one photographer may keep; 0: no limit.
PIXORA_QUOTA_PHOTOS = env.whole_number("PIXORA_QUOTA_PHOTOS", 200_000)
PIXORA_QUOTA_BYTES = env.whole_number("PIXORA_QUOTA_BYTES", 1_099_511_627_776)
# And how many albums they may have, and searches a day there may be in all of them.
PIXORA_QUOTA_ALBUMS = env.whole_number("PIXORA_QUOTA_ALBUMS", 0)
PIXORA_QUOTA_SEARCHES = env.whole_number("PIXORA_QUOTA_SEARCHES", 0)
# The form's other fields; files are counted by PIXORA_MAX_FILE_BYTES while they arrive.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
DATA_UPLOAD_MAX_NUMBER_FILES = 100
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1_000
FILE_UPLOAD_HANDLERS = ["galleries.uploads.IncomingHandler"]
PIXORA_DETECTOR = env.text("PIXORA_DETECTOR", "centerface-onnx")
PIXORA_FACE_MODEL = env.text("PIXORA_FACE_MODEL", "dlib-onnx")
PIXORA_ENGINE_THREADS = env.whole_number("PIXORA_ENGINE_THREADS", 1, least=1)
PIXORA_INDEX_MEGABYTES = env.whole_number("PIXORA_INDEX_MEGABYTES", 256)
PIXORA_SELFIE_DAYS = env.whole_number("PIXORA_SELFIE_DAYS", 30, least=1)
PIXORA_GUESTS_AN_HOUR = env.whole_number("PIXORA_GUESTS_AN_HOUR", 300, least=1)
PIXORA_SEARCHES_A_DAY = env.whole_number("PIXORA_SEARCHES_A_DAY", 10, least=1)
PIXORA_SELFIES_WAITING = env.whole_number("PIXORA_SELFIES_WAITING", 300, least=1)
PIXORA_ZIP_STREAMS = env.whole_number("PIXORA_ZIP_STREAMS", 4, least=1)

# What webhooks may be sent to beside public addresses by https.
PIXORA_WEBHOOK_NETWORKS = env.networks("PIXORA_WEBHOOK_NETWORKS")

# Language, time, static files

LANGUAGE_CODE = "en"
# Each in its own words.
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "galleries" / "locale"]
USE_TZ = True
TIME_ZONE = env.time_zone("PIXORA_TIME_ZONE", "UTC")
STATIC_URL = "/static/"
STATIC_ROOT = PIXORA_DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static", ("photoswipe", BASE_DIR / "node_modules" / "photoswipe" / "dist")]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "pixora_site.static_files.ModuleStorage"},
}
# Compressing each file twice, and the maps that only a bundle's author needs, took 30 s of every first start.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")

# Logging: request paths carry link tokens, so nothing here logs a path unmasked

_log = {"line": "Line", "json": "Json"}[env.choice("PIXORA_LOG", "line", "json")]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"chosen": {"()": f"pixora_site.logs.{_log}"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "chosen"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}

PIXORA_MISSPELT = env.misspelt()
# What the environment says, and nobody can change on the desk.
PIXORA_GIVEN = env.given()
