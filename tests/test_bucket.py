"""What a bucket that fails may do to us: be asked again, break something visibly, and never look like an empty one."""

import base64
import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import pytest
import requests
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings
from rest_framework.test import APIClient

from galleries import storage
from galleries.flows import photo as photo_flow
from galleries.models import Album, Link, Photo
from pixora_site import env
from tests import pictures
from tests.conftest import add, ready_photo, search, work_off
from tests.failing import Asked, Failing, Fault, failing

KEY = "originals/album/photo.jpg"
CONTENT = os.urandom(1_000_000)


@pytest.fixture(autouse=True)
def s3(bucket: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Failing]:
    """The test's bucket, behind a proxy that fails as it is told."""
    with failing(bucket) as (address, told):
        monkeypatch.setenv("PIXORA_STORAGE", address)
        settings.PIXORA_STORAGE = env.bucket("PIXORA_STORAGE")
        yield told


def every(number: int, fault: Fault) -> Callable[[Asked], Fault | None]:
    """The first request and each so many-th after it."""
    turns = cycle([fault, *[None] * (number - 1)])
    return lambda asked: next(turns)


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.HANG_UP])
def test_a_bucket_that_fails_now_and_then_is_asked_again(s3: Failing, fault: Fault) -> None:
    s3.plan = every(2, fault)
    storage.write(KEY, CONTENT)
    assert storage.read(KEY) == CONTENT
    assert storage.size(KEY) == len(CONTENT)
    assert b"".join(storage.open_range(KEY, 10, 500_000)) == CONTENT[10:500_010]
    with storage.local(KEY) as path:
        assert path.read_bytes() == CONTENT
    assert [each.key for each in storage.walk()] == [KEY]
    storage.delete([KEY])
    assert not storage.exists(KEY)
    assert s3.faults[fault] >= 8


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.FLIP])
def test_what_comes_halved_or_altered_is_fetched_again(s3: Failing, fault: Fault) -> None:
    storage.write(KEY, CONTENT)
    s3.plan = every(2, fault)
    assert storage.read(KEY) == CONTENT
    with storage.local(KEY) as path:
        assert path.read_bytes() == CONTENT
    assert s3.faults[fault] == 2


def test_a_range_that_breaks_off_is_taken_up_where_it_broke(s3: Failing) -> None:
    storage.write(KEY, CONTENT)
    s3.asked.clear()
    s3.plan = every(2, Fault.CUT)
    assert b"".join(storage.open_range(KEY, 0, len(CONTENT))) == CONTENT
    assert [asked.headers["Range"] for asked in s3.asked] == ["bytes=0-999999", "bytes=500000-999999"]


def test_a_range_is_not_continued_with_other_bytes(s3: Failing) -> None:
    storage.write(KEY, CONTENT)
    s3.plan = every(9, Fault.CUT)
    pieces = storage.open_range(KEY, 0, len(CONTENT))
    next(pieces)
    storage.write(KEY, CONTENT[::-1])
    with pytest.raises(storage.Unavailable, match="PreconditionFailed"):
        list(pieces)


@pytest.mark.parametrize("fault", Fault)
def test_a_bucket_that_only_fails_is_unavailable_and_never_missing(s3: Failing, fault: Fault) -> None:
    storage.write(KEY, CONTENT)
    s3.plan = lambda asked: fault
    with pytest.raises(storage.Unavailable):
        storage.read(KEY)
    if fault is Fault.HANG_UP:
        uses: list[Callable[[], object]] = [
            lambda: storage.write(KEY, b"x"), lambda: storage.exists(KEY), lambda: list(storage.walk()),
            lambda: storage.delete([KEY]), lambda: storage.local(KEY).__enter__(),
            lambda: storage.older_than("originals", 0),
            lambda: list(storage.open_range(KEY, 0, 1)), lambda: list(storage.open_range(KEY, 0, 0)),
        ]  # fmt: skip
        for each in uses:
            with pytest.raises(storage.Unavailable):
                each()
    s3.plan = lambda asked: None
    assert storage.read(KEY) == CONTENT


def test_a_bucket_that_is_not_there_is_not_an_empty_one(settings: Settings) -> None:
    settings.PIXORA_STORAGE = settings.PIXORA_STORAGE | {"bucket": "another"}
    uses: list[Callable[[], object]] = [
        lambda: storage.size(KEY), lambda: storage.exists(KEY), lambda: storage.read(KEY),
        lambda: list(storage.walk()), lambda: storage.delete([KEY]), lambda: storage.write(KEY, b"x"),
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(storage.Unavailable):
            use()


def test_the_bucket_is_told_what_the_bytes_must_be(s3: Failing) -> None:
    """It refuses others; so at least S3 does, where moto believes what it gets."""
    storage.write(KEY, CONTENT)
    put = next(asked for asked in s3.asked if asked.method == "PUT")
    assert base64.b64decode(put.headers["x-amz-checksum-sha256"]) == hashlib.sha256(CONTENT).digest()


def test_an_album_of_thousands_is_deleted_by_the_thousand(s3: Failing) -> None:
    storage.write(KEY, b"x")
    s3.asked.clear()
    storage.delete([*(f"originals/album/{number}.jpg" for number in range(2_500)), KEY])
    assert [asked.method for asked in s3.asked] == ["POST"] * 3
    assert not storage.exists(KEY)


def test_a_photo_is_no_worse_for_a_bucket_that_fails(s3: Failing, searchable: Album, link: Link) -> None:
    s3.plan = lambda asked: Fault.HANG_UP if asked.method == "GET" else None
    photo = add(searchable, pictures.jpeg(pictures.portrait())).photo
    for _ in range(2):  # the second time in a decoder apart
        photo_flow.work()
        photo.refresh_from_db()
        assert (photo.state, photo.strikes, photo.code) == ("uploaded", 0, "")
        type(photo).objects.update(lease_until=None)
    s3.plan = lambda asked: None
    work_off()
    photo.refresh_from_db()
    assert (photo.state, photo.face_count) == ("ready", 1)
    found = search(link)
    assert found.selfie.matches.get().photo_id == photo.pk
    assert list(storage.walk("selfies/")) == []


def test_an_upload_that_the_bucket_did_not_take_leaves_nothing(s3: Failing, album: Album) -> None:
    s3.plan = lambda asked: Fault.HANG_UP if asked.method == "PUT" else None
    with pytest.raises(storage.Unavailable):
        add(album, pictures.jpeg(pictures.faceless()))
    assert not album.photos.exists()
    assert list(storage.walk()) == []


def test_a_zip_outlives_what_can_be_asked_again_and_else_breaks_visibly(
    s3: Failing, album: Album, owner_api: APIClient
) -> None:
    for name in ("a.jpg", "b.jpg"):
        ready_photo(album, pictures.jpeg(pictures.portrait() // (1 + len(name) % 3) + ord(name[0]) % 7), name)
    made = owner_api.post(f"/api/v1/albums/{album.pk}/archives/", {}, format="json").json()

    def fetched() -> bytes:
        answer: Any = owner_api.get(made["url"])
        try:
            return b"".join(answer.streaming_content) if answer.streaming else bytes(answer.content)
        finally:
            answer.close()

    whole = fetched()
    assert len(whole) == made["bytes"]
    s3.plan = every(2, Fault.CUT)
    assert fetched() == whole
    for fault in (Fault.HANG_UP, Fault.CUT, Fault.FLIP):
        s3.plan = every(1, fault)
        assert b"zip_unreadable" in fetched()


@pytest.mark.parametrize("variant", ["thumb", "preview", "original"])
def test_media_are_the_same_from_a_bucket(s3: Failing, album: Album, owner_api: APIClient, variant: str) -> None:
    photo = ready_photo(album)
    key = {"thumb": photo.thumb_key, "preview": photo.preview_key, "original": photo.original_key}[variant]
    address = f"/api/v1/photos/{photo.pk}/{variant}"
    answer = owner_api.get(address)
    assert answer.getvalue() == (stored := storage.read(key))
    assert int(answer["Content-Length"]) == len(stored)
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Content-Security-Policy"].startswith("default-src 'none'; sandbox")
    head = owner_api.head(address)
    assert (head["Content-Length"], head["ETag"]) == (answer["Content-Length"], answer["ETag"])
    storage.delete([key])
    assert owner_api.get(address).status_code == 404


def test_a_photo_that_the_bucket_denies_comes_to_an_end(s3: Failing, album: Album) -> None:
    """While all others are given it is no outage, which photos wait for without an end."""
    photo = add(album, pictures.jpeg(pictures.quadrants())).photo
    s3.plan = lambda asked: Fault.SLOW_DOWN if str(photo.pk) in asked.path else None
    photo_flow.work()
    photo.refresh_from_db()
    assert (photo.state, photo.attempts) == ("uploaded", 1)
    Photo.objects.update(attempts=10, lease_until=None)
    photo_flow.work()
    photo.refresh_from_db()
    assert (photo.state, photo.code) == ("quarantined", "gave_up")
    s3.plan = lambda asked: None
    assert photo_flow.retry(album.photos.all()) == 1
    work_off()
    photo.refresh_from_db()
    assert photo.state == "ready"


def test_photos_wait_for_a_bucket_that_gives_nothing(s3: Failing, album: Album) -> None:
    photo = add(album, pictures.jpeg(pictures.quadrants())).photo
    s3.plan = lambda asked: Fault.SLOW_DOWN
    photo_flow.work()
    photo.refresh_from_db()
    assert (photo.state, photo.attempts) == ("uploaded", 0)


def test_nginx_gets_an_address_for_one_object_and_a_minute(
    s3: Failing, album: Album, owner_api: APIClient, settings: Settings
) -> None:
    photo = ready_photo(album)
    settings.PIXORA_SENDFILE = True
    answer = owner_api.get(f"/api/v1/photos/{photo.pk}/thumb")
    room, scheme, host, path = answer["X-Accel-Redirect"].removeprefix("/").split("/", 3)
    assert (room, scheme) == ("protected-bucket", "http")
    assert answer.content == b""
    signed = f"{scheme}://{host}/{path}"
    assert "X-Amz-Signature=" in signed
    assert "X-Amz-Expires=60&" in signed
    fetched = requests.get(signed)
    assert fetched.content == storage.read(photo.thumb_key)
    assert fetched.headers["Content-Type"] == "image/jpeg"
    failed = owner_api.get(f"/api/v1/photos/{photo.pk}/thumb", headers={"X-Sendfile-Failed": "1"})
    assert failed.getvalue() == fetched.content


def test_no_secret_reaches_a_log(
    s3: Failing, album: Album, owner_api: APIClient, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    photo = ready_photo(album)
    s3.plan = lambda asked: Fault.HANG_UP
    with pytest.raises(storage.Unavailable) as told:
        storage.read(photo.original_key)
    logging.getLogger("galleries").exception("It failed.", exc_info=told.value)
    settings.PIXORA_SENDFILE = True
    owner_api.get(f"/api/v1/photos/{photo.pk}/original")
    assert "It failed." in caplog.text
    for secret in ("never shown", "Signature=", "Credential="):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    "value",
    [
        "s3:///media", "s3://Bad_Bucket", "s3://b/media", "http://pixora/media", "s3://key:secret@pixora/media",
        "s3://pixora/../media", "s3://pixora/media?endpoint=ftp://x", "s3://pixora/media?endpoint=http://k:s@x",
        "s3://pixora/media?acl=public-read", "s3://pixora/media#x", "pixora",
    ],
)  # fmt: skip
def test_a_bucket_that_cannot_be_meant_stops_the_start_without_showing_it(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXORA_STORAGE", value)
    with pytest.raises(ImproperlyConfigured, match="PIXORA_STORAGE") as told:
        env.bucket("PIXORA_STORAGE")
    assert value not in str(told.value)


def test_a_bucket_is_named_in_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = {"prefix": "", "endpoint": "", "region": ""}
    for value, parts in [
        ("s3://wedding-photos", {"bucket": "wedding-photos"}),
        ("s3://pixora/a/b/?region=eu-central-1", {"bucket": "pixora", "prefix": "a/b", "region": "eu-central-1"}),
        ("s3://pixora?endpoint=http://minio:9000/", {"bucket": "pixora", "endpoint": "http://minio:9000"}),
    ]:
        monkeypatch.setenv("PIXORA_STORAGE", value)
        assert env.bucket("PIXORA_STORAGE") == nothing | parts
    monkeypatch.setenv("PIXORA_STORAGE", "")
    assert env.bucket("PIXORA_STORAGE") == {}
