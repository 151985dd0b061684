"""A guest comes by a link: their secret is made, the password asked, the visit counted."""

from typing import Any

from django.db import transaction

from galleries import access
from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.models import Album, Erasure, Guest, Link, Photo, Visit
from galleries.models.deed import Verb
from galleries.models.sharing import digest

from . import admission, deed, guessing, sought


def enter(link: Link, viewer: Viewer, password: str = "", *, browser: str = "") -> tuple[Guest, str | None]:
    """Let the viewer in by the link. Returns the guest, and its new key if the viewer was none before.

    Raises Refusal: 403 wrong_password, 410 link_used_up, 429 too_many_guests, too_many_guesses.
    """
    if not link.needs_password or access.visit_of(viewer, link):
        return _let_in(link, viewer, password)
    # Outside of the transaction, which a wrong password rolls back.
    with guessing.at_link(link, viewer, browser):
        return _let_in(link, viewer, password)


@transaction.atomic
def _let_in(link: Link, viewer: Viewer, password: str) -> tuple[Guest, str | None]:
    guest, key = (viewer.guest, None) if viewer.guest else Guest.make(viewer.user)
    visit, is_new = Visit.objects.get_or_create(guest=guest, link=link)
    if not visit.unlocked:
        if not link.accepts(password):
            raise Refusal("wrong_password", "This is not the link's password.", status=403)
        if is_new:
            admission.count_new_guest(link, viewer)
        if is_new and not link.take_use():
            raise Refusal("link_used_up", "This link has taken all the guests it may.", status=410)
        Visit.objects.filter(pk=visit.pk).update(unlocked=True)
    return guest, key


def note_opening(link: Link, viewer: Viewer) -> None:
    """Somebody looks: a bare number, for who only looks leaves no trace. Guests who were let in are known already."""
    if access.role_in(viewer, link.album) is None and access.visit_of(viewer, link) is None:
        link.count("opened_count")


def note_original(viewer: Viewer, photo: Photo) -> None:
    """A guest had the original of one photo."""
    if link := access.lending_link(viewer, photo):
        link.count("original_count")


def may_keep(viewer: Viewer, key: str) -> bool:
    """Whether what this browser found may go to the account that is signed in.

    Not where the browser came by a return link, which whoever it was lent to opens: the first device would be shut out.
    """
    if not (viewer.user and viewer.guest and viewer.guest_by_cookie and viewer.guest.user_id is None):
        return False
    first = viewer.guest.keys.order_by("pk").values_list("key_hash", flat=True).first()
    return first == digest(key)


def keep_with_account(viewer: Viewer, key: str) -> None:
    """From now on they are reached by the account alone. Only if its owner says so: phones are lent and shared."""
    if viewer.guest and may_keep(viewer, key):
        Guest.objects.filter(pk=viewer.guest.pk, user=None).update(user=viewer.user)


@transaction.atomic
def make_link(album: Album, **facts: Any) -> Link:
    link = Link.make(album, **facts)
    deed.record(Verb.LINK_MADE, link, can_browse=link.can_browse, has_password=link.needs_password)
    return link


@transaction.atomic
def change_link(link: Link, **changes: Any) -> None:
    """Change an own link. With a new password, whoever came by the old one has to give the new one."""
    if "password" in changes:
        link.set_password(changes.pop("password"))
        link.visits.update(unlocked=not link.needs_password)
        changes["password_hash"] = link.password_hash
    for name, value in changes.items():
        setattr(link, name, value)
    # No more than was changed: whoever switched the link off meanwhile shall not find it on again.
    link.save(update_fields=list(changes))
    deed.record(Verb.LINK_CHANGED, link, fields=sorted(changes), enabled=link.enabled)


@transaction.atomic
def delete_link(link: Link) -> None:
    """Delete a link and erase the searches of those who came by it."""
    searches = list(link.selfies.all())
    Erasure.order(selfie.scratch_key for selfie in searches)
    deed.record(Verb.LINK_REVOKED, link, searches=len(searches))
    link.delete()
    sought.forget_unsearched({selfie.guest_id for selfie in searches})
