from .account import ApiToken, Usage, User
from .album import Album, LegalBasis
from .archive import Archive, ArchiveSection
from .audit import Alert, SearchRecord
from .budget import AskedAddress, GuestSearches, NewGuests, OwnerSearches
from .collaborator import Collaborator
from .day_count import DayCount
from .deed import Deed
from .erasure import Arrival, Erasure
from .guesses import Guesses
from .idempotency import IdempotencyKey
from .invitation import Invitation
from .mail import Choice, Mail, Topic, Unsubscribed
from .people import Grouping, Person, Sighting
from .photo import EmbeddingBlock, Face, Photo
from .return_link import ReturnLink
from .selfie import Match, Selfie
from .sharing import Guest, GuestKey, Link, Visit
from .site import SiteSettings
from .sought import SoughtPerson
from .takedown import Takedown
from .webhook import Delivery, Webhook

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
    "DayCount",
    "Deed",
    "Delivery",
    "EmbeddingBlock",
    "Erasure",
    "Face",
    "Grouping",
    "Guesses",
    "Guest",
    "GuestKey",
    "GuestSearches",
    "IdempotencyKey",
    "Invitation",
    "LegalBasis",
    "Link",
    "Mail",
    "Match",
    "NewGuests",
    "OwnerSearches",
    "Person",
    "Photo",
    "ReturnLink",
    "SearchRecord",
    "Selfie",
    "Sighting",
    "SiteSettings",
    "SoughtPerson",
    "Takedown",
    "Topic",
    "Unsubscribed",
    "Usage",
    "User",
    "Visit",
    "Webhook",
]
