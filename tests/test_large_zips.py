"""Zips of thousands of entries: frozen in sections, resumed anywhere, fresh or 410, and cheap to ask for."""

import io
import random
import zipfile
import zlib

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from galleries import storage
from galleries.archives import SECTION_ENTRIES
from galleries.flows import archive as archive_flow
from galleries.models import Album, Archive, ArchiveSection, Photo
from tests.test_zip_journey import bytes_of, make_zip

COUNT = 2 * SECTION_ENTRIES + 500


@pytest.fixture
def large(album: Album) -> Album:
    """An album of thousands of photos which share a few stored files."""
    contents = [bytes([number]) * (900 + number) for number in range(4)]
    for number, content in enumerate(contents):
        storage.write(f"originals/{album.pk}/{number}.jpg", content)
    Photo.objects.bulk_create(
        Photo(
            album=album,
            name=f"{number % 2000}.jpg",
            size=len(contents[number % 4]),
            crc32=zlib.crc32(contents[number % 4]),
            sha256=f"{number:064}",
            original_key=f"originals/{album.pk}/{number % 4}.jpg",
            state=Photo.State.READY,
        )
        for number in range(COUNT)
    )
    return album


def test_it_is_whole_and_every_resumption_of_it_too(large: Album, owner_api: APIClient) -> None:
    made = make_zip(owner_api, large)
    answer = owner_api.get(made["url"])
    whole, etag = bytes_of(answer), answer["ETag"]
    assert len(whole) == made["bytes"]
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == COUNT
    cuts = random.Random(5)
    for _ in range(20):
        cut = cuts.randrange(1, len(whole))
        rest = owner_api.get(made["url"], HTTP_RANGE=f"bytes={cut}-", HTTP_IF_RANGE=etag)
        assert rest.status_code == 206
        assert whole[:cut] + bytes_of(rest) == whole


def test_sections_follow_each_other_without_a_gap(large: Album, owner_api: APIClient) -> None:
    """A range that begins or ends exactly where a section does."""
    made = make_zip(owner_api, large)
    whole = bytes_of(owner_api.get(made["url"]))
    archive = Archive.objects.get(pk=made["id"])
    for section in archive.sections.all():
        for edge in (section.start, archive.directory + section.directory_start):
            for start, stop in ((edge, edge + 40), (max(0, edge - 40), edge + 1), (max(0, edge - 1), edge + 1)):
                answer = owner_api.get(made["url"], HTTP_RANGE=f"bytes={start}-{stop - 1}")
                assert bytes_of(answer) == whole[start:stop]


def test_any_photo_that_goes_makes_it_stale(large: Album, owner_api: APIClient) -> None:
    made = make_zip(owner_api, large)
    last = large.photos.in_order().last()
    assert last
    Photo.objects.filter(pk=last.pk).delete()
    answer = owner_api.get(made["url"], HTTP_RANGE="bytes=0-9")
    assert (answer.status_code, answer.json()["code"]) == (410, "archive_stale")


def test_a_request_asks_the_database_as_little_for_thousands_as_for_one(large: Album, owner_api: APIClient) -> None:
    one = make_zip(owner_api, large, photos=[str(large.photos.values_list("pk", flat=True)[0])])
    many = make_zip(owner_api, large)
    asked = []
    for made in (one, many):
        with CaptureQueriesContext(connection) as queries:
            owner_api.head(made["url"])
        asked.append(len(queries))
        assert not [query for query in queries if len(query["sql"]) > 5000]
    assert asked[0] == asked[1]


def test_a_list_that_goes_while_it_is_sent_breaks_the_zip(large: Album, owner_api: APIClient) -> None:
    """Whoever withdraws or deletes ends what is under way, at the next section."""
    archive = Archive.objects.get(pk=make_zip(owner_api, large)["id"])
    layout = archive_flow.layout_of(archive)
    archive.delete()
    with pytest.raises(ArchiveSection.DoesNotExist):
        list(layout.segments(0, layout.length))


def test_a_deleted_zip_leaves_no_section(large: Album, owner_api: APIClient) -> None:
    archive = Archive.objects.get(pk=make_zip(owner_api, large)["id"])
    assert ArchiveSection.objects.count() == 3
    archive.delete()
    assert not ArchiveSection.objects.exists()
