from .account import ApiToken, Usage, User
from .album import Album, LegalBasis
from .archive import Archive, ArchiveSection
from .erasure import Arrival, Erasure
from .guesses import Guesses
from .photo import EmbeddingBlock, Face, Photo
from .return_link import ReturnLink
from .selfie import Match, Selfie
from .sharing import Guest, GuestKey, Link, NewGuests, Visit

__all__ = [
    "Album",
    "ApiToken",
    "Archive",
    "ArchiveSection",
    "Arrival",
    "EmbeddingBlock",
    "Erasure",
    "Face",
    "Guesses",
    "Guest",
    "GuestKey",
    "LegalBasis",
    "Link",
    "Match",
    "NewGuests",
    "Photo",
    "ReturnLink",
    "Selfie",
    "Usage",
    "User",
    "Visit",
]
