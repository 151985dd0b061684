"""Bytes under keys, in files and in a bucket: whole or absent, any range of them, and nothing left behind."""

import hashlib
import os
import stat
import threading
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from galleries import storage

KEY = "originals/album/photo.jpg"
CONTENT = bytes(range(256)) * 5000


@pytest.fixture(autouse=True)
def root(tmp_path: Path, settings: Settings) -> Path:
    settings.PIXORA_DATA_DIR = tmp_path / "data"
    return tmp_path / "data" / "media"


@pytest.fixture(params=["files", "bucket"])
def either(request: pytest.FixtureRequest) -> None:
    """The test is run on both stores."""
    if request.param == "bucket":
        request.getfixturevalue("bucket")


def files_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def keys_and_arriving(root: Path) -> tuple[list[str], list[str]]:
    return sorted(each.key for each in storage.walk()), files_below(root / "incoming")


@pytest.mark.usefixtures("either")
def test_what_is_received_is_hashed_and_adopted_whole(root: Path) -> None:
    received = storage.receive([CONTENT[:1000], b"", CONTENT[1000:]], limit=len(CONTENT))
    assert received.size == len(CONTENT)
    assert received.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert received.crc32 == zlib.crc32(CONTENT)
    assert received.path.parent == root / "incoming"
    storage.adopt(received, KEY)
    assert storage.read(KEY) == CONTENT
    assert storage.size(KEY) == len(CONTENT)
    assert keys_and_arriving(root) == ([KEY], [])


@pytest.mark.usefixtures("either")
def test_too_many_bytes_are_refused_and_leave_nothing_behind(root: Path) -> None:
    with pytest.raises(storage.TooLarge):
        storage.receive([b"12345", b"6"], limit=5)
    assert keys_and_arriving(root) == ([], [])


@pytest.mark.usefixtures("either")
def test_a_guest_who_hangs_up_leaves_nothing_behind(root: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"the first half"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        storage.receive(chunks(), limit=100)
    assert keys_and_arriving(root) == ([], [])


@pytest.mark.usefixtures("either")
def test_what_is_not_adopted_is_discarded(root: Path) -> None:
    with storage.receive([b"a selfie"], limit=100) as received:
        assert received.path.read_bytes() == b"a selfie"
    assert keys_and_arriving(root) == ([], [])


@pytest.mark.usefixtures("either")
def test_leaving_the_context_keeps_what_was_adopted(root: Path) -> None:
    with storage.receive([b"a photo"], limit=100) as received:
        storage.adopt(received, KEY)
    assert storage.read(KEY) == b"a photo"


def test_writing_replaces_in_one_step(root: Path) -> None:
    storage.write(KEY, b"old")
    with storage.path(KEY).open("rb") as reader:
        storage.write(KEY, b"new")
        assert reader.read() == b"old"
    assert storage.read(KEY) == b"new"
    assert files_below(root) == [KEY]


def test_only_this_user_can_read_what_is_stored(root: Path) -> None:
    former = os.umask(0)
    try:
        storage.write(KEY, b"private")
    finally:
        os.umask(former)
    assert stat.S_IMODE(storage.path(KEY).stat().st_mode) == 0o600
    for folder in [root.parent, root, root / "incoming", root / "originals", root / "originals" / "album"]:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "key",
    [
        "../secret_key",
        "originals/../../secret_key",
        "/etc/passwd",
        "originals//photo.jpg",
        "originals/./photo.jpg",
        "originals/.hidden",
        "originals\\photo.jpg",
        "originals/a b.jpg",
        "originals/photo.jpg\n",
        "originals/\0",
        "incoming/tmp123",
        "",
    ],
)
@pytest.mark.usefixtures("either")
def test_a_key_never_leaves_its_root(key: str) -> None:
    uses: list[Callable[[str], object]] = [
        storage.path, storage.read, storage.size, storage.exists, lambda key: storage.delete([key]),
        lambda key: next(storage.open_range(key, 0, 1)), lambda key: storage.local(key).__enter__(),
        lambda key: storage.write(key, b"x"), lambda key: storage.internal_address(key, "image/jpeg"),
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(ValueError, match="not a storage key"):
            use(key)


@pytest.mark.usefixtures("either")
def test_what_is_missing_does_not_exist() -> None:
    assert not storage.exists(KEY)
    with pytest.raises(FileNotFoundError):
        storage.read(KEY)
    for length in (0, 1):
        with pytest.raises(FileNotFoundError):
            list(storage.open_range(KEY, 0, length))
    with pytest.raises(FileNotFoundError), storage.local(KEY) as path:
        path.read_bytes()
    storage.delete([KEY])


def test_deleting_removes_the_folders_it_emptied_and_no_other(root: Path) -> None:
    for key in (KEY, "originals/album/other.jpg", "thumbs/album/photo.jpg"):
        storage.write(key, b"x")
    storage.delete([KEY, "thumbs/album/photo.jpg", "thumbs/album/never.jpg"])
    assert files_below(root) == ["originals/album/other.jpg"]
    assert not (root / "thumbs").exists()
    storage.delete(["originals/album/other.jpg"])
    assert [path.name for path in root.iterdir()] == ["incoming"]


def test_adopting_beside_a_deletion_loses_nothing(root: Path) -> None:
    """One thread keeps emptying the folder that the other puts photos into."""
    done = threading.Event()

    def keep_deleting() -> None:
        while not done.is_set():
            storage.write("originals/album/passing.jpg", b"x")
            storage.delete(["originals/album/passing.jpg"])

    thread = threading.Thread(target=keep_deleting)
    thread.start()
    try:
        for number in range(100):
            storage.write(f"originals/album/{number}.jpg", b"kept")
            assert storage.read(f"originals/album/{number}.jpg") == b"kept"
            storage.delete([f"originals/album/{number}.jpg"])
    finally:
        done.set()
        thread.join()
    assert files_below(root) == []


@pytest.mark.parametrize(("offset", "length"), [(0, len(CONTENT)), (0, 0), (5, 1), (300_000, 600_000), (1_279_999, 1)])
@pytest.mark.usefixtures("either")
def test_any_range_is_read_in_pieces(offset: int, length: int) -> None:
    storage.write(KEY, CONTENT)
    pieces = list(storage.open_range(KEY, offset, length))
    assert b"".join(pieces) == CONTENT[offset : offset + length]
    assert all(0 < len(piece) <= storage.CHUNK_BYTES for piece in pieces)


@pytest.mark.usefixtures("either")
def test_a_file_that_ends_too_early_is_told() -> None:
    storage.write(KEY, b"12345")
    for offset in (3, 5, 9):
        with pytest.raises(storage.ShortRead):
            list(storage.open_range(KEY, offset, 3))


@pytest.mark.usefixtures("either")
def test_a_decoder_reads_it_as_a_file_of_this_machine(root: Path) -> None:
    storage.write(KEY, CONTENT)
    with storage.local(KEY) as path:
        assert path.read_bytes() == CONTENT
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys_and_arriving(root) == ([KEY], [])


@pytest.mark.usefixtures("either")
def test_walking_tells_all_that_is_stored_and_nothing_that_arrives() -> None:
    keys = ["originals/a/1.jpg", "originals/a/2.jpg", "originals/b/1.jpg", "renditions/a/1.jpg", "whole.jpg"]
    for number, key in enumerate(keys):
        storage.write(key, b"x" * number)
    with storage.receive([b"arriving"], limit=8):
        found = {each.key: each.size for each in storage.walk()}
    assert found == {key: size for size, key in enumerate(keys)}
    for prefix, below in [("originals/", keys[:3]), ("originals/a/", keys[:2]), ("orig", keys[:3]), ("z", [])]:
        assert sorted(each.key for each in storage.walk(prefix)) == below
    ages = [datetime.now(UTC) - each.modified for each in storage.walk()]
    assert all(timedelta(seconds=-2) < age < timedelta(seconds=60) for age in ages)


@pytest.mark.usefixtures("either")
def test_the_old_in_a_folder_are_told_from_the_young_and_from_folders_below() -> None:
    for key in ("selfies/one", "selfies/two", "selfies/below/three", "originals/four"):
        storage.write(key, b"x")
    assert sorted(storage.older_than("selfies", -60)) == ["selfies/one", "selfies/two"]
    assert storage.older_than("selfies", 60) == []
    assert storage.older_than("empty", 0) == []


@pytest.mark.usefixtures("either")
def test_deleting_takes_what_is_named_and_no_more() -> None:
    keys = [f"originals/a/{number}.jpg" for number in range(5)]
    for key in keys:
        storage.write(key, b"x")
    storage.delete(key for key in [*keys[1:], "originals/never/was.jpg"])
    assert [each.key for each in storage.walk()] == keys[:1]
    storage.delete([])


def test_one_that_cannot_be_deleted_keeps_no_other(root: Path) -> None:
    for key in ("selfies/a", "selfies/c"):
        storage.write(key, b"a face")
    (root / "selfies" / "b").mkdir()
    with pytest.raises(IsADirectoryError):
        storage.delete(["selfies/a", "selfies/b", "selfies/c"])
    assert not storage.exists("selfies/a")
    assert not storage.exists("selfies/c")


def test_sweeping_takes_what_was_forgotten_and_leaves_what_arrives(root: Path) -> None:
    forgotten, arriving = (storage.receive([b"x"], limit=1) for _ in range(2))
    os.utime(forgotten.path, (0, 0))
    assert storage.sweep_incoming(3600) == 1
    assert files_below(root) == [str(arriving.path.relative_to(root))]
    assert storage.sweep_incoming(3600) == 0
