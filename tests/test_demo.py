"""What `make demo` shows a newcomer: an album of scikit-image's pictures, in which the selfie finds one person."""

import io
from pathlib import Path

import pytest
from django.core.management import call_command

from galleries.flows import photo as photo_flow
from galleries.management.commands.seed_demo import EMAIL, SHOWN
from galleries.models import Album, Link, User
from tests.conftest import search, work_off


def seed() -> str:
    out = io.StringIO()
    call_command("seed_demo", stdout=out)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_the_selfie_of_the_demo_finds_its_person_among_strangers_faceless_photos_and_a_broken_file() -> None:
    said = seed()
    work_off()
    album = Album.objects.get()
    progress = photo_flow.progress(album)
    assert progress["rejected"] == 1
    assert progress["received"] == progress["ready"] + 1
    assert album.photos.filter(folder="around", state="ready", face_count=0).exists()
    assert album.photos.get(name="table-1.jpg").face_count == 8

    selfie = Path(said.split("Selfie:")[1].split(" (")[0].strip())
    found = search(Link.objects.get(), selfie.read_bytes())
    photos = found.api.get(f"/api/v1/selfies/{found.selfie.pk}/").json()["photos"]
    with_her = {photo.name for photo in album.photos.filter(folder__in=["stage", "phone"])}
    assert {photo["name"] for photo in photos} == with_her | {"together-1.jpg", "together-2.jpg"}
    assert {photo["tier"] for photo in photos} == {"sure"}
    assert len(photos) == SHOWN


@pytest.mark.django_db(transaction=True)
def test_a_second_demo_changes_nothing_and_tells_no_password() -> None:
    first, second = seed(), seed()
    assert "(shown this once)" in first
    assert "(shown this once)" not in second
    assert first.splitlines()[1:] == second.splitlines()[1:]
    assert Album.objects.get().duplicates == 0
    assert User.objects.get().email == EMAIL
