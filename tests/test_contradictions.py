"""`manage.py verify` on rows that contradict each other: each is found, and mended as far as rows can be."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from galleries import archives
from galleries.models import Album, ArchiveSection, EmbeddingBlock, Face, Link, Photo, Selfie
from tests.conftest import Found, ready_photo, search, work_off
from tests.test_verify import DATA, Run, own_data_folder, run

__all__ = ["own_data_folder", "run"]
pytestmark = pytest.mark.django_db(transaction=True)


def a_searched_photo(album: Album, link: Link) -> Found:
    ready_photo(album, DATA)
    found = search(link, keep_me_posted="true")
    found.api.post(f"/api/v1/selfies/{found.selfie.pk}/archives/", {}, format="json")
    return found


def twist(block: EmbeddingBlock) -> None:
    vectors = np.frombuffer(bytes(block.vectors), "<f4") * 1.5
    EmbeddingBlock.objects.update(vectors=vectors.astype("<f4").tobytes())


CONTRADICTIONS: dict[str, tuple[Callable[[], Any], str]] = {
    "a vector is not of unit length": (lambda: twist(EmbeddingBlock.objects.get()), "vectors_wrong"),
    "a vector is cut off": (lambda: EmbeddingBlock.objects.update(vectors=b"1234"), "vectors_wrong"),
    "a flag is missing": (lambda: EmbeddingBlock.objects.update(weak=b""), "vectors_wrong"),
    "a face has no vector": (lambda: EmbeddingBlock.objects.all().delete(), "faces_contradict"),
    "a vector has no face": (lambda: Face.objects.all().delete(), "faces_contradict"),
    "faces are counted wrongly": (lambda: Photo.objects.update(face_count=7), "face_count_wrong"),
    "a kept search is cut off": (lambda: Selfie.objects.update(vectors=b"1234"), "search_wrong"),
    "a zip cannot be read": (lambda: ArchiveSection.objects.update(packed=b"1234"), "archive_wrong"),
}


def spoil_the_zip() -> None:
    photo = Photo.objects.get()
    whole = archives.Span(photo.original_key, 0, photo.size)
    _, [other] = archives.freeze([archives.Entry("a.jpg", photo.size, photo.crc32 ^ 1, None, (whole,))])
    ArchiveSection.objects.update(packed=other.packed)


CONTRADICTIONS["a zip names another CRC-32"] = (spoil_the_zip, "archive_wrong")


@pytest.mark.parametrize(("harm", "kind"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_rows_that_contradict_each_other_are_found_and_mended(
    searchable: Album, link: Link, run: Run, harm: Callable[[], Any], kind: str
) -> None:
    a_searched_photo(searchable, link)
    assert run() == (0, [])
    harm()
    code, found = run()
    assert (code, found[0]) == (1, (kind, False))
    assert run("--repair")[0] == 0
    work_off()
    assert run("--repair") == (0, [])
    assert Face.objects.count() == 1
    assert Photo.objects.get().face_count == 1


def test_faces_that_were_never_looked_for_are_found(searchable: Album, run: Run) -> None:
    ready_photo(searchable, DATA)
    Face.objects.all().delete()
    EmbeddingBlock.objects.all().delete()
    Photo.objects.update(face_count=0)
    assert run("--repair") == (0, [("faces_missing", True)])
    work_off()
    assert Face.objects.count() == 1


def test_faces_in_an_album_without_search_are_forgotten(searchable: Album, run: Run) -> None:
    ready_photo(searchable, DATA)
    Album.objects.update(face_search=False, engine="")
    assert {kind for kind, _ in run("--repair")[1]} == {"faces_unwanted", "face_count_wrong"}
    assert not EmbeddingBlock.objects.exists()
    assert run() == (0, [])
