from .account import ApiToken, User
from .album import Album, LegalBasis
from .archive import Archive
from .erasure import Erasure
from .photo import EmbeddingBlock, Face, Photo
from .selfie import Match, Selfie
from .sharing import Guest, Link, Visit

__all__ = [
    "Album",
    "ApiToken",
    "Archive",
    "EmbeddingBlock",
    "Erasure",
    "Face",
    "Guest",
    "LegalBasis",
    "Link",
    "Match",
    "Photo",
    "Selfie",
    "User",
    "Visit",
]
