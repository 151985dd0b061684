from .account import ApiToken, User
from .album import Album, LegalBasis
from .archive import Archive, ArchiveSection
from .erasure import Arrival, Erasure
from .photo import EmbeddingBlock, Face, Photo
from .return_link import ReturnLink
from .selfie import Match, Selfie
from .sharing import Arrivals, Guest, GuestKey, Link, Visit

__all__ = [
    "Album",
    "ApiToken",
    "Archive",
    "ArchiveSection",
    "Arrival",
    "Arrivals",
    "EmbeddingBlock",
    "Erasure",
    "Face",
    "Guest",
    "GuestKey",
    "LegalBasis",
    "Link",
    "Match",
    "Photo",
    "ReturnLink",
    "Selfie",
    "User",
    "Visit",
]
