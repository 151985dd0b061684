"""Names of files and folders as they are sent, made harmless."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from galleries import images


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("IMG_0001.JPG", "IMG_0001.JPG"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\DCIM\\a.jpg", "a.jpg"),
        ("a\0b\r\nc.jpg", "abc.jpg"),
        (
            "party \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f.jpg",
            "party \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f.jpg",
        ),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("\u2066hidden\u2069.jpg", "hidden.jpg"),
        ("con.jpg", "_con.jpg"),
        ("LPT1", "_LPT1"),
        ("consul.jpg", "consul.jpg"),
        ('who? "me": <b>|*.jpg', "who_ _me__ _b___.jpg"),
        (".htaccess", "photo.htaccess"),
        ("trailing. . ", "trailing"),
        ("cafe\u0301.jpg", "caf\u00e9.jpg"),
        ("", "photo"),
        ("..", "photo"),
        (".jpg", "photo.jpg"),
        ("\u200b\u202e.jpg", "photo.jpg"),
        ("folder/", "photo"),
        ("\ud800lone.jpg", "lone.jpg"),
        ("a" * 300 + ".jpg", "a" * 196 + ".jpg"),
        ("\u00e9" * 300 + ".jpeg", "\u00e9" * 97 + ".jpeg"),
        ("a" * 300, "a" * 200),
    ],
)
def test_names_are_made_safe(name: str, clean: str) -> None:
    assert images.clean_name(name) == clean


UNSAFE = set('<>:"/\\|?*') | {chr(code) for code in range(32)} | set("\u202a\u202b\u202d\u202e\u2066\u2067\u200e\u200f")
AWKWARD_NAMES = st.text(st.one_of(st.characters(), st.sampled_from("./\\:aCON\0 \u202e\u0301\U0001f600")), max_size=400)


@given(AWKWARD_NAMES)
@hypothesis_settings(deadline=None)
def test_no_name_stays_unsafe(name: str) -> None:
    assert_safe_part(images.clean_name(name), 200)


@given(AWKWARD_NAMES)
@hypothesis_settings(deadline=None)
def test_no_folder_stays_unsafe(path: str) -> None:
    folder = images.clean_folder(path)
    parts = folder.split("/") if folder else []
    assert len(parts) <= 8
    for part in parts:
        assert_safe_part(part, 80)


def assert_safe_part(part: str, limit: int) -> None:
    assert 0 < len(part.encode()) <= limit
    assert not UNSAFE & set(part)
    assert part == part.strip(" .")
    assert part.partition(".")[0].rstrip().upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9"}
    assert part == unicodedata.normalize("NFC", part)


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("Ceremony/Church", "Ceremony/Church"),
        ("/etc//../nul/", "etc/_nul"),
        ("..\\..\\Windows", "Windows"),
        ("a/b/c/d/e/f/g/h/i/j", "a/b/c/d/e/f/g/h"),
        ("", ""),
        ("./.", ""),
    ],
)
def test_folders_are_made_safe(path: str, clean: str) -> None:
    assert images.clean_folder(path) == clean
