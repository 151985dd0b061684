"""The vectors in a worker's memory follow the rows: nothing that is gone answers, nothing that is new is missed."""

import hashlib
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings as live
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

import recognition
from galleries import storage
from galleries.flows import album as album_flow
from galleries.flows import photo as photo_flow
from galleries.flows import search_index
from galleries.models import Album, EmbeddingBlock, Link, Photo, User
from tests import pictures
from tests.conftest import ready_photo, search, work_off
from tests.running import environment

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def empty_memory() -> Iterator[None]:
    """As a worker has it that has just started."""
    search_index.forget()
    yield
    search_index.forget()


def with_faces(album: Album, faces: int, seed: int) -> Photo:
    photo = Photo.objects.create(album=album, name=f"{seed}.jpg", size=1, sha256=f"{seed}", crc32=0, state="ready")
    random_block(photo, faces, seed)
    return photo


def random_block(photo: Photo, faces: int, seed: int) -> None:
    engine, random = recognition.engine(), np.random.default_rng(seed)
    vectors = random.standard_normal((faces, engine.dimension)).astype("<f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    weak = random.integers(2, size=faces, dtype=np.uint8).tobytes()
    EmbeddingBlock.objects.create(
        photo=photo, album=photo.album, engine=engine.name, count=faces, vectors=vectors.tobytes(), weak=weak
    )


def stored(album: Album) -> QuerySet[EmbeddingBlock]:
    return EmbeddingBlock.objects.filter(album=album, engine=recognition.engine().name)


def assert_is_what_is_stored(album: Album) -> None:
    """Every face of the database at its place, and none besides."""
    index = search_index.of(album, recognition.engine())
    blocks = {block.photo_id: block for block in stored(album)}
    assert len(index) == sum(block.count for block in blocks.values())
    assert sorted(index.photos) == sorted(blocks)
    for row in range(len(index)):
        photo, ordinal = index.place(row)
        assert index.row(photo, ordinal) == row
        block = blocks[photo]
        vectors = np.frombuffer(bytes(block.vectors), dtype="<f4").reshape(block.count, -1)
        assert np.array_equal(index.vectors[row], vectors[ordinal])
        assert index.weak[row] == bool(bytes(block.weak)[ordinal])


def reindex(album: Album) -> None:
    Photo.objects.filter(album=album).update(wanted_engine=album.engine)
    work_off()


def test_it_follows_photos_that_come_and_go(searchable: Album) -> None:
    assert_is_what_is_stored(searchable)
    photos = [with_faces(searchable, faces, seed) for seed, faces in enumerate([2, 0, 5, 1])]
    assert_is_what_is_stored(searchable)
    photos += [with_faces(searchable, 3, 10), with_faces(searchable, 0, 11)]
    assert_is_what_is_stored(searchable)
    photo_flow.delete([photos[0], photos[2]])
    assert_is_what_is_stored(searchable)
    photo_flow.delete(photos)
    assert_is_what_is_stored(searchable)


def test_one_photo_gone_and_one_come_between_two_searches_is_noticed(searchable: Album) -> None:
    """As many photos and faces as before, so that counting would not tell."""
    first = with_faces(searchable, 2, 1)
    with_faces(searchable, 2, 2)
    assert_is_what_is_stored(searchable)
    photo_flow.delete([first])
    with_faces(searchable, 2, 3)
    assert_is_what_is_stored(searchable)


def test_a_block_that_shows_up_late_with_a_lower_id_is_read(searchable: Album) -> None:
    """PostgreSQL gives ids when a transaction writes, and shows the rows when it commits."""
    late = with_faces(searchable, 2, 1)
    block = stored(searchable).get(photo=late)
    block.delete()
    with_faces(searchable, 3, 2)
    assert_is_what_is_stored(searchable)
    block.save(force_insert=True)
    assert_is_what_is_stored(searchable)


def test_an_unchanged_album_is_not_read_again(searchable: Album) -> None:
    with_faces(searchable, 2, 1)
    search_index.of(searchable, recognition.engine())
    with CaptureQueriesContext(connection) as asked:
        search_index.of(searchable, recognition.engine())
    assert not [query for query in asked.captured_queries if '"vectors"' in query["sql"]]


def test_a_deleted_photo_is_not_found_by_the_next_search(searchable: Album, link: Link) -> None:
    doomed, kept = ready_photo(searchable, name="a.jpg"), ready_photo(searchable, darker(), "b.jpg")
    assert {match.photo_id for match in search(link).selfie.matches.all()} == {doomed.pk, kept.pk}
    photo_flow.delete([doomed])
    found = search(link).selfie
    assert [match.photo_id for match in found.matches.all()] == [kept.pk]
    assert found.scanned == 1


def darker() -> bytes:
    return pictures.jpeg((pictures.portrait() * 0.6).astype(np.uint8))


def test_a_search_after_reindexing_uses_the_new_vectors(searchable: Album, link: Link) -> None:
    photo = ready_photo(searchable)
    wrong = np.eye(1, recognition.engine().dimension, dtype="<f4").tobytes()
    EmbeddingBlock.objects.filter(photo=photo).update(vectors=wrong)
    assert not search(link).selfie.matches.exists()
    reindex(searchable)
    assert search(link).selfie.matches.get().photo_id == photo.pk
    assert_is_what_is_stored(searchable)


def test_a_photo_that_cannot_be_read_again_has_no_vectors_left(searchable: Album, link: Link) -> None:
    photo = ready_photo(searchable)
    assert search(link).selfie.matches.exists()
    cut = pictures.truncated_jpeg()
    storage.write(photo.original_key, cut)
    # As it was sent: an original that is no longer what its row says is kept for its owner to heal.
    Photo.objects.update(sha256=hashlib.sha256(cut).hexdigest(), size=len(cut), crc32=zlib.crc32(cut))
    reindex(searchable)
    photo.refresh_from_db()
    assert photo.state == "rejected"
    assert not stored(searchable).exists()
    assert not search(link).selfie.matches.exists()


def test_face_search_off_empties_the_memory(searchable: Album, owner: User) -> None:
    other = Album.objects.create(owner=owner, title="Another", face_search=True, engine=searchable.engine)
    for album in (searchable, other):
        with_faces(album, 2, 1)
        search_index.of(album, recognition.engine())
    assert set(search_index._held) == {searchable.pk, other.pk}
    album_flow.switch_face_search(searchable, False)
    search_index.of(other, recognition.engine())
    assert set(search_index._held) == {other.pk}
    album_flow.delete(other)
    search_index.of(searchable, recognition.engine())
    assert other.pk not in search_index._held


def test_vectors_of_two_engines_are_never_in_one_index(searchable: Album) -> None:
    with_faces(searchable, 2, 1)
    assert len(search_index.of(searchable, recognition.engine())) == 2
    EmbeddingBlock.objects.update(engine="another+engine@1")
    assert len(search_index.of(searchable, recognition.engine())) == 0


def test_memory_is_bounded(searchable: Album, owner: User, settings: Any) -> None:
    """A megabyte holds one of these albums and not two; the one asked for last stays."""
    other = Album.objects.create(owner=owner, title="Another", face_search=True, engine=searchable.engine)
    for album in (searchable, other):
        with_faces(album, 1200, 1)
    settings.PIXORA_INDEX_MEGABYTES = 1
    for album in (searchable, other):
        assert len(search_index.of(album, recognition.engine())) == 1200
    assert list(search_index._held) == [other.pk]
    settings.PIXORA_INDEX_MEGABYTES = 0
    assert len(search_index.of(other, recognition.engine())) == 1200
    assert search_index.held_bytes() == 0


_FIRST_PROCESS = """
import subprocess, sys, django
django.setup()
from django.core.management import call_command
from galleries.flows import search_index
from galleries import storage
from galleries.models import Album, EmbeddingBlock, User
from recognition import engine
from tests.test_search_index import with_faces
call_command("migrate", verbosity=0)
owner = User.objects.create_user("olga@example.org", "a long enough password")
album = Album.objects.create(owner=owner, title="A", face_search=True, engine=engine().name)
doomed, again, kept = (with_faces(album, 2, seed) for seed in range(3))
old = search_index.of(album, engine()).vectors.copy()
subprocess.run([sys.executable, "-c", sys.argv[1], str(doomed.pk), str(again.pk)], check=True)
index = search_index.of(album, engine())
print(index.photos == [kept.pk, again.pk], (index.vectors[:2] == old[4:]).all(), (index.vectors[2:] == old[2:4]).any())
"""
_SECOND_PROCESS = """
import sys, django
django.setup()
from galleries.flows import photo
from galleries.models import EmbeddingBlock, Photo
from tests.test_search_index import random_block
photo.delete(Photo.objects.filter(pk=sys.argv[1]))
again = Photo.objects.get(pk=sys.argv[2])
EmbeddingBlock.objects.filter(photo=again).delete()
random_block(again, 2, seed=77)
"""


def test_what_a_second_process_deletes_and_indexes_again_is_known_to_the_first(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FIRST_PROCESS, _SECOND_PROCESS],
        cwd=live.BASE_DIR, env=environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["True", "True", "False"], done.stderr
