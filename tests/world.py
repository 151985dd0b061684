"""The world of the access tests: two owners with an album each, and everybody who may come near the first one.

Olga's album has a photo in every state, a link of every kind with a guest by each, two collaborators, and a twin that
was deleted. Otto's has a photo, a link and a guest. What stands in Otto's, and must reach nobody here, has a word of
its own in it: OTTOS.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.test import Client
from django.utils import timezone
from PIL import Image

from galleries.access import Viewer
from galleries.flows import album as album_flow
from galleries.flows import archive as archive_flow
from galleries.flows import brand as brand_flow
from galleries.flows import event as event_flow
from galleries.flows import webhook as webhook_flow
from galleries.models import (
    Album,
    Alert,
    ApiToken,
    Archive,
    Choice,
    Collaborator,
    Grouping,
    Guest,
    Link,
    Mail,
    Match,
    Person,
    Photo,
    ReturnLink,
    Selfie,
    Sighting,
    User,
    Visit,
)
from galleries.models.sharing import digest
from tests import pictures
from tests.conftest import Found, add, browser_of, ready_photo, search

OLGAS, OTTOS = "olgaseagull", "ottosheron"
# The tests of Django put a backend of their own in its place.
QUEUE = "galleries.flows.mail.Queue"
# By way of whom somebody is in: each guest of Olga's came by a link of their own.
LINKS: dict[str, dict[str, Any]] = {
    "browsing": {"can_browse": True},
    "looking": {"can_browse": True},
    "keeping": {},
    "used-up": {"max_uses": 1},
    "locked": {"password": "open sesame", "can_browse": True},
    "expired": {},
    "revoked": {},
}
UNSEEN = ("processing", "hidden", "quarantined")
STATES = ("ready", *UNSEEN, "maybe", "not me")


@dataclass
class Tenant:
    """An owner with an album, and what leads to what is in it: by the names that stand in the addresses of routes."""

    owner: User
    album: Album
    found: Found
    ids: dict[str, Any]
    photos: dict[str, Photo] = field(default_factory=dict)


@dataclass
class World:
    olga: Tenant
    otto: Tenant
    clients: dict[str, Client]
    # Of each guest of Olga's: their own search and zip, as in the addresses of routes.
    own: dict[str, dict[str, Any]]
    # Of an album that Olga has deleted.
    deleted: dict[str, Any]

    @property
    def ids(self) -> dict[str, Any]:
        return self.olga.ids

    @contextmanager
    def asked(self, persona: str, method: str, path: str, *body: Any, **headers: Any) -> Iterator[Any]:
        """The answer; afterwards everything is as it was before."""
        client = self.clients[persona]
        cookies = client.cookies.output(header="", sep=";")
        with transaction.atomic():
            answer = client.generic(method, path, *body, **headers)
            try:
                yield answer
            finally:
                answer.close()
                transaction.set_rollback(True)
        client.cookies = SimpleCookie(cookies)


def build() -> World:
    """To be called in a transaction, which the caller rolls back."""
    olga, otto = tenant("olga", OLGAS), tenant("otto", OTTOS)
    _add_states(olga)
    own = {"guest": olga.ids} | {way: _another_guest(olga, way, **fields) for way, fields in LINKS.items()}
    Link.objects.filter(pk=own["expired"]["link_id"]).update(expires_at=timezone.now() - timedelta(minutes=1))
    Link.objects.filter(pk=own["looking"]["link_id"]).update(can_download=False)
    Link.objects.filter(pk=own["revoked"]["link_id"]).update(enabled=False)
    Link.objects.filter(pk=own["used-up"]["link_id"]).update(uses=1)
    # As after its password was changed.
    Visit.objects.filter(link=own["locked"]["link_id"]).update(unlocked=False)
    Visit.objects.create(guest=Guest.make()[0], link_id=own["locked"]["link_id"], unlocked=True)
    # And let in by another link, which opens nothing here.
    let_in = Guest.objects.get(keys__key_hash=digest(own["locked"]["guest_key"]))
    Visit.objects.create(guest=let_in, link_id=olga.ids["link_id"], unlocked=True)
    Album.objects.filter(pk=otto.album.pk).update(link_preview=False)
    olga.ids["mail_id"] = _shown_mail().pk
    clients = _guests(otto, own) | _people(olga, otto) | _tokens(olga)
    return World(olga, otto, clients, own, _deleted_twin(olga))


def _guests(otto: Tenant, own: dict[str, dict[str, Any]]) -> dict[str, Client]:
    """By cookie, by header, by an account; and by the cookie of the last one's browser when nobody is signed in."""
    keys = {way: ids["guest_key"] for way, ids in own.items()} | {"other guest": otto.found.key}
    clients = {name: _guest_browser(key) for name, key in keys.items()}
    clients["browsing"] = Client(headers={"pixora-guest": keys["browsing"]})
    return clients | {"keeping": _keeping(keys["keeping"]), "left": _guest_browser(keys["keeping"])}


def _shown_mail() -> Mail:
    """Nobody's of the world: only who may do all sees any."""
    EmailMessage("Hello", "A word", to=["somebody@example.org"], connection=get_connection(QUEUE)).send()
    return Mail.objects.get()


def tenant(name: str, word: str) -> Tenant:
    owner = User.objects.create_user(f"{name}.{word}@example.org", "x")
    looks = {"brand_name": f"Studio {word}", "welcome": f"Welcome, {word}", "accent": "#336699", "link_preview": True}
    album = Album.objects.create(owner=owner, title=f"Party {word}", **looks)
    brand_flow.change(album, logo=[pictures.png(pictures.quadrants(96 if name == "olga" else 120))])
    album_flow.switch_face_search(album, True, by=owner, basis="contract", attested=True)
    photo = ready_photo(album, photographed(word), f"{word}.jpg", f"folder-{word}")
    link = Link.make(album)
    found = search(link)
    found.selfie.email = f"guest.{word}@example.org"
    found.selfie.save()
    colleague = User.objects.create_user(f"colleague.{word}@example.org", "x")
    collaborator = Collaborator.objects.create(album=album, user=colleague, role="editor")
    alert = Alert.objects.create(album=album, link=link, sign="many_guests", network_label=word)
    address = f"https://{word}.example.org/hook"
    webhook, _ = webhook_flow.make(owner, url=address, events=["photo.ready"], albums=[album], name=f"Hook {word}")
    ids = {
        "album_id": album.pk,
        "webhook_id": webhook.pk,
        "delivery_id": event_flow.try_out(webhook).pk,
        "photo_id": photo.pk,
        "alert_id": alert.pk,
        "person_id": _seen(photo, word).pk,
        "token_id": ApiToken.objects.create(user=owner)[0].public_id,
        "collaborator_id": collaborator.pk,
        "own_archive_id": archive_flow.of_album(Viewer(owner), album, None, "original").pk,
        "editors_archive_id": archive_flow.of_album(Viewer(colleague), album, None, "original").pk,
        **_ids_of_guest(found, link),
    }
    return Tenant(owner, album, found, ids, {"ready": photo})


def _seen(photo: Photo, word: str) -> Person:
    """Whom the photographer sees in a photo."""
    Grouping.objects.create(album=photo.album)
    person = Person.objects.create(album=photo.album, name=f"Name {word}")
    Sighting.objects.create(person=person, photo=photo, **_BOX)
    return person


def _ids_of_guest(found: Found, link: Link) -> dict[str, Any]:
    made = found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", {}, format="json")
    assert made.status_code == 201
    return {
        "guest_key": found.key,
        "link_id": link.pk,
        "token": link.token,
        "selfie_id": found.selfie.pk,
        "return_token": ReturnLink.make(found.selfie),
        "mail_token": Choice.about(f"photos:{link.album_id}", found.selfie.email, found.selfie).mailed_token,
        "archive_id": Archive.objects.get(selfie=found.selfie).pk,
    }


def photographed(word: str) -> bytes:
    """A portrait whose camera and program wrote down a good deal; no two words make the same file, or preview."""
    portrait = pictures.portrait().copy()
    portrait[:16, :16] = [ord(letter) for letter in word[:3]]
    exif = Image.Exif()
    exif[0x010E], exif[0x013B] = f"Caption {word}", f"Artist {word}"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 29: word})
    return pictures.jpeg(portrait, exif=exif, comment=f"Comment {word}".encode())


def _add_states(olga: Tenant) -> None:
    """Photos that the guest's search has found, as it were, and that no guest may see, or see any more."""
    for edge, state in enumerate(STATES[1:], 64):
        photo = add(olga.album, pictures.jpeg(pictures.quadrants(edge)), f"{state}-{OLGAS}.jpg").photo
        ready = {"width": edge, "height": 64, "wanted_engine": ""}
        facts: dict[str, Any] = {"state": state} if state in Photo.State.values else {"state": "ready"}
        Photo.objects.filter(pk=photo.pk).update(hidden=state == "hidden", **facts, **ready)
        said = {"tier": "maybe" if state == "maybe" else "sure", "verdict": "not_me" if state == "not me" else ""}
        Match.objects.create(selfie=olga.found.selfie, photo=photo, distance=0.2, **said, **_BOX)
        olga.photos[state] = photo


def _deleted_twin(olga: Tenant) -> dict[str, Any]:
    """An album of Olga's with all that hers has, deleted; its searches are not, as if that had been forgotten."""
    twin = Album.objects.create(owner=olga.owner, title=f"Gone {OLGAS}", accent="#336699", link_preview=True)
    photo = add(twin, pictures.jpeg(pictures.quadrants(60)), f"deleted-{OLGAS}.jpg").photo
    Photo.objects.filter(pk=photo.pk).update(state="ready", width=60, height=64, wanted_engine="")
    editor = Collaborator.objects.get(pk=olga.ids["collaborator_id"]).user
    row = Collaborator.objects.create(album=twin, user=editor, role="editor")
    link = Link.make(twin, can_browse=True)
    guest = Guest.objects.get(keys__key_hash=digest(olga.found.key))
    Visit.objects.create(guest=guest, link=link, unlocked=True)
    later = timezone.now() + timedelta(days=1)
    selfie = Selfie.objects.create(album=twin, link=link, guest=guest, state="done", expires_at=later)
    Match.objects.create(selfie=selfie, photo=photo, tier="sure", distance=0.2, **_BOX)
    archive_flow.of_album(Viewer(olga.owner), twin, None, "original")
    Album.objects.filter(pk=twin.pk).update(deleted_at=timezone.now())
    # Nobody has this one back: it is being erased.
    Album.objects.create(owner=olga.owner, title=f"Doomed {OLGAS}", deleted_at=timezone.now(), doomed=True)
    ids = {"album_id": twin.pk, "photo_id": photo.pk, "link_id": link.pk, "token": link.token}
    ids["person_id"] = _seen(photo, f"deleted {OLGAS}").pk
    return ids | {"selfie_id": selfie.pk, "return_token": ReturnLink.make(selfie), "collaborator_id": row.pk}


_BOX = {"x": 0.1, "y": 0.1, "width": 0.2, "height": 0.2}


def _another_guest(olga: Tenant, way: str, **fields: Any) -> dict[str, Any]:
    """The same search by another guest, and by a link of their own."""
    link = Link.make(olga.album, **fields)
    guest, key = Guest.make()
    Visit.objects.create(guest=guest, link=link, unlocked=True)
    selfie = Selfie.objects.get(pk=olga.found.selfie.pk)
    matches = list(selfie.matches.filter(photo=olga.photos["ready"]))
    selfie.pk, selfie._state.adding = uuid.uuid4(), True
    selfie.guest, selfie.link, selfie.email = guest, link, f"{way}.{OLGAS}@example.org"
    selfie.save()
    for match in matches:
        match.pk, match._state.adding, match.selfie = None, True, selfie
        match.save()
    return {"album_id": olga.album.pk} | _ids_of_guest(Found(key, selfie), link)


def _keeping(key: str) -> Client:
    user = User.objects.create_user(f"account.{OLGAS}@example.org", "x")
    Guest.objects.filter(keys__key_hash=digest(key)).update(user=user)
    return browser_of(user)


def _people(olga: Tenant, otto: Tenant) -> dict[str, Client]:
    viewer, disabled, stranger = (
        User.objects.create_user(f"{name}.{OLGAS}@example.org", "x") for name in ("viewer", "disabled", "stranger")
    )
    Collaborator.objects.create(album=olga.album, user=viewer, role="viewer")
    Collaborator.objects.create(album=olga.album, user=disabled, role="editor")
    editor = Collaborator.objects.get(pk=olga.ids["collaborator_id"]).user
    staff = User.objects.create_superuser("ada@example.org", "x")
    people = {"owner": olga.owner, "editor": editor, "viewer": viewer, "other owner": otto.owner, "stranger": stranger}
    people |= {"staff": staff, "disabled": disabled}
    clients = {"nobody": Client()} | {name: browser_of(user) for name, user in people.items()}
    clients["dead token"] = _token_client(ApiToken.objects.create(user=disabled)[1])
    olga.ids["disabled_guest_key"] = Guest.make(disabled)[1]
    User.objects.filter(pk=disabled.pk).update(is_active=False)
    return clients


def _tokens(olga: Tenant) -> dict[str, Client]:
    clients = {}
    for scope in ("read", "upload", "manage"):
        _, token = ApiToken.objects.create(user=olga.owner, scopes=scope)
        clients[scope] = _token_client(token)
    bound, token = ApiToken.objects.create(user=olga.owner)
    other = Album.objects.create(owner=olga.owner, title=f"Other {OLGAS}")
    olga.ids["other_album_id"] = other.pk
    Link.make(other)
    Album.objects.filter(pk=other.pk).update(link_preview=True)
    bound.bind([other])
    return clients | {"bound": _token_client(token)}


def _token_client(token: str) -> Client:
    return Client(headers={"authorization": f"Token {token}"})


def _guest_browser(key: str) -> Client:
    client = Client()
    client.cookies[settings.PIXORA_GUEST_COOKIE] = key
    return client
