"""A site with as many albums, faces and guests as wanted, straight into the tables, and what is asked of it by the way
its programs ask. Everything here runs in a process with a database and a data folder of its own.

One album is asked, the others are there. An owner has ten albums; the first one's are being taken in, the others are at
rest. There is a guest to 25 photos, who has found eight of them.
"""

import itertools
import os
import random
import uuid
from contextlib import redirect_stderr
from datetime import UTC, timedelta
from functools import cache
from pathlib import Path

import numpy as np
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

import recognition
from galleries import images, storage
from galleries.access import Viewer
from galleries.flows import live, search_index, upkeep
from galleries.flows import photo as photo_flow
from galleries.flows import selfie as selfie_flow
from galleries.models import Album, EmbeddingBlock, Face, Guest, GuestKey, Link, Match, Photo, Selfie, User, Visit
from galleries.models.sharing import digest

from .sides import seconds_of

FACES_A_PHOTO = 4
PHOTOS_AN_ALBUM = 100
_ALBUMS_AN_OWNER = 10
_PHOTOS_A_GUEST = 25
_FOUND = 8
# Of the photos of an album that is being taken in; the others are ready.
_WAITING = 0.1
_BATCH = 500
# As many different vectors as a large album has, for the others; how far apart faces are matters to no figure but one.
_VECTORS = 4_000
# So many faces are those of the person who searches.
_OF_THE_PERSON = 40
_BOX = {"x": 0.4, "y": 0.4, "width": 0.1, "height": 0.15}
# Fewer than any file system lets one file have names.
_NAMES_A_FILE = 30_000


def prepare(faces: int, albums: int, folder: Path, selfie: Path) -> None:
    """So many faces in the album that is asked, and so many albums in all."""
    call_command("serve", prepare=True)
    recognition.load()
    dice = random.Random(1)  # noqa: S311 (which photos a guest is in)
    pool = _unit(np.random.default_rng(1).standard_normal((_VECTORS, _dimension())))
    for number in range(albums):
        if number % _ALBUMS_AN_OWNER == 0:
            owner = User.objects.create_user(f"owner-{number}@example.org")
        photos = PHOTOS_AN_ALBUM if number else faces // FACES_A_PHOTO
        _inhabit(owner, photos, pool, dice, taken_in=number < _ALBUMS_AN_OWNER)
    _add_person(asked(), selfie)
    # As a day later: what was just received is told apart from what has been there.
    Photo.objects.update(received_at=F("taken_at"))
    if connection.vendor == "postgresql":
        # As autovacuum does within a minute.
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    _link_files(folder)


def _inhabit(owner: User, photos: int, pool: recognition.types.Vectors, dice: random.Random, *, taken_in: bool) -> None:
    engine, title = recognition.engine().name, f"Album {uuid.uuid4().hex[:6]}"
    album = Album.objects.create(owner=owner, title=title, face_search=True, engine=engine)
    ready = _add_photos(album, photos, state=Photo.State.READY, face_count=FACES_A_PHOTO)
    if taken_in:
        _add_photos(album, round(photos * _WAITING), wanted_engine=engine)
    starts = [dice.randrange(_VECTORS - FACES_A_PHOTO) for _ in ready]
    EmbeddingBlock.objects.bulk_create(
        (
            EmbeddingBlock(
                photo=photo,
                album=album,
                engine=engine,
                count=FACES_A_PHOTO,
                vectors=pool[start : start + FACES_A_PHOTO].tobytes(),
                weak=bytes(FACES_A_PHOTO),
                announced=True,
            )
            for photo, start in zip(ready, starts, strict=True)
        ),
        batch_size=_BATCH,
    )
    faces = (
        Face(photo=photo, engine=engine, ordinal=ordinal, score=0.9, **_BOX)
        for photo in ready
        for ordinal in range(FACES_A_PHOTO)
    )
    Face.objects.bulk_create(faces, batch_size=_BATCH)
    _add_guests(album, ready, pool, dice)


def _add_photos(album: Album, count: int, **facts: object) -> list[Photo]:
    begun = timezone.now() - timedelta(days=1)
    photos = []
    for number in range(count):
        photo = Photo(album=album, name=f"DSC{number:05}.jpg", size=1, crc32=0, sha256=uuid.uuid4().hex * 2, **facts)
        photo.original_key = f"originals/{album.pk}/{photo.pk}.jpg"
        photo.content_type, photo.width, photo.height, photo.colour = "image/jpeg", 1600, 1067, "#808080"
        photo.preview_size = photo.thumb_size = photo.guest_size = 1
        photo.taken_at = (begun + timedelta(seconds=number)).astimezone(UTC)
        photos.append(photo)
    return Photo.objects.bulk_create(photos, batch_size=_BATCH)


def _add_guests(album: Album, photos: list[Photo], pool: recognition.types.Vectors, dice: random.Random) -> None:
    link = Link.make(album, can_browse=True)
    guests = [Guest() for _ in range(max(1, len(photos) // _PHOTOS_A_GUEST))]
    Guest.objects.bulk_create(guests, batch_size=_BATCH)
    GuestKey.objects.bulk_create(GuestKey(guest=guest, key_hash=digest(_key(guest))) for guest in guests)
    Visit.objects.bulk_create(Visit(guest=guest, link=link, unlocked=True) for guest in guests)
    facts = {"state": Selfie.State.DONE, "engine": album.engine, "keep_me_posted": True, "scanned": len(photos)}
    facts |= {"expires_at": timezone.now() + timedelta(days=30), "finished_at": timezone.now() - timedelta(days=1)}
    vectors = pool[:2].tobytes()
    searches = [Selfie(album=album, link=link, guest=guest, vectors=vectors, **facts) for guest in guests]
    Selfie.objects.bulk_create(searches, batch_size=_BATCH)
    matches = (
        Match(selfie=search, photo=photo, tier=Match.Tier.SURE, distance=0.2, **_BOX)
        for search in searches
        for photo in dice.sample(photos, min(_FOUND, len(photos)))
    )
    Match.objects.bulk_create(matches, batch_size=_BATCH)
    Selfie.objects.filter(album=album).update(created_at=timezone.now() - timedelta(days=1))


def _key(guest: Guest) -> str:
    return f"key-of-{guest.pk}"


def _add_person(album: Album, selfie: Path) -> None:
    """Faces of the person who searches, near enough to be found."""
    person = recognition.embed_selfie(images.decode(selfie, images.DECODE_EDGE).pixels).embedding
    blocks = list(album.blocks.order_by("pk")[: _OF_THE_PERSON // FACES_A_PHOTO])
    for number, block in enumerate(blocks):
        vectors = np.frombuffer(block.vectors, dtype="<f4").reshape(FACES_A_PHOTO, -1).copy()
        vectors[0] = _unit(person + (0.15 + 0.01 * number) * vectors[0])
        block.vectors = vectors.tobytes()
    EmbeddingBlock.objects.bulk_update(blocks, ["vectors"])


def _link_files(folder: Path) -> None:
    """A byte for each file, that checks may ask for its size."""
    links, made = itertools.count(), set()
    for photo in Photo.objects.only("pk", "album", "original_key", "state").iterator():
        for key in photo.stored_keys() if photo.state == Photo.State.READY else [photo.original_key]:
            path, number = storage.path(key), next(links)
            source = folder / f"byte-{number // _NAMES_A_FILE}"
            if number % _NAMES_A_FILE == 0:
                source.write_bytes(b"x")
            if path.parent not in made:
                path.parent.mkdir(parents=True, exist_ok=True)
                made.add(path.parent)
            os.link(source, path)


def _unit(vectors: np.ndarray) -> recognition.types.Vectors:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype("<f4")


def _dimension() -> int:
    return recognition.engine().dimension


@cache
def asked() -> Album:
    return Album.objects.select_related("owner").earliest("created_at")


# What is asked: each gives the seconds that it took.


def search(selfie: Path) -> float:
    """By a worker, from the waiting picture to the rows of the result."""
    link = Link.make(asked())
    search, _ = selfie_flow.receive(link, Viewer(), [selfie.read_bytes()], consent=True, keep_me_posted=True)
    taken = seconds_of(selfie_flow.work)
    if not search.matches.exists():
        raise RuntimeError("The search found nothing.")
    search.refresh_from_db()
    selfie_flow.withdraw(search)
    return taken


def first_search(selfie: Path) -> float:
    search_index.forget()
    return search(selfie)


def claim() -> float:
    begun = timezone.now()
    taken = seconds_of(Photo.objects.claim)
    # As if it had not been.
    if not Photo.objects.filter(fence__isnull=False).update(fence=None, lease_until=None, attempts=0, state="uploaded"):
        raise RuntimeError(f"Nothing was claimed since {begun}.")
    return taken


def sweep() -> float:
    return seconds_of(upkeep.sweep)


def progress() -> float:
    return seconds_of(lambda: photo_flow.progress(Album.objects.get(pk=asked().pk)))


def live_card() -> float:
    return _answered(_owner(), reverse("album-progress", args=[asked().pk]))


def coverage() -> float:
    return seconds_of(lambda: live.live(asked()))


def album_page() -> float:
    return _answered(_owner(), reverse("album", args=[asked().pk]))


def listing() -> float:
    return _answered(_owner(), reverse("album-listing", args=[asked().pk]))


def album_list() -> float:
    return _answered(_owner(), reverse("albums"))


def all_albums() -> float:
    """The same by an owner of all."""
    owners = {album.pk: album.owner_id for album in Album.objects.only("owner")}
    Album.objects.update(owner=asked().owner)
    taken = album_list()
    for owner in set(owners.values()):
        Album.objects.filter(pk__in=[album for album, its in owners.items() if its == owner]).update(owner=owner)
    return taken


def result() -> float:
    selfie = asked().selfies.order_by("pk")[0]
    guest = Client(headers={"host": "127.0.0.1", "pixora-guest": _key(selfie.guest)})
    return _answered(guest, reverse("selfie", args=[selfie.pk]))


def check() -> float:
    with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        return seconds_of(lambda: call_command("verify", quick=True, stdout=nowhere))


def database_bytes() -> int:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
    path = Path(connection.settings_dict["NAME"])
    return sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))


@cache
def _owner() -> Client:
    browser = Client(headers={"host": "127.0.0.1", "accept-encoding": "gzip"})
    browser.force_login(asked().owner)
    return browser


def _answered(browser: Client, address: str) -> float:
    """To the end of the answer: what is measured is not streamed."""

    def ask() -> None:
        if (status := browser.get(address).status_code) != 200:
            raise RuntimeError(f"{address} answered {status}.")

    return seconds_of(ask)
