"""Fills a small album from the pictures that come with scikit-image, by the same path as any upload."""

import secrets
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand
from django.urls import reverse

from galleries import images
from galleries.flows import album as albums
from galleries.flows import photo as photos
from galleries.models import Album, LegalBasis, Link, User
from pixora_site.programs import site_address

EMAIL = "demo@example.org"
TITLE = "A day at the space centre (demo)"
SHOWN = 16  # photos that the selfie finds
# (top, bottom, left, right) in skimage.data.astronaut(), 512 x 512, whose head is at rows 15-190, columns 150-300.
_PORTRAIT, _BUST, _SELFIE = (0, 240, 105, 345), (0, 400, 20, 420), (5, 205, 130, 330)
_STANDING = (0, 512, 50, 434)
_BROKEN = b"<!doctype html><title>Not found</title>"
_UPSIDE_DOWN, _TURNED_RIGHT, _TURNED_LEFT = 3, 6, 8  # EXIF orientations


class Command(BaseCommand):
    help = "Makes a demo album with its photographer, a guest link and a selfie to try. Doing it again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        owner, password = photographer()
        album, is_new = Album.objects.get_or_create(owner=owner, title=TITLE, deleted_at=None)
        if is_new:
            albums.switch_face_search(album, True, by=owner, basis=LegalBasis.Basis.EXPLICIT_CONSENT, attested=True)
        if not album.photos.exists():
            fill(album)
        link = album.links.open().first() or Link.make(album)
        site = site_address()
        self.stdout.write(f"Photographer: {site}{reverse('account_login')} as {EMAIL}, {password}")
        self.stdout.write(f"Guest:        {site}{reverse('guest-link', args=[link.token])}")
        self.stdout.write(f"Selfie:       {write_selfie()} (the astronaut, who is in {SHOWN} of the photos)")


def photographer() -> tuple[User, str]:
    """The owner of the demo album, and what to say of the password: it is shown when it is made, and only then."""
    if owner := User.objects.filter(email=EMAIL).first():
        return owner, "with the password that was shown the first time"
    password = secrets.token_urlsafe(12)
    return User.objects.create_user(EMAIL, password), f"password {password} (shown this once)"


def fill(album: Album) -> None:
    for name, content in pictures():
        folder, _, base = name.rpartition("/")
        photos.receive(album, base, folder, [content])


def write_selfie() -> Path:
    """The same person from nearer, and so broader, lighter and tilted a little: no copy of a photo in the album."""
    path = settings.PIXORA_DATA_DIR / "demo" / "selfie.jpg"
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(jpeg(exposed(tilted(broadened(part(_sample("astronaut"), _SELFIE), 960), -4), 0.85)))
    return path


def pictures() -> Iterator[tuple[str, bytes]]:
    """Names below the folder that a photographer would upload, and the bytes of each file."""
    yield from with_the_astronaut()
    yield from with_others()
    for name in ("coffee", "rocket", "chelsea", "hubble_deep_field", "moon"):
        yield f"around/{name}.jpg", jpeg(_sample(name))
    yield "around/broken-link.jpg", _BROKEN


def with_the_astronaut() -> Iterator[tuple[str, bytes]]:
    whole = _sample("astronaut")
    portrait, bust = enlarged(part(whole, _PORTRAIT), 1200), enlarged(part(whole, _BUST), 1400)
    yield "stage/arrival.jpg", jpeg(enlarged(whole, 1600))
    yield "stage/portrait.jpg", jpeg(portrait)
    yield "stage/bust.jpg", jpeg(bust)
    for degrees in (-15, -8, 6, 12):
        yield f"stage/tilted{degrees:+d}.jpg", jpeg(tilted(bust, degrees))
    for name, gamma in (("dusk", 1.8), ("bright", 0.6)):
        yield f"stage/{name}.jpg", jpeg(exposed(portrait, gamma))
    yield "stage/mirrored.jpg", jpeg(bust[:, ::-1])
    yield "stage/grey.jpg", jpeg(np.repeat(portrait.mean(axis=2, keepdims=True), 3, axis=2))
    standing = enlarged(part(whole, _STANDING), 1200)
    for name, orientation in (("left", _TURNED_LEFT), ("right", _TURNED_RIGHT), ("over", _UPSIDE_DOWN)):
        yield f"phone/turned-{name}.jpg", jpeg(as_held(standing, orientation), orientation)


def with_others() -> Iterator[tuple[str, bytes]]:
    """Strangers alone, and beside the astronaut. The wheel has them at 25 x 25 pixels, so they stay blurred."""
    strangers = [np.repeat(face[..., None] * 255, 3, axis=2) for face in _sample("lfw_subset")[:24]]
    faces = [enlarged(face, 300) for face in strangers]
    for number in range(2):
        rows = [np.hstack(faces[start : start + 4]) for start in (number * 8, number * 8 + 4)]
        yield f"guests/table-{number + 1}.jpg", jpeg(np.vstack(rows))
    astronaut = enlarged(part(_sample("astronaut"), _BUST), 900)
    for number in range(2):
        beside = np.vstack(faces[16 + number * 3 : 19 + number * 3])
        yield f"guests/together-{number + 1}.jpg", jpeg(np.hstack([astronaut, beside][:: 1 - 2 * number]))
    yield "guests/photographer.jpg", jpeg(enlarged(_sample("camera"), 1200))


def _sample(name: str) -> np.ndarray:
    """A picture of scikit-image's wheel, as it comes; (H, W, 3) with values to 255 unless it is grey or a stack."""
    import skimage.data

    return np.asarray(getattr(skimage.data, name)())


def part(picture: np.ndarray, edges: tuple[int, int, int, int]) -> np.ndarray:
    top, bottom, left, right = edges
    return picture[top:bottom, left:right]


def broadened(picture: np.ndarray, width: int) -> np.ndarray:
    """As the lens of a phone held near draws a face."""
    return enlarged(picture, width, breadth=1.25)


def enlarged(picture: np.ndarray, width: int, breadth: float = 1) -> np.ndarray:
    from skimage.transform import resize

    height = round(picture.shape[0] * width / picture.shape[1] / breadth)
    return resize(picture.astype(np.float32), (height, width), order=1, preserve_range=True)


def tilted(picture: np.ndarray, degrees: float) -> np.ndarray:
    from skimage.transform import rotate

    return rotate(picture, degrees, mode="edge", preserve_range=True)


def exposed(picture: np.ndarray, gamma: float) -> np.ndarray:
    return 255 * (np.clip(picture, 0, 255) / 255) ** gamma


def as_held(picture: np.ndarray, orientation: int) -> np.ndarray:
    """The rows as a camera held that way stores them."""
    return np.rot90(picture, {_TURNED_RIGHT: 1, _UPSIDE_DOWN: 2, _TURNED_LEFT: 3}[orientation])


def jpeg(picture: np.ndarray, orientation: int = 1) -> bytes:
    """A JPEG of RGB or grey values to 255, with its EXIF orientation."""
    colours = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    pixels = np.ascontiguousarray(np.clip(colours[..., :3], 0, 255).round().astype(np.uint8))
    return with_orientation(images.render(pixels).preview, orientation)


def with_orientation(jpeg_bytes: bytes, orientation: int) -> bytes:
    """With an APP1 segment: a big-endian TIFF whose one field is 0x0112, a SHORT (EXIF 2.3)."""
    tiff = struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    segment = b"Exif\0\0" + tiff
    return jpeg_bytes[:2] + struct.pack(">HH", 0xFFE1, len(segment) + 2) + segment + jpeg_bytes[2:]
