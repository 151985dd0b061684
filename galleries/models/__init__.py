from .account import ApiToken, Usage, User
from .album import Album, LegalBasis
from .archive import Archive, ArchiveSection
from .audit import Alert, SearchRecord
from .budget import AskedAddress, GuestSearches, NewGuests
from .collaborator import Collaborator
from .erasure import Arrival, Erasure
from .guesses import Guesses
from .mail import Choice, Mail, Topic, Unsubscribed
from .person import Person
from .photo import EmbeddingBlock, Face, Photo
from .return_link import ReturnLink
from .selfie import Match, Selfie
from .sharing import Guest, GuestKey, Link, Visit

__all__ = [
    "Album",
    "Alert",
    "ApiToken",
    "Archive",
    "ArchiveSection",
    "Arrival",
    "AskedAddress",
    "Choice",
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
    "Mail",
    "Match",
    "NewGuests",
    "Person",
    "Photo",
    "ReturnLink",
    "SearchRecord",
    "Selfie",
    "Topic",
    "Unsubscribed",
    "Usage",
    "User",
    "Visit",
]
