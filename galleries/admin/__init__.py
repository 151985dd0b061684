"""The administrator's desk, one noun a file. Rows are looked at and acted on here; faces, vectors and secrets are never
shown.
"""

from . import (
    album,
    api_token,
    archive,
    collaborator,
    entry,
    erasure,
    guest,
    link,
    mail,
    photo,
    selfie,
    user,
)

__all__ = [
    "album",
    "api_token",
    "archive",
    "collaborator",
    "entry",
    "erasure",
    "guest",
    "link",
    "mail",
    "photo",
    "selfie",
    "user",
]
