"""`manage.py backup` beside a site in full work, and `restore` somewhere else, where the journeys go on."""

import fcntl
import io
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests

from tests import pictures
from tests.running import Site, environment, running_site
from tests.test_end_to_end import Photographer, variants, wait_for
from tests.test_verify_running import keep_busy, verified

pytestmark = pytest.mark.xdist_group("site")
LATER = "2999-01-01"


def manage(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, env=environment(data), capture_output=True, text=True, check=False)


def done(data: Path, *words: str) -> str:
    ended = manage(data, *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def refused(data: Path, *words: str) -> str:
    ended = manage(data, *words)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    return ended.stderr


def found_by_guest(photographer: Photographer, album: str) -> tuple[dict[str, str], dict[str, Any]]:
    """A guest's headers, and their search, done."""
    sent = requests.post(
        f"{photographer.api}/links/{photographer.link(album)}/selfies/",
        data={"consent": "true", "keep_me_posted": "true"},
        files={"selfie": ("me.jpg", pictures.selfie_jpeg())},
    ).json()
    guest = {"Pixora-Guest": sent["guest_key"]}
    answer = wait_for(
        lambda: (state := requests.get(sent["url"], headers=guest).json())["state"] == "done" and state, "the search"
    )
    return guest, answer


def photos_in(data: Path) -> set[str]:
    with closing(sqlite3.connect(data / "pixora.sqlite3")) as database:
        return {row[0] for row in database.execute("SELECT original_key FROM galleries_photo WHERE original_key > ''")}


@pytest.fixture
def used(site: Site) -> tuple[Photographer, str]:
    photographer = Photographer(site, "bea@example.org")
    album = photographer.make_album()
    photographer.upload(album, variants(3) | {"coffee.jpg": pictures.jpeg(pictures.faceless())})
    wait_for(lambda: photographer.finished(album), "the album")
    return photographer, album


@pytest.fixture
def kept(site: Site, used: Any, tmp_path: Path) -> Path:
    """A backup of the used site at rest."""
    done(site.data_dir, "backup", str(tmp_path / "backup"))
    return tmp_path / "backup"


def test_a_backup_of_a_site_in_full_work_is_whole_and_its_journeys_go_on(
    site: Site, used: tuple[Photographer, str], tmp_path: Path
) -> None:
    photographer, album = used
    guest, search = found_by_guest(photographer, album)
    busy, until = photographer.make_album(), threading.Event()
    owner = threading.Thread(target=keep_busy, args=(photographer, busy, 0, until))
    owner.start()
    try:
        for _ in range(2):
            done(site.data_dir, "backup", str(tmp_path / "backup"))
    finally:
        until.set()
        owner.join()
    done(tmp_path / "data", "restore", str(tmp_path / "backup"))
    with running_site(tmp_path / "data") as again:
        api = f"{again.url}/api/v1"
        restored = requests.get(f"{api}/selfies/{search['id']}/", headers=guest).json()
        assert {photo["name"] for photo in restored["photos"]} == set(variants(3))
        for size in ("thumb", "preview", "original"):
            assert requests.get(restored["photos"][0][size], headers=guest).status_code == 200
        made = requests.post(f"{api}/selfies/{search['id']}/archives/", json={}, headers=guest).json()
        with zipfile.ZipFile(io.BytesIO(requests.get(made["url"], headers=guest).content)) as archive:
            assert {name: archive.read(name) for name in archive.namelist()} == variants(3)
        photographer.api = api
        assert photographer.upload(album, {"001.jpg": variants(3)["001.jpg"]})["duplicates"]
        wait_for(lambda: photographer.finished(busy), "what was in work")
        verified(again, tmp_path / "verify.json")


def test_a_second_backup_copies_what_is_new_and_forgets_what_was_deleted(
    site: Site, used: tuple[Photographer, str], kept: Path
) -> None:
    photographer, album = used
    before = json.loads((kept / "manifest.json").read_text())["files"]
    assert "0 of them were new" in done(site.data_dir, "backup", str(kept))
    doomed = photographer.session.get(f"{photographer.api}/albums/{album}/photos/").json()["results"][0]["id"]
    assert photographer.session.delete(f"{photographer.api}/photos/{doomed}/").status_code == 204
    assert "0 of them were new" in done(site.data_dir, "backup", str(kept))
    after = json.loads((kept / "manifest.json").read_text())["files"]
    assert {path for path in before.keys() - after.keys() if doomed in path} == {
        path for path in before if doomed in path
    }
    assert not [path for path in kept.rglob("*") if doomed in path.name]
    assert len(list(kept.glob("*.sqlite3"))) == 1


def test_a_backup_that_broke_off_leaves_the_one_before_as_it_was(site: Site, kept: Path, tmp_path: Path) -> None:
    """As `kill -9` leaves it: another database, half a file, no manifest that names them."""
    (kept / "pixora-29990101T000000.sqlite3").write_bytes(b"half a database")
    (kept / "media" / "half.part").write_bytes(b"half a photo")
    done(tmp_path / "data", "restore", str(kept))
    assert photos_in(tmp_path / "data") == photos_in(site.data_dir)
    assert not (tmp_path / "data" / "media" / "half.part").exists()
    done(site.data_dir, "backup", str(kept))
    assert not list(kept.rglob("*.part"))
    assert len(list(kept.glob("*.sqlite3"))) == 1


def test_no_sessions_no_selfies_and_on_request_no_secrets_are_in_it(
    site: Site, used: tuple[Photographer, str], tmp_path: Path
) -> None:
    found_by_guest(*used)
    with closing(sqlite3.connect(site.data_dir / "pixora.sqlite3", timeout=20)) as database, database:
        database.execute("UPDATE galleries_selfie SET state = 'working', vectors = NULL, lease_until = ?", (LATER,))
        database.execute("INSERT OR REPLACE INTO django_session VALUES ('a', 'b', ?)", (LATER,))
    folder = tmp_path / "backup"
    try:
        done(site.data_dir, "backup", str(folder), "--no-secrets")
    finally:
        with closing(sqlite3.connect(site.data_dir / "pixora.sqlite3", timeout=20)) as database, database:
            database.execute("DELETE FROM galleries_match")
            database.execute("DELETE FROM galleries_selfie")
    assert not (folder / "secret_key").exists()
    assert not (folder / "media" / "selfies").exists()
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*"))
    with closing(sqlite3.connect(next(folder.glob("*.sqlite3")))) as copy:
        assert copy.execute("SELECT COUNT(*) FROM django_session").fetchone() == (0,)
        assert {row[0] for row in copy.execute("SELECT state FROM galleries_selfie")} == {"failed"}


@pytest.fixture
def restored(kept: Path, tmp_path: Path) -> Path:
    done(tmp_path / "data", "restore", str(kept))
    return tmp_path / "data"


def test_a_restore_takes_the_place_of_no_site_that_runs_or_was_not_named(kept: Path, restored: Path) -> None:
    before = photos_in(restored)
    assert "--replace" in refused(restored, "restore", str(kept))
    with (restored / "serve.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "Stop it first" in refused(restored, "restore", str(kept), "--replace")
    assert photos_in(restored) == before
    said = done(restored, "restore", str(kept), "--replace")
    aside = next(restored.parent.glob("data.replaced-*"))
    assert str(aside) in said
    assert photos_in(restored) == photos_in(aside) == before


@pytest.mark.parametrize("harm", ["flip", "remove", "outside"])
def test_a_damaged_backup_changes_nothing(kept: Path, restored: Path, harm: str) -> None:
    victim = next((kept / "media" / "originals").rglob("*.jpg"))
    before = photos_in(restored)
    if harm == "flip":
        data = bytearray(victim.read_bytes())
        data[100] ^= 1
        victim.write_bytes(data)
    elif harm == "remove":
        victim.unlink()
    else:
        manifest = json.loads((kept / "manifest.json").read_text())
        manifest["files"]["../../outside"] = next(iter(manifest["files"].values()))
        (kept / "manifest.json").write_text(json.dumps(manifest))
    shutil.rmtree(restored.with_name("data.restoring"), ignore_errors=True)
    assert ("outside" if harm == "outside" else victim.name) in refused(restored, "restore", str(kept), "--replace")
    assert photos_in(restored) == before


def test_a_damaged_photo_keeps_no_other_from_being_restored(kept: Path, tmp_path: Path) -> None:
    flipped, gone = sorted((kept / "media" / "originals").rglob("*.jpg"))[:2]
    flipped.write_bytes(b"\0" * flipped.stat().st_size)
    gone.unlink()
    data = tmp_path / "data"
    assert "--incomplete" in refused(data, "restore", str(kept))
    done(data, "restore", str(kept), "--incomplete")
    ended = manage(data, "verify")
    assert "original_altered: 1" in ended.stdout
    assert "original_missing: 1" in ended.stdout
    [database] = kept.glob("*.sqlite3")
    database.write_bytes(b"\0" * database.stat().st_size)
    assert database.name in refused(data, "restore", str(kept), "--incomplete", "--replace")


def test_faces_forgotten_since_the_backup_stay_forgotten(
    site: Site, used: tuple[Photographer, str], tmp_path: Path
) -> None:
    _, search = found_by_guest(*used)
    done(site.data_dir, "backup", str(tmp_path / "backup"))
    data = tmp_path / "data"
    done(data, "restore", str(tmp_path / "backup"))
    album = used[1].replace("-", "")
    with closing(sqlite3.connect(data / "pixora.sqlite3")) as database, database:
        database.execute("UPDATE galleries_album SET face_search = 0, engine = '' WHERE id = ?", (album,))
        database.execute("UPDATE galleries_selfie SET state = 'expired' WHERE album_id = ?", (album,))
    done(data, "restore", str(tmp_path / "backup"), "--replace")
    with closing(sqlite3.connect(data / "pixora.sqlite3")) as database:
        blocks = "SELECT COUNT(*) FROM galleries_embeddingblock WHERE album_id = ?"
        assert database.execute(blocks, (album,)).fetchone() == (0,)
    assert search["id"] not in searches_in(data)
    done(data, "verify", "--album", used[1])


def test_who_withdrew_since_the_backup_stays_withdrawn(
    site: Site, used: tuple[Photographer, str], tmp_path: Path
) -> None:
    stayed, withdrawn = (found_by_guest(*used) for _ in range(2))
    done(site.data_dir, "backup", str(tmp_path / "backup"))
    data = tmp_path / "data"
    done(data, "restore", str(tmp_path / "backup"))
    with closing(sqlite3.connect(data / "pixora.sqlite3")) as database:
        gone = withdrawn[1]["id"].replace("-", "")
        with database:
            database.execute("DELETE FROM galleries_match WHERE selfie_id = ?", (gone,))
            database.execute("DELETE FROM galleries_selfie WHERE id = ?", (gone,))
    done(data, "restore", str(tmp_path / "backup"), "--replace")
    assert searches_in(data) & {stayed[1]["id"], withdrawn[1]["id"]} == {stayed[1]["id"]}
    done(data, "restore", str(tmp_path / "backup"), "--replace", "--end-searches")
    assert searches_in(data) == set()


def searches_in(data: Path) -> set[str]:
    with closing(sqlite3.connect(data / "pixora.sqlite3")) as database:
        return {str(UUID(row[0])) for row in database.execute("SELECT id FROM galleries_selfie")}


def test_what_ran_out_since_the_backup_is_gone_before_the_site_is_served(
    site: Site, used: tuple[Photographer, str], tmp_path: Path
) -> None:
    found_by_guest(*used)
    done(site.data_dir, "backup", str(tmp_path / "backup"))
    data = tmp_path / "data"
    done(data, "restore", str(tmp_path / "backup"))
    with closing(sqlite3.connect(data / "pixora.sqlite3")) as database, database:
        database.execute("UPDATE galleries_selfie SET expires_at = '2026-01-01'")
        album = used[1].replace("-", "")
        database.execute("UPDATE galleries_album SET deleted_at = '2026-01-01' WHERE id = ?", (album,))
    done(data, "serve", "--prepare")
    with closing(sqlite3.connect(data / "pixora.sqlite3")) as database:
        assert set(database.execute("SELECT state, vectors FROM galleries_selfie")) <= {("expired", None)}
        assert database.execute("SELECT COUNT(*) FROM galleries_match").fetchone() == (0,)
    assert not [key for key in photos_in(data) if used[1] in key]
    assert not (data / "media" / "originals" / used[1]).exists()


def test_a_lost_original_is_said_and_its_copy_in_the_backup_stays(site: Site, used: Any, tmp_path: Path) -> None:
    folder, victim = tmp_path / "backup", next((site.data_dir / "media" / "originals" / used[1]).glob("*.jpg"))
    data = victim.read_bytes()
    try:
        victim.unlink()
        ended = manage(site.data_dir, "backup", str(folder))
        assert (ended.returncode, victim.stem in ended.stdout) == (1, True)
    finally:
        victim.write_bytes(data)
    done(site.data_dir, "backup", str(folder))
    copy = folder / "media" / "originals" / used[1] / victim.name
    try:
        victim.unlink()
        done(site.data_dir, "backup", str(folder))
        assert copy.read_bytes() == data
    finally:
        victim.write_bytes(data)


def test_a_backup_goes_neither_into_the_site_nor_over_something_else(site: Site, tmp_path: Path) -> None:
    assert "inside the data folder" in refused(site.data_dir, "backup", str(site.data_dir / "backup"))
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to-my-aunt.txt").write_text("Dear aunt")
    assert "not empty" in refused(site.data_dir, "backup", str(tmp_path / "letters"))
    assert "no finished backup" in refused(tmp_path / "data", "restore", str(tmp_path / "letters"))
