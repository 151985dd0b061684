"""What is asked again and again reads the few rows it is about, however many albums, photos and guests there are.

Held by SQLite's own plans: it says SCAN where it reads all of a table or an index.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from galleries.flows import day, upkeep
from galleries.flows import selfie as selfie_flow
from galleries.models import Album, EmbeddingBlock, Guest, Link, Photo, Selfie
from galleries.models.literal import Literal
from tests.conftest import ready_photo

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by what is in the tables")

# Indexes of a few rows each, which may be read whole.
FEW = ["photo_wanting_work", "selfie_wanting_work", "block_to_announce", "selfie_with_address"]
FEW += ["selfie_running_out", "selfie_ended", "album_moving", "album_in_work", "user_closed"]
# And tables of a few.
SMALL = ["galleries_erasure", "galleries_arrival", "galleries_archive", "galleries_newguests", "django_session"]
SMALL += ["galleries_webhook"]


def plans(work: Callable[[], Any]) -> list[str]:
    """The steps of all statements, each "SCAN ..." or "SEARCH ..."."""
    with CaptureQueriesContext(connection) as asked:
        work()
    steps = []
    with connection.cursor() as cursor:
        for query in asked.captured_queries:
            if query["sql"].startswith(("SELECT", "UPDATE", "DELETE")):
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql'].replace('%', '%%')}", [])
                steps += [row[3] for row in cursor.fetchall()]
    return [step for step in steps if step.startswith(("SCAN", "SEARCH"))]


def read_whole(steps: list[str]) -> list[str]:
    scans = [step for step in steps if step.startswith("SCAN")]
    return [step for step in scans if step.split()[-1] not in FEW and step.split()[1] not in SMALL]


def searching(album: Album, link: Link, **facts: Any) -> Selfie:
    facts = {"state": Selfie.State.DONE, "expires_at": timezone.now() + timedelta(days=1)} | facts
    return Selfie.objects.create(album=album, link=link, guest=Guest.objects.create(), **facts)


def test_a_claim_reads_photos_that_wait_and_no_other(album: Album) -> None:
    """Neither albums at rest nor the ready photos of the album whose turn it is."""
    ready_photo(album)
    Photo.objects.create(album=album, name="b.jpg", size=1, crc32=0, sha256="b" * 64)
    steps = plans(Photo.objects.claim)
    assert Photo.objects.get(fence__isnull=False).name == "b.jpg"
    assert read_whole(steps) == []
    assert not [step for step in steps if "photo_tally" in step or "photo_in_order" in step]


def test_a_claim_of_a_search_reads_those_that_wait(searchable: Album, link: Link) -> None:
    searching(searchable, link, state=Selfie.State.QUEUED)
    assert read_whole(plans(Selfie.objects.claim)) == []


def test_a_sweep_reads_nothing_whole(searchable: Album, link: Link) -> None:
    ready_photo(searchable)
    searching(searchable, link, email="gina@example.org", email_confirmed_at=Now(), email_told_at=Now())
    # Every ten minutes it does read all photos.
    day.note_stock()
    steps = plans(upkeep.sweep)
    # Guests without a visit are those of no account.
    assert [step for step in read_whole(steps) if "galleries_guest" not in step] == []
    used = " ".join(steps)
    assert [index for index in FEW if index not in used] == []


def test_a_sweep_asks_of_no_album_at_rest(album: Album) -> None:
    day.note_stock()
    assert not [step for step in plans(upkeep.sweep) if "galleries_album_deleted" in step and "deleted_at=?" in step]


def test_a_result_begins_with_its_own_matches(searchable: Album, link: Link) -> None:
    photo = ready_photo(searchable)
    selfie = searching(searchable, link, vectors=b"", engine=searchable.engine)
    selfie.matches.create(photo=photo, tier="sure", distance=0.1, x=0, y=0, width=1, height=1)
    steps = plans(lambda: list(selfie_flow.result(selfie)))
    assert "galleries_match" in steps[0]
    assert len(steps) == 2


def test_what_was_searched_is_counted_in_indexes(searchable: Album, link: Link) -> None:
    for name, hidden in (("shown", False), ("hidden", True), ("fresh", False)):
        facts = {"state": Photo.State.READY, "hidden": hidden, "size": 1, "crc32": 0, "sha256": name}
        photo = Photo.objects.create(album=searchable, name=name, **facts)
        block = {"count": 0, "vectors": b"", "weak": b"", "announced": name != "fresh"}
        EmbeddingBlock.objects.create(photo=photo, album=searchable, engine=searchable.engine, **block)
    selfie = searching(searchable, link, vectors=b"", engine=searchable.engine)
    steps = plans(lambda: selfie_flow.progress(selfie))
    assert read_whole(steps) == []
    assert any("COVERING INDEX block_of_album" in step for step in steps)
    assert selfie_flow.progress(selfie) == (1, 2)


@pytest.mark.parametrize("word", ["a'b", "50%", "two words"])
def test_nothing_from_outside_becomes_part_of_a_statement(word: str) -> None:
    with pytest.raises(ValueError, match="not a word of ours"):
        Literal(word)
