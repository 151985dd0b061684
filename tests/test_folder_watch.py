"""A hot folder, looked at from second to second: what in it is whole, what is still written, and what is gone."""

import sys
from pathlib import Path

import pytest

from galleries.management.folder_upload.folder import is_being_written, listing
from galleries.management.folder_upload.watching import Watch
from tests.pictures import fill


def test_a_file_is_given_once_it_is_still_and_again_when_it_changes(tmp_path: Path) -> None:
    found, path = Watch(tmp_path), tmp_path / "a.jpg"
    assert found.ready(0) == {}
    path.write_bytes(b"half")
    assert (found.ready(1), found.unfinished) == ({}, 1)
    path.write_bytes(b"half and half")
    assert found.ready(2) == {}
    assert found.ready(3) == {}
    (given,) = found.ready(4)
    assert (given.name, given.size, found.unfinished) == ("a.jpg", 13, 0)
    assert found.ready(9) == {}
    found.forget(given)
    assert found.ready(10) == {}
    assert list(found.ready(12)) == [given]
    path.write_bytes(b"another")
    found.ready(13)
    assert [(file.size, first) for file, first in found.ready(15).items()] == [(7, 13)]
    path.unlink()
    assert found.ready(16) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes")
def test_a_file_that_is_open_for_writing_is_known(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    with path.open("wb"):
        assert is_being_written(path)
    assert not is_being_written(path)
    with path.open("rb"):
        assert not is_being_written(path)
    assert not is_being_written(tmp_path / "none.jpg")


def test_a_card_that_is_pulled_out_is_told_and_not_sent_anew(tmp_path: Path) -> None:
    card = fill(tmp_path / "card", 1)
    found = Watch(card)
    found.ready(0)
    assert len(found.ready(2)) == 1
    card.rename(tmp_path / "pulled out")
    assert found.ready(4) == {}
    assert found.found.unreadable == [str(card)]
    (tmp_path / "pulled out").rename(card)
    assert (found.ready(6), found.ready(9), found.found.unreadable) == ({}, {}, [])


def test_a_loop_of_links_is_not_followed(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert [file.name for file in listing(tmp_path).files] == ["IMG_0000.png"]
