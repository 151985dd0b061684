from .account import ApiToken, Usage, User
from .album import Album, LegalBasis
from .archive import Archive, ArchiveSection
from .audit import Alert, SearchRecord
from .budget import AskedAddress, GuestSearches, NewGuests
from .collaborator import Collaborator
from .erasure import Arrival, Erasure
from .guesses import Guesses
from .idempotency import IdempotencyKey
from .people import Grouping, Person, Sighting
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
    "Grouping",
    "Guesses",
    "Guest",
    "GuestKey",
    "GuestSearches",
    "IdempotencyKey",
    "LegalBasis",
    "Link",
    "Match",
    "NewGuests",
    "Person",
    "Photo",
    "ReturnLink",
    "SearchRecord",
    "Selfie",
    "Sighting",
    "SoughtPerson",
    "Usage",
    "User",
    "Visit",
]
