from .account import ApiToken, Usage, User
from .album import Album, LegalBasis
from .archive import Archive, ArchiveSection
from .audit import Alert, SearchRecord
from .budget import AskedAddress, GuestSearches, NewGuests
from .collaborator import Collaborator
from .erasure import Arrival, Erasure
from .guesses import Guesses
from .photo import EmbeddingBlock, Face, Photo
from .return_link import ReturnLink
from .selfie import Match, Selfie
from .sharing import Guest, GuestKey, Link, Visit
from .sought import SoughtPerson

__all__ = [
    "Album",
    "Alert",
    "ApiToken",
    "Archive",
    "ArchiveSection",
    "Arrival",
    "AskedAddress",
    "Collaborator",
    "EmbeddingBlock",
    "Erasure",
    "Face",
    "Guesses",
    "Guest",
    "GuestKey",
    "GuestSearches",
    "LegalBasis",
    "Link",
    "Match",
    "NewGuests",
    "Photo",
    "ReturnLink",
    "SearchRecord",
    "Selfie",
    "SoughtPerson",
    "Usage",
    "User",
    "Visit",
]
