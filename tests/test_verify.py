"""`manage.py verify`: what it finds, what it takes for no fault, and what --repair makes of it."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from galleries import storage
from galleries.access import Viewer
from galleries.flows import album as album_flow
from galleries.flows import brand, mend, soundness
from galleries.flows import photo as photo_flow
from galleries.flows import selfie as selfie_flow
from galleries.models import Album, Arrival, Erasure, Face, Link, Match, Photo
from galleries.models.lease import from_now
from tests import pictures
from tests.conftest import add, ready_photo, search, upload, work_off

pytestmark = pytest.mark.django_db(transaction=True)
DATA = pictures.jpeg(pictures.portrait())


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path: Path, settings: Any) -> None:
    settings.PIXORA_DATA_DIR = tmp_path / "data"


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[int, list[tuple[str, bool]]]]:
    """Gives the exit code, and each finding's kind with whether it was mended."""

    def run(*options: str) -> tuple[int, list[tuple[str, bool]]]:
        out = tmp_path / "verify.json"
        try:
            call_command("verify", "--json", str(out), *options)
            code = 0
        except SystemExit as ended:
            code = int(str(ended.code))
        found = json.loads(out.read_text())["findings"]
        return code, sorted((each["kind"], each["mended"]) for each in found)

    return run


Run = Callable[..., tuple[int, list[tuple[str, bool]]]]


def flip(key: str) -> None:
    """One bit in the middle; the length stays."""
    path = storage.path(key)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(key: str) -> None:
    os.truncate(storage.path(key), storage.size(key) // 2)


def erase(key: str) -> None:
    storage.delete([key])


def test_a_used_album_is_clean(searchable: Album, link: Link, run: Run) -> None:
    ready_photo(searchable, DATA)
    ready_photo(searchable, pictures.jpeg(pictures.faceless()), "coffee.jpg")
    add(searchable, pictures.html(), "page.jpg")
    add(searchable, pictures.truncated_jpeg(), "cut.jpg")
    work_off()
    found = search(link, keep_me_posted="true")
    found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", {}, format="json")
    brand.change(searchable, logo=[DATA])
    add(searchable, pictures.jpeg(pictures.quadrants()), "waiting.jpg")
    assert run() == (0, [])
    assert run("--quick") == (0, [])
    assert run("--album", str(searchable.pk)) == (0, [])
    assert run("--repair") == (0, [])


FAULTS = [
    ("original_key", erase, "original_missing", True),
    ("original_key", flip, "original_altered", False),
    ("original_key", cut, "original_altered", True),
    ("preview_key", erase, "preview_missing", True),
    ("preview_key", flip, "preview_altered", False),
    ("thumb_key", erase, "thumb_missing", True),
    ("thumb_key", flip, "thumb_altered", False),
]


@pytest.mark.parametrize(("which", "harm", "kind", "seen_by_size"), FAULTS)
def test_each_harm_to_a_file_is_found_and_nothing_else(
    album: Album, run: Run, which: str, harm: Callable[[str], None], kind: str, seen_by_size: bool
) -> None:
    photo = ready_photo(album)
    ready_photo(album, pictures.jpeg(pictures.faceless()), "b.jpg")
    harm(getattr(photo, which))
    assert run() == (1, [(kind, False)])
    assert run("--quick") == ((1, [(kind, False)]) if seen_by_size else (0, []))


@pytest.mark.parametrize("harm", [erase, flip])
@pytest.mark.parametrize("which", ["preview_key", "thumb_key"])
def test_a_rendition_is_made_again_with_the_faces_kept(
    searchable: Album, link: Link, run: Run, which: str, harm: Callable[[str], None]
) -> None:
    photo = ready_photo(searchable, DATA)
    found = search(link)
    found.api.post(f"/api/v1/selfies/{found.selfie.pk}/feedback/", {"photo": photo.pk, "verdict": "me"}, format="json")
    faces, before = list(Face.objects.values()), storage.read(getattr(photo, which))
    harm(getattr(photo, which))
    assert run("--repair")[0] == 0
    assert run() == (0, []), "it is in work"
    work_off()
    assert storage.read(getattr(photo, which)) == before
    assert list(Face.objects.values()) == faces
    assert Match.objects.get().verdict == "me"
    assert run("--repair") == (0, [])


@pytest.mark.parametrize(("harm", "code"), [(erase, "original_lost"), (flip, "original_altered")])
def test_an_owner_is_asked_for_a_lost_original_and_the_same_file_heals_it(
    searchable: Album, link: Link, owner_api: APIClient, run: Run, harm: Callable[[str], None], code: str
) -> None:
    photo = ready_photo(searchable, DATA)
    found = search(link)
    found.api.post(f"/api/v1/selfies/{found.selfie.pk}/feedback/", {"photo": photo.pk, "verdict": "me"}, format="json")
    harm(photo.original_key)
    for _ in range(2):
        assert run("--repair")[0] == 1
        photo.refresh_from_db()
        assert (photo.state, photo.code) == ("quarantined", code)
    assert "Send it again" in owner_api.get(f"/api/v1/photos/{photo.pk}/").json()["detail"]
    owner_api.post(f"/api/v1/albums/{searchable.pk}/retry/")
    work_off()
    photo.refresh_from_db()
    assert photo.code == code, "trying again would only fail again"
    faces = list(Face.objects.values())
    asked = {"files": [{"name": "a.jpg", "size": len(DATA), "sha256": photo.sha256}]}
    check = f"/api/v1/albums/{searchable.pk}/photos/check/"
    assert owner_api.post(check, asked, format="json").json()["missing"] == [photo.sha256]
    accepted = upload(owner_api, searchable.pk, [("a.jpg", DATA)]).json()["accepted"]
    assert [each["id"] for each in accepted] == [str(photo.pk)]
    work_off()
    photo.refresh_from_db()
    assert (photo.state, photo.code, photo.face_count) == ("ready", "", 1)
    assert storage.read(photo.original_key) == DATA
    assert list(Face.objects.values()) == faces
    assert Match.objects.get().verdict == "me"
    assert owner_api.post(check, asked, format="json").json()["duplicate"] == [photo.sha256]
    assert found.api.get(f"/api/v1/photos/{photo.pk}/preview").status_code == 200
    assert run() == (0, [])


def test_a_file_put_back_by_hand_is_taken_up(searchable: Album, run: Run) -> None:
    photo = ready_photo(searchable, DATA)
    storage.delete([photo.original_key])
    run("--repair")
    storage.write(photo.original_key, DATA)
    assert run("--repair") == (0, [("original_found", True)])
    work_off()
    photo.refresh_from_db()
    assert (photo.state, photo.code) == ("ready", "")
    assert run() == (0, [])


def test_faces_switched_on_while_the_file_was_lost_are_found_when_it_comes_back(
    album: Album, owner: Any, run: Run
) -> None:
    photo = ready_photo(album, DATA)
    storage.delete([photo.original_key])
    run("--repair")
    album_flow.switch_face_search(album, True, by=owner, basis="contract", attested=True)
    add(album, DATA)
    work_off()
    assert Face.objects.filter(photo=photo).count() == 1
    assert run() == (0, [])


def test_a_lost_file_that_was_no_photo_is_not_missed(album: Album, run: Run) -> None:
    refused = add(album, pictures.truncated_jpeg()).photo
    work_off()
    storage.delete([refused.original_key])
    assert run("--repair") == (0, [("original_missing", True)])
    refused.refresh_from_db()
    assert (refused.state, refused.code, refused.original_key) == ("rejected", "damaged", "")
    assert run() == (0, [])


def test_a_worker_that_finds_no_file_in_ten_attempts_asks_for_it(album: Album) -> None:
    photo = add(album, DATA).photo
    storage.delete([photo.original_key])
    Photo.objects.update(attempts=10)
    work_off()
    photo.refresh_from_db()
    assert (photo.state, photo.code) == ("quarantined", "original_lost")
    assert add(album, DATA).outcome == "accepted"
    work_off()
    photo.refresh_from_db()
    assert photo.state == "ready"


def test_an_orphan_is_moved_aside_and_not_thrown_away(album: Album, run: Run) -> None:
    kept = ready_photo(album)
    keys = [f"originals/{album.pk}/{uuid4()}.jpg", f"renditions/{uuid4()}/{uuid4()}-thumb.jpg", "originals/stray"]
    keys += [f"renditions/{album.pk}/logo-{uuid4().hex}.png", f"originals/{album.pk}/{kept.pk}.png"]
    for key in keys:
        storage.write(key, b"whose is it")
    assert run("--repair") == (0, [("orphan", True)] * len(keys))
    moved = mend.lost_and_found()
    assert sorted(str(file.relative_to(moved)) for file in moved.rglob("*") if file.is_file()) == sorted(keys)
    assert (moved / keys[0]).read_bytes() == b"whose is it"
    assert storage.exists(kept.original_key)
    assert run() == (0, [])


def test_what_upkeep_left_is_found_and_done(album: Album, run: Run) -> None:
    left = storage.path(f"selfies/{uuid4()}")
    storage.write(f"selfies/{left.name}", b"a face")
    Erasure.objects.create(keys=["originals/x/y.jpg"], created_at=from_now(-3600))
    Arrival.objects.create(key="originals/x/z.jpg", created_at=from_now(-3600))
    forgotten = storage.receive([b"x"], limit=1)
    for path in (left, forgotten.path):
        os.utime(path, (0, 0))
    for key in ("originals/x/y.jpg", "originals/x/z.jpg"):
        storage.write(key, b"x")
    kinds = ["arrival_left", "erasure_left", "scratch_left", "temporary_left"]
    assert run("--repair") == (0, [(kind, True) for kind in kinds])
    assert list(storage.walk()) == []
    assert not (settings.PIXORA_DATA_DIR / "lost+found").exists(), "nobody's face is kept aside"
    assert run() == (0, [])


@pytest.mark.parametrize("harm", [erase, flip])
def test_a_logo_is_its_owners_to_send_again(album: Album, run: Run, harm: Callable[[str], None]) -> None:
    brand.change(album, logo=[DATA])
    album.refresh_from_db()
    harm(album.logo_key)
    code, found = run("--repair")
    assert (code, len(found), found[0][1]) == (1, 1, False)
    brand.change(album, logo=[DATA])
    assert run() == (0, [])


def test_a_waiting_search_without_its_picture_is_found(searchable: Album, link: Link, run: Run) -> None:
    selfie, _ = selfie_flow.receive(link, Viewer(), [pictures.selfie_jpeg()], consent=True, keep_me_posted=False)
    assert run() == (0, [])
    storage.delete([selfie.scratch_key])
    assert run() == (1, [("scratch_missing", False)])


def test_what_cannot_be_read_is_not_called_lost(album: Album, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = ready_photo(album)
    path = storage.path(photo.original_key)
    path.unlink()
    path.mkdir()
    monkeypatch.setattr(soundness.time, "sleep", lambda seconds: None)
    storage_size = storage.size
    monkeypatch.setattr(storage, "size", lambda key: photo.size if key == photo.original_key else storage_size(key))
    assert run("--repair") == (2, [])
    photo.refresh_from_db()
    assert photo.state == "ready"


def test_a_disk_that_is_not_there_asks_no_owner_for_anything(album: Album, run: Run) -> None:
    for shade in range(10):
        picture = pictures.quadrants().copy()
        picture[0, 0] = shade
        add(album, pictures.png(picture), f"{shade}.png")
    storage.path("originals").rename(storage.path("originals").with_name("elsewhere"))
    with pytest.raises(CommandError, match="is the storage there") as refused:
        run("--repair")
    assert refused.value.returncode == 2
    assert not Photo.objects.exclude(state="uploaded").exists()


def test_an_unknown_album_could_not_be_checked(album: Album) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("verify", "--album", str(uuid4()))
    assert refused.value.returncode == 2


def test_nobodys_name_is_told(searchable: Album, capsys: pytest.CaptureFixture[str]) -> None:
    photo = ready_photo(searchable, DATA, "Aunt Agatha.jpg")
    storage.delete([photo.original_key])
    with pytest.raises(SystemExit):
        call_command("verify", "--repair")
    said = capsys.readouterr().out
    assert str(photo.pk) in said
    assert not any(word in said for word in ("Agatha", "olga", searchable.title))


def test_flipped_bits_in_one_of_a_hundred_are_all_found(album: Album, run: Run, tmp_path: Path) -> None:
    rows = []
    for number in range(300):
        photo = Photo(album=album, name=f"{number}.jpg", state="rejected")
        photo.original_key = f"originals/{album.pk}/{photo.pk}.jpg"
        data = hashlib.sha256(str(number).encode()).digest() * 40
        with storage.receive([data], limit=len(data)) as received:
            photo.size, photo.sha256, photo.crc32 = received.size, received.sha256, received.crc32
            storage.adopt(received, photo.original_key)
        rows.append(photo)
    Photo.objects.bulk_create(rows)
    harmed = {photo.original_key for photo in rows[::100]}
    for key in harmed:
        flip(key)
    assert run() == (1, [("original_altered", False)] * 3)
    assert {each["key"] for each in json.loads((tmp_path / "verify.json").read_text())["findings"]} == harmed
    photo_flow.delete(rows[:2])
    assert run()[1] == [("original_altered", False)] * 2


def test_a_bucket_is_checked_and_mended_alike(searchable: Album, bucket: str, run: Run) -> None:
    kept, cut_off, gone = (ready_photo(searchable, variant(shade), f"{shade}.jpg") for shade in range(3))
    storage.write(cut_off.original_key, variant(1)[:-1])
    storage.delete([gone.thumb_key])
    storage.write(f"originals/{searchable.pk}/{uuid4()}.jpg", b"whose is it")
    assert run("--repair") == (1, [("original_altered", False), ("orphan", True), ("thumb_missing", True)])
    assert [file.read_bytes() for file in mend.lost_and_found().rglob("*.jpg")] == [b"whose is it"]
    assert add(searchable, variant(1)).photo == cut_off
    work_off()
    assert run() == (0, [])
    assert storage.exists(kept.thumb_key)
    assert storage.exists(gone.thumb_key)


def variant(shade: int) -> bytes:
    return pictures.jpeg((pictures.portrait() * (1 - shade / 10)).astype(np.uint8))
