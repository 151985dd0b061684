"""Bytes under keys: atomic, private to this user, and nothing left behind."""

import hashlib
import os
import stat
import threading
import zlib
from collections.abc import Iterator
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


def files_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_what_is_received_is_hashed_and_adopted_whole(root: Path) -> None:
    received = storage.receive([CONTENT[:1000], b"", CONTENT[1000:]], limit=len(CONTENT))
    assert received.size == len(CONTENT)
    assert received.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert received.crc32 == zlib.crc32(CONTENT)
    assert received.path.parent == root / "incoming"
    storage.adopt(received, KEY)
    assert storage.read(KEY) == CONTENT
    assert storage.size(KEY) == len(CONTENT)
    assert files_below(root) == [KEY]


def test_too_many_bytes_are_refused_and_leave_nothing_behind(root: Path) -> None:
    with pytest.raises(storage.TooLarge):
        storage.receive([b"12345", b"6"], limit=5)
    assert files_below(root) == []


def test_a_guest_who_hangs_up_leaves_nothing_behind(root: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"the first half"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        storage.receive(chunks(), limit=100)
    assert files_below(root) == []


def test_what_is_not_adopted_is_discarded(root: Path) -> None:
    with storage.receive([b"a selfie"], limit=100) as received:
        assert received.path.read_bytes() == b"a selfie"
    assert files_below(root) == []


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
def test_a_key_never_leaves_its_root(key: str) -> None:
    for use in (storage.path, storage.read, storage.size, storage.exists, lambda key: storage.delete([key])):
        with pytest.raises(ValueError, match="not a storage key"):
            use(key)


def test_what_is_missing_does_not_exist() -> None:
    assert not storage.exists(KEY)
    with pytest.raises(FileNotFoundError):
        storage.read(KEY)
    with pytest.raises(FileNotFoundError):
        next(storage.open_range(KEY, 0, 1))


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
def test_any_range_is_read_in_pieces(offset: int, length: int) -> None:
    storage.write(KEY, CONTENT)
    pieces = list(storage.open_range(KEY, offset, length))
    assert b"".join(pieces) == CONTENT[offset : offset + length]
    assert all(0 < len(piece) <= storage.CHUNK_BYTES for piece in pieces)


def test_a_file_that_ends_too_early_is_told() -> None:
    storage.write(KEY, b"12345")
    with pytest.raises(storage.ShortRead):
        list(storage.open_range(KEY, 3, 3))


def test_sweeping_takes_what_was_forgotten_and_leaves_what_arrives(root: Path) -> None:
    forgotten, arriving = (storage.receive([b"x"], limit=1) for _ in range(2))
    os.utime(forgotten.path, (0, 0))
    assert storage.sweep_incoming(3600) == 1
    assert files_below(root) == [str(arriving.path.relative_to(root))]
    assert storage.sweep_incoming(3600) == 0
