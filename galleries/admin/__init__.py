"""The administrator's desk, one noun a file. Rows are looked at and acted on here; faces, vectors and secrets are never
shown.
"""

from . import (
    album,
    api_token,
    archive,
    collaborator,
    dashboard,
    deed,
    entry,
    erasure,
    guest,
    invitation,
    link,
    mail,
    photo,
    selfie,
    site,
    takedown,
    user,
    webhook,
)

__all__ = [
    "album",
    "api_token",
    "archive",
    "collaborator",
    "dashboard",
    "deed",
    "entry",
    "erasure",
    "guest",
    "invitation",
    "link",
    "mail",
    "photo",
    "selfie",
    "site",
    "takedown",
    "user",
    "webhook",
]
