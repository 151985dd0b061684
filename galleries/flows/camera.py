"""The camera step of albums that take selfies by the live camera only.

The page asks for a ticket when its camera opens, and sends it along with the picture. This is friction, not proof:
whoever writes a program can ask for a ticket too, and hold any picture before a camera.
"""

from django.core import signing

from galleries.models import Link
from galleries.models.sharing import digest

# Enough to take the picture, and to send it once a lost connection is back.
TICKET_SECONDS = 600
_SALT = "galleries.camera"


def ticket(link: Link, browser: str) -> str:
    """`browser` is a secret that its cookie holds: the ticket is of no use in another one, nor for another link."""
    return signing.dumps([str(link.pk), digest(browser)], salt=_SALT)


def took_it(link: Link, browser: str, ticket: str) -> bool:
    """Whether this browser has just opened the camera of this link's page."""
    try:
        held: list[str] = signing.loads(ticket, salt=_SALT, max_age=TICKET_SECONDS)
    except signing.BadSignature:
        return False
    return bool(browser) and held == [str(link.pk), digest(browser)]
