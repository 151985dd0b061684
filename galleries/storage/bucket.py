"""Keys -> objects of an S3 bucket. A PUT is whole or absent; it carries its SHA-256, so that other bytes are refused.

django-storages makes the connection; ranges, checksums and deleting by the thousand are asked of boto3 beneath it, for
django-storages would fetch an object whole. Credentials come as boto3 looks for them: AWS_ACCESS_KEY_ID and the like.
"""

import base64
import io
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage
from urllib3.exceptions import HTTPError

from .contract import ShortRead, Stored, Unavailable, checked, is_key
from .incoming import CHUNK_BYTES, Received, prepare

_ATTEMPTS = 4
_FIRST_PAUSE = 0.1  # seconds, then twice as long each time
# All tries that get no byte are over before a worker's task is (50 s): 4 of 8 s, and 7 s of pauses between them.
_CONNECT_SECONDS, _READ_SECONDS = 2, 6
# Of an address for nginx, which follows it at once.
_SIGNED_SECONDS = 60
_BATCH = 1000  # objects that S3 deletes at once
_BROKEN_OFF = (BotoCoreError, HTTPError)


class Bucket:
    """One client for all threads of the process, which botocore allows; a session for each would cost 0.1 s."""

    def __init__(self, bucket: str, prefix: str, endpoint: str, region: str) -> None:
        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            # As many zips as the downloads process sends at once.
            max_pool_connections=64,
            signature_version="s3v4",
            # Servers other than Amazon's seldom have a host name for each bucket, and know fewer checksums.
            s3={"addressing_style": "path" if endpoint else "auto"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        connector = S3Storage(
            bucket_name=bucket,
            endpoint_url=endpoint or None,
            region_name=region or None,
            client_config=config,
            # Else it would take AWS_ACCESS_KEY_ID without the AWS_SESSION_TOKEN that belongs to it.
            access_key=None,
            secret_key=None,
        )
        self._client = connector.connection.meta.client
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""

    def adopt(self, received: Received, key: str) -> None:
        checksum = base64.b64encode(bytes.fromhex(received.sha256)).decode()
        with received.path.open("rb") as body, _told(key):
            self._client.put_object(**self._object(key), Body=body, ChecksumAlgorithm="SHA256", ChecksumSHA256=checksum)
        received.discard()

    def read(self, key: str) -> bytes:
        content = io.BytesIO()
        self._fetch(key, content)
        return content.getvalue()

    def size(self, key: str) -> int:
        try:
            with _told(key):
                return int(self._client.head_object(**self._object(key))["ContentLength"])
        except FileNotFoundError:
            # A HEAD does not say whether it is the bucket that is missing.
            with _told("the bucket", missing=Unavailable):
                self._client.head_bucket(Bucket=self._bucket)
            raise

    def exists(self, key: str) -> bool:
        try:
            return self.size(key) >= 0
        except FileNotFoundError:
            return False

    def open_range(self, key: str, offset: int, length: int) -> Iterator[bytes]:
        """Taken up again where it breaks off."""
        if not length:
            self.size(key)
        position, stop, breaks = offset, offset + length, 0
        same: dict[str, str] = {}
        while position < stop:
            answer = self._get(key, Range=f"bytes={position}-{stop - 1}", **same)
            if (given := answer["ContentLength"]) < stop - position:
                raise ShortRead(f"{key} ends {stop - position - given} bytes too early")
            same = {"IfMatch": answer["ETag"]}
            try:
                for chunk in _chunks(answer):
                    position += len(chunk)
                    yield chunk
            except _BROKEN_OFF as error:
                breaks += 1
                _pause(key, breaks, error)

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        return b"".join(self.open_range(key, offset, length))

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        with tempfile.NamedTemporaryFile(dir=prepare()) as copy:
            self._fetch(key, copy)
            copy.flush()
            yield Path(copy.name)

    def delete(self, keys: Iterable[str]) -> None:
        wanted = [self._name(checked(key)) for key in keys]
        for start in range(0, len(wanted), _BATCH):
            some = {"Objects": [{"Key": name} for name in wanted[start : start + _BATCH]], "Quiet": True}
            with _told("a deletion", missing=Unavailable):
                answer = self._client.delete_objects(Bucket=self._bucket, Delete=some)
            if left := [each for each in answer.get("Errors", []) if each["Code"] != "NoSuchKey"]:
                raise Unavailable(f"{len(left)} objects could not be deleted: {left[0]['Code']}")

    def older_than(self, folder: str, seconds: float) -> list[str]:
        """By the bucket's clock, which wrote the times."""
        found = []
        for page in self._pages(f"{checked(folder)}/", Delimiter="/"):
            now = parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"]).astimezone(UTC)
            oldest = now - timedelta(seconds=seconds)
            found += [each.key for each in self._of(page) if each.modified <= oldest]
        return found

    def walk(self, prefix: str) -> Iterator[Stored]:
        for page in self._pages(prefix):
            yield from (each for each in self._of(page) if is_key(each.key))

    def internal_address(self, key: str, content_type: str) -> str:
        """nginx.conf takes scheme and host out of the path again. Signed for a GET of this key and for a minute."""
        wanted = self._object(key) | {"ResponseContentType": content_type}
        signed = urlsplit(self._client.generate_presigned_url("get_object", wanted, _SIGNED_SECONDS))
        return f"/protected-bucket/{signed.scheme}/{signed.netloc}{signed.path}?{signed.query}"

    def _name(self, key: str) -> str:
        return self._prefix + key

    def _object(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": self._name(checked(key))}

    def _get(self, key: str, **more: Any) -> dict[str, Any]:
        with _told(key):
            answer: dict[str, Any] = self._client.get_object(**self._object(key), **more)
            return answer

    def _fetch(self, key: str, target: IO[bytes]) -> None:
        """The whole object; botocore checks what was sent with it, and finds bits that flipped on the way."""
        for breaks in range(1, _ATTEMPTS + 1):
            answer = self._get(key, ChecksumMode="ENABLED")
            target.seek(0)
            target.truncate()
            try:
                for chunk in _chunks(answer):
                    target.write(chunk)
                return
            except _BROKEN_OFF as error:
                _pause(key, breaks, error)

    def _pages(self, prefix: str, **more: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._name(prefix), **more
        )
        with _told("a list", missing=Unavailable):
            yield from pages

    def _of(self, page: dict[str, Any]) -> list[Stored]:
        return [
            Stored(each["Key"].removeprefix(self._prefix), each["Size"], each["LastModified"].astimezone(UTC))
            for each in page.get("Contents", [])
        ]


@contextmanager
def _told(what: str, *, missing: type[OSError] = FileNotFoundError) -> Iterator[None]:
    """Raises `missing`, ShortRead and Unavailable in place of botocore's errors, which have retried before."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in ("NoSuchKey", "404", "NotFound"):
            raise missing(f"there is no {what} in the bucket") from error
        if code == "InvalidRange":
            raise ShortRead(f"{what} ends too early") from error
        raise Unavailable(f"{what}: the bucket answered {code}") from error
    except BotoCoreError as error:
        raise Unavailable(f"{what}: the bucket did not answer ({type(error).__name__})") from error


def _chunks(answer: dict[str, Any]) -> Iterator[bytes]:
    with closing(answer["Body"]) as body:
        yield from body.iter_chunks(CHUNK_BYTES)


def _pause(key: str, breaks: int, error: Exception) -> None:
    """Before the next try; raises Unavailable where there is none."""
    if breaks >= _ATTEMPTS:
        raise Unavailable(f"{key}: the bucket broke off {breaks} times ({type(error).__name__})") from error
    time.sleep(_FIRST_PAUSE * 2 ** (breaks - 1))
