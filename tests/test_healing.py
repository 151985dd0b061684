"""Lost and damaged originals, while owners, workers and a second repair are at the same photos."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from galleries import storage
from galleries.flows import album as album_flow
from galleries.flows import lost, mend, soundness, verify
from galleries.flows import photo as photo_flow
from galleries.flows.verify import Finding, Kind, Report
from galleries.models import Album, Erasure, Face, Photo
from tests import pictures
from tests.conftest import add, ready_photo, upload, work_off

pytestmark = pytest.mark.django_db(transaction=True)
DATA = pictures.jpeg(pictures.portrait())


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path: Path, settings: Any) -> None:
    settings.PIXORA_DATA_DIR = tmp_path / "data"


def findings() -> list[Finding]:
    report = Report()
    verify.check_photos(Photo.objects.all(), report, quick=False, tick=lambda count: None)
    verify.check_keys([""], report, lambda count: None)
    return report.findings


def flip(key: str) -> None:
    data = bytearray(storage.read(key))
    data[len(data) // 2] ^= 1
    storage.write(key, bytes(data))


def a_lost_photo(album: Album) -> Photo:
    photo = ready_photo(album, DATA)
    storage.delete([photo.original_key])
    lost.mark(photo, lost.LOST)
    photo.refresh_from_db()
    return photo


def test_a_file_that_is_back_when_the_repair_comes_to_it_is_not_called_lost(album: Album) -> None:
    """A disk was away while the photos were read, or the owner was quicker than an hour of reading."""
    photo = ready_photo(album, DATA)
    storage.delete([photo.original_key])
    [missing] = findings()
    storage.write(photo.original_key, DATA)
    mend.mend(missing)
    photo.refresh_from_db()
    assert (photo.state, photo.code) == ("ready", "")


def test_what_cannot_be_read_when_the_repair_comes_to_it_is_not_called_lost(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = ready_photo(album, DATA)
    storage.delete([photo.original_key])
    [missing] = findings()
    storage.path(photo.original_key).mkdir(parents=True)
    monkeypatch.setattr(soundness.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(storage, "size", lambda key: photo.size)
    assert not mend.mend(missing)
    photo.refresh_from_db()
    assert photo.state == "ready"


def test_a_photo_healed_between_two_repairs_is_not_asked_for_again(album: Album) -> None:
    photo = ready_photo(album, DATA)
    storage.delete([photo.original_key])
    [missing] = findings()
    assert not mend.mend(missing), "its owner has to send it"
    add(album, DATA)
    work_off()
    mend.mend(missing)
    photo.refresh_from_db()
    assert (photo.state, photo.code) == ("ready", "")


@pytest.mark.parametrize("kind", [Kind.THUMB_MISSING, Kind.ORIGINAL_FOUND])
def test_an_album_deleted_during_a_repair_is_no_trouble(
    album: Album, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, really = ready_photo(album, DATA), soundness.has_sound_original

    def delete_meanwhile(found: Photo) -> bool:
        sound = really(found)
        album_flow.delete_for_good(album)
        return sound

    monkeypatch.setattr(soundness, "has_sound_original", delete_meanwhile)
    assert not mend.mend(Finding(kind, photo.thumb_key, str(photo.pk)))


def test_one_repair_that_fails_holds_up_no_other(
    album: Album, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    orphan = f"originals/{album.pk}/stray"
    storage.write(orphan, b"whose is it")
    photo = ready_photo(album, DATA)
    storage.delete([photo.thumb_key])

    def away(photo: Photo) -> None:
        raise storage.Unavailable("the bucket did not answer")

    monkeypatch.setattr(lost, "take_up", away)
    with pytest.raises(SystemExit):
        call_command("verify", "--repair")
    assert not storage.exists(orphan)
    assert "orphan: 1 (1 mended)" in capsys.readouterr().out


def test_the_answer_to_the_healing_upload_says_that_the_photo_waits(album: Album, owner_api: APIClient) -> None:
    photo = a_lost_photo(album)
    [accepted] = upload(owner_api, album.pk, [("a.jpg", DATA)]).json()["accepted"]
    assert (accepted["id"], accepted["state"]) == (str(photo.pk), "uploaded")


def test_a_lost_photo_deleted_while_its_file_comes_back_is_received_anew(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, really = a_lost_photo(album), lost.heal

    def delete_before(known: Photo, received: storage.Received) -> bool:
        photo_flow.delete([known])
        return really(known, received)

    monkeypatch.setattr(lost, "heal", delete_before)
    reception = add(album, DATA)
    assert reception.outcome == "accepted"
    assert Photo.objects.get() == reception.photo != photo
    assert [each.key for each in storage.walk()] == [reception.photo.original_key]


def test_a_process_killed_while_it_heals_leaves_no_orphan(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever deletes the photo comes before the file or after it."""
    photo, really = a_lost_photo(album), storage.adopt

    def die_after(received: storage.Received, key: str) -> None:
        really(received, key)
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(storage, "adopt", die_after)
        with pytest.raises(KeyboardInterrupt):
            add(album, DATA)
    assert [finding.kind for finding in findings()] == [Kind.ORIGINAL_FOUND]
    photo_flow.delete([photo])
    assert list(storage.walk()) == []


def test_a_damaged_file_that_was_no_photo_goes_with_its_key(album: Album) -> None:
    refused = add(album, pictures.truncated_jpeg()).photo
    work_off()
    flip(refused.original_key)
    [altered] = findings()
    assert mend.mend(altered)
    assert (findings(), list(storage.walk())) == ([], [])
    assert not Erasure.objects.exists()


@pytest.mark.parametrize("before", [add, ready_photo])
def test_a_photo_whose_stored_bytes_are_no_longer_its_own_is_not_called_a_bad_photo(
    searchable: Album, before: Callable[..., Any]
) -> None:
    """The owner sent a good one: sent again it is taken, and is no duplicate of the damaged one."""
    before(searchable, DATA)
    photo = Photo.objects.get()
    faces = Face.objects.count()
    storage.write(photo.original_key, DATA[: len(DATA) // 2])
    Photo.objects.update(wanted_engine=searchable.engine)
    work_off()
    photo.refresh_from_db()
    assert (photo.state, photo.code) == ("quarantined", "original_altered")
    assert Face.objects.count() == faces
    assert add(searchable, DATA).outcome == "accepted"
    work_off()
    photo.refresh_from_db()
    assert (photo.state, photo.face_count) == ("ready", 1)
    assert hashlib.sha256(storage.read(photo.original_key)).hexdigest() == photo.sha256


def test_an_orphan_is_moved_aside_from_a_disk_of_the_media_s_own(album: Album, settings: Any) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other_disk:
        settings.PIXORA_DATA_DIR.mkdir()
        (settings.PIXORA_DATA_DIR / "media").symlink_to(other_disk)
        storage.write(f"originals/{album.pk}/stray", b"whose is it")
        [orphan] = findings()
        assert mend.mend(orphan)
        [moved] = [path for path in mend.lost_and_found().rglob("*") if path.is_file()]
        assert moved.read_bytes() == b"whose is it"
        assert moved.stat().st_mode & 0o077 == 0
        assert list(storage.walk()) == []
