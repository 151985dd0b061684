"""An album's own look: the photographer's name, logo, colour and welcome, and what a preview of its link may tell."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from galleries import colours, storage
from galleries.errors import Refusal
from galleries.flows import album as album_flow
from galleries.flows import brand as brand_flow
from galleries.forms import PIXORAS_ACCENT
from galleries.models import Album, Link, User
from tests import pictures
from tests.conftest import api_of, ready_photo
from tests.pages import text_of

CSS = (Path(settings.BASE_DIR) / "static" / "css" / "pixora.css").read_text()


def settings_of(album: Album) -> str:
    return reverse("album-edit", args=[album.pk])


def body(answer: Any) -> bytes:
    return b"".join(answer)


# Colours


def test_contrast_is_that_of_the_standard() -> None:
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colours.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert colours.contrast("#336699", "#336699") == 1


@given(st.integers(0, 0xFFFFFF))
def test_any_accent_can_be_read_in_light_and_dark(number: int) -> None:
    accent = f"#{number:06x}"
    for surfaces in (colours.LIGHT_SURFACES, colours.DARK_SURFACES):
        shown = colours.readable(accent, surfaces)
        assert min(colours.contrast(shown, surface) for surface in surfaces) >= 4.5
    found = re.findall(r"--accent: (#\w{6});.*?--on-accent: (#\w{6})", colours.style_sheet(accent))
    assert len(found) == 3
    assert all(colours.contrast(one, other) >= 4.5 for one, other in found)


def test_an_accent_that_can_be_read_stays_as_it_is() -> None:
    assert colours.readable("#1a4d80", colours.LIGHT_SURFACES) == "#1a4d80"
    assert colours.readable("#8fc1ff", colours.DARK_SURFACES) == "#8fc1ff"


# The brand, set and shown


def test_an_album_takes_on_the_photographers_look(desk: Client, album: Album) -> None:
    link = Link.make(album)
    words = {"title": album.title, "brand_name": "Olga Berg", "welcome": "Welcome\n\n<b>dear</b> guests"}
    logo = SimpleUploadedFile("logo.png", pictures.png(pictures.quadrants()))
    desk.post(settings_of(album), words | {"own_accent": "on", "accent": "#336699", "logo": logo})
    page = Client().get(reverse("guest-link", args=[link.token])).content.decode()
    assert "Olga Berg" in page
    assert "<p>Welcome</p>" in page
    assert "&lt;b&gt;dear&lt;/b&gt; guests" in page
    for name, kind in (("guest-accent", "text/css"), ("guest-logo", "image/png")):
        address = reverse(name, args=[link.token])
        assert address in page
        answer = Client().get(address)
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith(kind)
        assert Client().get(address, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    assert "own_accent" in desk.get(settings_of(album)).content.decode()


def test_without_a_brand_pages_look_as_pixora_does(desk: Client, album: Album) -> None:
    link = Link.make(album)
    desk.post(settings_of(album), {"title": album.title, "accent": "#336699"})
    assert Album.objects.get().accent == "", "a colour field always sends one"
    page = Client().get(reverse("guest-link", args=[link.token])).content.decode()
    assert "accent.css" not in page
    assert 'icon"' in page
    assert "Pixora" in text_of(Client().get(reverse("guest-link", args=[link.token])))


def test_a_brand_ends_with_its_link(album: Album) -> None:
    album.accent = "#336699"
    album.save()
    link = Link.make(album)
    brand_flow.change(album, logo=[pictures.png(pictures.quadrants())])
    Link.objects.filter(pk=link.pk).update(enabled=False)
    for name in ("guest-accent", "guest-logo", "guest-cover"):
        assert Client().get(reverse(name, args=[link.token])).status_code == 410


def test_the_database_takes_no_accent_that_is_no_colour(album: Album) -> None:
    for wrong in ("red", "#12345", "#12345g", "#336699;"):
        with pytest.raises(IntegrityError), transaction.atomic():
            Album.objects.filter(pk=album.pk).update(accent=wrong[:7] if len(wrong) < 8 else "}body{")


def test_an_api_client_sets_words_and_colour(album: Album, owner: User) -> None:
    address = f"/api/v1/albums/{album.pk}/"
    answer = api_of(owner).patch(
        address, {"brand_name": "Olga", "accent": "#336699", "link_preview": True}, format="json"
    )
    assert (answer.json()["brand_name"], answer.json()["accent"]) == ("Olga", "#336699")
    wrong = api_of(owner).patch(address, {"accent": "red"}, format="json")
    assert wrong.status_code == 400
    assert "accent" in wrong.json()["errors"]


def test_an_api_client_puts_shows_and_takes_away_the_logo(album: Album, owner: User) -> None:
    api, address = api_of(owner), f"/api/v1/albums/{album.pk}/logo/"
    assert api.get(address).status_code == 404
    sent = api.put(address, {"logo": SimpleUploadedFile("logo.png", pictures.png(pictures.quadrants()))})
    assert sent.json()["logo_url"] == f"http://testserver{address}"
    album.refresh_from_db()
    assert body(api.get(address)) == storage.read(album.logo_key)
    wrong = api.put(address, {"logo": SimpleUploadedFile("logo.svg", b"<svg/>")})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "not_a_photo")
    assert api.delete(address).status_code == 204
    assert api.get(f"/api/v1/albums/{album.pk}/").json()["logo_url"] is None


# The logo


def stored_logo(album: Album) -> Image.Image:
    album.refresh_from_db()
    return Image.open(io.BytesIO(storage.read(album.logo_key)))


def test_a_logo_is_encoded_anew_small_and_without_what_it_carried(album: Album) -> None:
    brand_flow.change(album, logo=[pictures.with_exif(pictures.quadrants(1200, 900), taken="2024:06:01 15:30:00")])
    with stored_logo(album) as logo:
        assert (logo.format, logo.mode, logo.size) == ("PNG", "RGB", (600, 450))
        assert not logo.info.get("exif")
        assert (album.logo_width, album.logo_height) == logo.size


@pytest.mark.parametrize(("ink", "plate"), [((20, 20, 60), (255, 255, 255)), ((255, 250, 240), (29, 26, 22))])
def test_a_transparent_logo_gets_a_plate_that_sets_it_off(
    album: Album, ink: tuple[int, int, int], plate: tuple[int, int, int]
) -> None:
    drawn = Image.new("RGBA", (200, 100), (*ink, 0))
    drawn.paste((*ink, 255), (50, 25, 150, 75))
    brand_flow.change(album, logo=[pictures.png(drawn)])
    with stored_logo(album) as logo:
        assert logo.getpixel((1, 1)) == plate
        assert logo.getpixel((logo.width // 2, logo.height // 2)) == ink


@pytest.mark.parametrize("sent", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", pictures.gif(), pictures.html(), b""])
def test_what_is_no_picture_becomes_no_logo(desk: Client, album: Album, sent: bytes) -> None:
    answer = desk.post(settings_of(album), {"title": "New", "logo": SimpleUploadedFile("logo.svg", sent)})
    assert answer.status_code == 200
    assert any(word in text_of(answer) for word in ("not a photo", "GIF", "empty"))
    album.refresh_from_db()
    assert (album.logo_key, album.title) == ("", "Summer party")


def test_a_logo_beyond_five_megabytes_is_refused(album: Album) -> None:
    with pytest.raises(Refusal) as refused:
        brand_flow.change(album, logo=[bytes(brand_flow.LOGO_BYTES), b"1"])
    assert refused.value.code == "file_too_large"


def test_a_logo_goes_when_it_is_replaced_removed_or_its_album_deleted(desk: Client, album: Album) -> None:
    def change(**fields: object) -> str:
        brand_flow.change(album, **fields)  # type: ignore[arg-type]
        album.refresh_from_db()
        return album.logo_key

    first = change(logo=[pictures.png(pictures.quadrants())])
    second = change(logo=[pictures.jpeg(pictures.quadrants())])
    assert (storage.exists(first), storage.exists(second)) == (False, True)
    assert change(remove_logo=True) == ""
    assert not storage.exists(second)
    third = change(logo=[pictures.png(pictures.quadrants())])
    album_flow.delete_for_good(album)
    assert not storage.exists(third)


# The preview of a link


def preview_of(link: Link) -> str:
    page = Client().get(reverse("guest-link", args=[link.token])).content.decode()
    return " ".join(re.findall(r'<meta property="og:[^>]+>', page))


def test_a_preview_tells_title_and_cover_only_while_the_owner_allows(album: Album) -> None:
    photo = ready_photo(album, pictures.jpeg(pictures.faceless()))
    link, locked = Link.make(album), Link.make(album, password="lake")
    cover = reverse("guest-cover", args=[link.token])
    assert "Summer party" not in preview_of(link)
    assert Client().get(cover).status_code == 404
    brand_flow.change(album, link_preview=True)
    assert "Summer party" in preview_of(link)
    assert f"http://testserver{cover}" in preview_of(link)
    assert body(Client().get(cover)) == storage.read(photo.thumb_key)
    assert "og:image" not in preview_of(locked)
    assert Client().get(reverse("guest-cover", args=[locked.token])).status_code == 404
    brand_flow.change(album, link_preview=False)
    assert Client().get(cover).status_code == 404


def test_a_hidden_photo_is_no_cover(album: Album) -> None:
    photo = ready_photo(album, pictures.jpeg(pictures.faceless()))
    brand_flow.change(album, link_preview=True)
    photo.hidden = True
    photo.save()
    assert Client().get(reverse("guest-cover", args=[Link.make(album).token])).status_code == 404


# Pixora's own colours


def tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})\b", block))


LIGHT = tokens(CSS.split(":root {", 1)[1].split("}", 1)[0])
DARK = LIGHT | tokens(CSS.split("(prefers-color-scheme: dark)", 1)[1].split("}", 1)[0])
ROOM = tokens(CSS.split(".room {", 1)[1].split("}", 1)[0])
# What stands on what, as the rules of pixora.css combine them.
PAIRS = [(ink, on) for ink in ("ink", "muted", "accent", "bad", "good") for on in ("paper", "card", "wash")]
PAIRS += [("ink", "accent-wash"), ("on-accent", "accent"), ("ink", "bad-wash"), ("bad", "bad-wash")]
PAIRS += [("paper", "ink"), ("paper", "bad")]


@pytest.mark.parametrize("mode", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("pair", PAIRS, ids="-on-".join)
def test_words_can_be_read_on_everything_they_stand_on(mode: dict[str, str], pair: tuple[str, str]) -> None:
    assert colours.contrast(mode[pair[0]], mode[pair[1]]) >= 4.5


def test_words_can_be_read_in_a_photos_room() -> None:
    for ink in ("ink", "muted", "accent", "bad"):
        assert all(colours.contrast(ROOM[ink], ROOM[on]) >= 4.5 for on in ("paper", "card", "wash"))


def test_the_surfaces_that_accents_are_fitted_to_are_those_of_the_style_sheet() -> None:
    assert tuple(LIGHT[name] for name in ("paper", "card", "wash")) == colours.LIGHT_SURFACES
    assert tuple(DARK[name] for name in ("paper", "card", "wash")) == colours.DARK_SURFACES
    assert LIGHT["accent"] == LIGHT["accent-on-light"] == PIXORAS_ACCENT


# The site as a thing to install


@pytest.mark.django_db
def test_the_manifest_names_icons_that_are_there_in_the_size_it_says(client: Client) -> None:
    page = client.get(reverse("home")).content.decode()
    assert f'rel="manifest" href="{reverse("manifest")}"' in page
    answer = client.get(reverse("manifest"))
    assert answer["Content-Type"] == "application/manifest+json"
    said = json.loads(answer.content)
    assert {(icon["sizes"], icon.get("purpose")) for icon in said["icons"]} >= {
        ("192x192", None), ("512x512", None), ("512x512", "maskable"),
    }  # fmt: skip
    for icon in said["icons"]:
        if icon["type"] == "image/png":
            with Image.open(static_file(icon["src"])) as picture:
                assert f"{picture.width}x{picture.height}" == icon["sizes"]
    assert client.get(said["start_url"]).status_code == 200


@pytest.mark.django_db
def test_every_icon_of_a_page_is_there_and_small(client: Client) -> None:
    page = client.get(reverse("home")).content.decode()
    icons = re.findall(r'<link rel="(?:icon|apple-touch-icon)" href="([^"]+)"', page)
    assert len(icons) == 3
    assert all(static_file(icon).stat().st_size < 20_000 for icon in icons)


@pytest.mark.django_db
def test_the_browsers_own_bar_wears_the_colour_of_the_page(client: Client) -> None:
    page = client.get(reverse("home")).content.decode()
    colour = dict(re.findall(r'name="theme-color" content="(#\w+)" media="\(prefers-color-scheme: (\w+)\)"', page))
    assert colour == {LIGHT["paper"]: "light", DARK["paper"]: "dark"}


def static_file(address: str) -> Path:
    return Path(settings.BASE_DIR) / "static" / address.removeprefix(settings.STATIC_URL)
