"""Albums of 0, 3 and 3,000 photos, seeded straight into the tables and the store of a site: for pictures of its pages.

The photos are real JPEGs made of scikit-image's pictures and its faces; thousands of photos share a few dozen files.
"""

import hashlib
import io
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import skimage.data
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from PIL import Image, ImageDraw

from galleries import images, storage
from galleries.flows import album as album_flow
from galleries.flows import brand as brand_flow
from galleries.flows import letter, suspension, watch
from galleries.flows import people as people_flow
from galleries.flows import takedown as takedown_flow
from galleries.flows import webhook as webhook_flow
from galleries.models import (
    Album,
    DayCount,
    Delivery,
    Grouping,
    Guest,
    Link,
    Mail,
    Match,
    Person,
    Photo,
    Selfie,
    Sighting,
    User,
    Visit,
    Webhook,
)
from galleries.models.webhook import Event

FEW, MANY = 3, 3000
_ALONE, _SCENES, _TURNS = 5, 5, 3
_SHAPES = [(900, 600), (600, 900), (900, 600), (800, 800), (1000, 562), (900, 600), (720, 900)]
_EVENT = datetime(2026, 6, 20, 14, 0, tzinfo=UTC)
_LATER = timedelta(days=365)


@dataclass
class Seeded:
    """The rows that pages are asked for, and the cookies of those who ask."""

    albums: dict[str, Album]
    links: dict[str, Link]
    searches: dict[str, Selfie]
    cookies: dict[str, dict[str, str]]
    photo: Photo
    office: "Office"


@dataclass
class Office:
    """What an administrator has, who is also a photographer: an album with people, one that is suspended, and more."""

    people: Album
    suspended: Album
    webhooks: dict[str, Webhook]
    deliveries: dict[str, Delivery]
    mail: Mail
    photo: Photo


def seed(many: int = MANY) -> Seeded:
    owner = User.objects.create_user("olga@example.org", "a long enough password")
    renditions = list(_renditions())
    albums = {
        "empty": _album(owner, "Company picnic", date(2026, 7, 4)),
        "few": _album(owner, "Rehearsal dinner", date(2026, 6, 19)),
        "many": _album(owner, "Nina and Tom at the lake", date(2026, 6, 20)),
    }
    _brand(albums["few"])
    _fill(albums["few"], FEW, renditions)
    _fill(albums["many"], many, renditions)
    _trouble(albums["many"])
    links = _links(albums)
    guest, key = Guest.make()
    searches = _searches(albums, links, guest)
    _strange(links["few"])
    staff = User.objects.create_superuser("admin@example.org", "a long enough password")
    office = _office(staff, renditions)
    return Seeded(
        albums,
        links,
        searches,
        cookies={
            "owner": _session(owner),
            "newcomer": _session(_newcomer()),
            "staff": _session(staff),
            "guest": {"guest": key},
            "nobody": {},
        },
        photo=albums["many"].photos.filter(state=Photo.State.READY).in_order()[4],
        office=office,
    )


def _album(owner: User, title: str, day: date) -> Album:
    album = Album.objects.create(owner=owner, title=title, event_date=day)
    album_flow.switch_face_search(album, True, by=owner, basis="explicit_consent", attested=True)
    return album


def _brand(album: Album) -> None:
    """An album in a photographer's own colours, with a transparent logo."""
    logo, buffer = Image.new("RGBA", (420, 140), (0, 0, 0, 0)), io.BytesIO()
    draw = ImageDraw.Draw(logo)
    draw.polygon([(20, 125), (110, 25), (200, 125)], fill=(28, 86, 92, 255))
    draw.polygon([(130, 125), (215, 55), (300, 125)], fill=(15, 139, 141, 255))
    draw.ellipse((310, 20, 390, 100), fill=(222, 158, 54, 255))
    logo.save(buffer, "PNG")
    words = "Thank you for coming, dear friends.\n\nHere are your photos of the evening before. Take your time."
    look: dict[str, Any] = {
        "brand_name": "Olga Berg Photography",
        "welcome": words,
        "accent": "#0f8b8d",
        "link_preview": True,
    }
    brand_flow.change(album, logo=[buffer.getvalue()], **look)


def _newcomer() -> User:
    return User.objects.create_user("nina@example.org", "a long enough password")


def _session(user: User) -> dict[str, str]:
    """The cookie of somebody who is signed in."""
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session["_auth_user_backend"] = "allauth.account.auth_backends.AuthenticationBackend"
    session["_auth_user_hash"] = user.get_session_auth_hash()
    # Just now, so that no page asks for the password again.
    session["account_authentication_methods"] = [{"method": "password", "at": time.time(), "reauthenticated": True}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.create()
    return {"sessionid": str(session.session_key)}


def _pictures() -> Iterator[Image.Image]:
    """The astronaut from near and far, scenes without people, and strangers at a table."""
    astronaut = Image.fromarray(skimage.data.astronaut())
    for box in ((0, 0, 512, 512), (40, 0, 460, 300), (60, 0, 400, 512), (90, 0, 360, 250), (20, 0, 512, 330)):
        yield astronaut.crop(box)
    for scene in (skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket()):
        yield Image.fromarray(scene)
    yield Image.fromarray(skimage.data.stereo_motorcycle()[0])
    yield Image.fromarray(skimage.data.hubble_deep_field())
    strangers = (skimage.data.lfw_subset()[:18] * 255).astype(np.uint8)
    for start in range(0, 18, 6):
        rows = [np.hstack(list(strangers[first : first + 3])) for first in (start, start + 3)]
        yield Image.fromarray(np.vstack(rows)).convert("RGB").resize((900, 600), Image.Resampling.BICUBIC)


def _renditions() -> Iterator[tuple[images.Renditions, int, int]]:
    """Each picture in several shapes and lights, with its width and height."""
    for number, picture in enumerate(_pictures()):
        for turn in range(_TURNS):
            width, height = _SHAPES[(number + 3 * turn) % len(_SHAPES)]
            lit = np.asarray(_covering(picture, width, height)) * (0.78 + 0.13 * ((number + turn) % 4))
            yield images.render(np.clip(lit, 0, 255).astype(np.uint8)), width, height


def _covering(picture: Image.Image, width: int, height: int) -> Image.Image:
    scale = max(width / picture.width, height / picture.height)
    large = picture.resize((round(picture.width * scale) + 1, round(picture.height * scale) + 1))
    left, top = (large.width - width) // 2, (large.height - height) // 4
    return large.crop((left, top, left + width, top + height))


def _fill(album: Album, count: int, renditions: list[tuple[images.Renditions, int, int]]) -> None:
    photos = []
    for number in range(count):
        made, width, height = renditions[number * 7 % len(renditions)]
        photos.append(
            Photo(
                album=album,
                name=f"IMG_{4000 + number}.jpg",
                size=len(made.preview),
                sha256=hashlib.sha256(f"{album.pk}{number}".encode()).hexdigest(),
                crc32=0,
                content_type="image/jpeg",
                width=width * 4,
                height=height * 4,
                taken_at=_EVENT + timedelta(seconds=11 * number),
                state=Photo.State.READY,
                colour=made.colour,
                face_count=_faces_in(number * 7 % len(renditions)),
                preview_size=len(made.preview),
                guest_size=len(made.preview),
            )
        )
        photos[-1].original_key = f"originals/{album.pk}/{photos[-1].pk}.jpg"
        _store(photos[-1], made)
    Photo.objects.bulk_create(photos, batch_size=500)


def _faces_in(rendition: int) -> int:
    """The astronaut's own pictures come first, three of each; strangers last."""
    return 1 if rendition < _ALONE * _TURNS else 6 * (rendition >= (_ALONE + _SCENES) * _TURNS)


def _store(photo: Photo, made: images.Renditions) -> None:
    """Two files a photo as in life; but the same bytes are on the disk once."""
    for key, data in (
        (photo.thumb_key, made.thumb),
        (photo.preview_key, made.preview),
        (photo.original_key, made.preview),
    ):
        source, target = storage.path(f"renditions/seed/{hashlib.sha256(data).hexdigest()}"), storage.path(key)
        if not source.exists():
            storage.write(f"renditions/seed/{source.name}", data)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.link(source, target)


def _trouble(album: Album) -> None:
    """A photo that is no photo, one that was set aside, and some that are still in work."""
    a_file = {"album": album, "size": 4_000_000, "crc32": 0}
    reasons = [
        (
            "notes.txt",
            Photo.State.REJECTED,
            "not_a_photo",
            "This file is not a photo. Pixora takes JPEG, PNG, WebP and HEIC.",
        )
    ]
    reasons += [("IMG_9001.jpg", Photo.State.QUARANTINED, "time", "Reading this photo took too long three times.")]
    for name, state, code, detail in reasons:
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        Photo.objects.create(**a_file, name=name, sha256=sha256, state=state, code=code, detail=detail)
    for number in range(12):
        sha256 = hashlib.sha256(f"waiting {number}".encode()).hexdigest()
        held = {"state": Photo.State.PROCESSING, "lease_until": timezone.now() + _LATER}
        Photo.objects.create(**a_file, name=f"IMG_91{number:02}.jpg", sha256=sha256, **held)


def _links(albums: dict[str, Album]) -> dict[str, Link]:
    last_day = datetime(2026, 12, 31, 23, 59, 59, tzinfo=timezone.get_default_timezone())
    links = {name: Link.make(album, can_browse=True) for name, album in albums.items()}
    links |= {
        "locked": Link.make(albums["many"], password="lake"),
        "ended": Link.make(albums["many"], enabled=False),
    }
    used = {"opened_count": 341, "uses": 212, "zip_count": 96, "original_count": 507, "expires_at": last_day}
    Link.objects.filter(pk=links["many"].pk).update(**used)
    return links


def _searches(albums: dict[str, Album], links: dict[str, Link], guest: Guest) -> dict[str, Selfie]:
    ends = timezone.now() + timedelta(days=30)
    for name in albums:
        Visit.objects.create(guest=guest, link=links[name], unlocked=True)

    def search(name: str, **fields: Any) -> Selfie:
        facts = {"album": albums[name], "link": links[name], "guest": guest, "expires_at": ends, "keep_me_posted": True}
        return Selfie.objects.create(**facts | fields)

    done = {"state": Selfie.State.DONE, "finished_at": timezone.now()}
    searches = {
        "none": search("empty", **done),
        "few": search("few", **done, scanned=FEW),
        "many": search("many", **done, scanned=albums["many"].photos.count()),
        "failed": search("few", state=Selfie.State.FAILED, code="face_too_small"),
        "waiting": search("many", state=Selfie.State.WORKING, lease_until=timezone.now() + _LATER),
    }
    _match(searches["few"], sure=2, maybe=1)
    _match(searches["many"], sure=48, maybe=7)
    return searches


def _strange(link: Link) -> None:
    """A guest who finds themselves, and one who tries faces until an alert is raised."""
    for outcomes in (["no_face", "done"], ["done", *["another_person"] * watch.OTHER_FACES]):
        guest, ends = Guest.objects.create(), timezone.now() + timedelta(days=30)
        for outcome in outcomes:
            selfie = Selfie.objects.create(album=link.album, link=link, guest=guest, expires_at=ends, state="failed")
            watch.note(selfie, "203.0.113.7")
            watch.note_end(selfie, outcome, photos=2 if outcome == "done" else 0)


def _match(search: Selfie, sure: int, maybe: int) -> None:
    photos = list(search.album.photos.filter(state=Photo.State.READY, face_count=1).in_order())
    chosen = photos[:: max(1, len(photos) // (sure + maybe))][: sure + maybe]
    box = {"x": 0.4, "y": 0.1, "width": 0.2, "height": 0.3}
    Match.objects.bulk_create(
        Match(selfie=search, photo=photo, tier="sure" if number < sure else "maybe", distance=0.2 + number / 500, **box)
        for number, photo in enumerate(chosen)
    )


def _office(staff: User, renditions: list[tuple[images.Renditions, int, int]]) -> Office:
    crowd, suspended = _album(staff, "Summer fair", date(2026, 5, 30)), _album(staff, "Open day", date(2026, 5, 9))
    for album, count in ((crowd, 30), (suspended, FEW)):
        _fill(album, count, renditions)
    _people(crowd, staff)
    suspension.suspend_album(suspended)
    webhooks = _webhooks(staff, crowd)
    _numbers()
    letter.compose(Mail.Kind.RESET, "olga@example.org", "http://127.0.0.1/reset/abc").send()
    photo = crowd.photos.in_order()[0]
    takedown_flow.take_down("0" * 64, reason="wish", is_barred=True, by=staff)
    return Office(
        crowd,
        suspended,
        webhooks,
        {each.state: each for each in Delivery.objects.filter(webhook=webhooks["on"])},
        Mail.objects.legible().order_by("-created_at")[0],
        photo,
    )


def _people(album: Album, owner: User) -> None:
    people_flow.switch(album, True, by=owner)
    Grouping.objects.filter(album=album).update(wanted_at=None, grouped_at=timezone.now())
    photos = list(album.photos.in_order())
    names = ["Ann", "", "Maximiliane von Hohenlohe-Bartenstein", "Bob", "", "", "Grandpa", "", "Zoë"]
    for number, name in enumerate(names):
        person = Person.objects.create(album=album, name=name, hidden=number == 8)
        box = {"x": 0.3 + 0.03 * number, "y": 0.1, "width": 0.25, "height": 0.3}
        Sighting.objects.bulk_create(
            Sighting(person=person, photo=photo, said="is", **box) for photo in photos[number :: number + 2]
        )


def _webhooks(owner: User, album: Album) -> dict[str, Webhook]:
    address = "https://hooks.example.org/pixora/"
    on, _secret = webhook_flow.make(owner, url=f"{address}{'a1b2c3d4' * 8}", events=Event.values, name="Print shop")
    off, _secret = webhook_flow.make(owner, url=address, events=[Event.PHOTO_READY], albums=[album])
    Webhook.objects.filter(pk=off.pk).update(
        switched_off_because=Webhook.Ended.FAILING, switched_off_at=timezone.now(), failures=40
    )
    now = timezone.now()
    told = [
        ("album.ready", {"sent_at": now, "answer_status": 204, "attempts": 1}),
        ("photo.rejected", {"given_up_at": now, "last_error": "It answered 500.", "answer_status": 500, "attempts": 7}),
        ("photo.ready", {"due_at": now + _LATER, "last_error": "There was no answer in time.", "attempts": 3}),
    ]
    for kind, became in told:
        body = f'{{"id": "{album.pk}", "kind": "{kind}", "created": "2026-06-20T14:00:00.000Z", "api_version": "1", '
        body += f'"album": {{"id": "{album.pk}", "url": "https://photos.example.org/api/v1/albums/{album.pk}"}}}}'
        Delivery.objects.create(webhook=on, kind=kind, body=body, created_at=now, **became)
    return {"on": on, "off": off}


def _numbers() -> None:
    """A month of the administrator's first page."""
    today = timezone.localdate()
    for back in range(1, 30):
        for place, name in enumerate(("uploads", "searches", "failures")):
            count = (back * 37 + place * 11) % 97 * (40, 9, 1)[place]
            DayCount.objects.create(day=today - timedelta(days=back), name=name, count=count)
