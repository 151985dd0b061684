"""The only place that sends stored bytes: thumbs, previews, originals and zips. Callers have passed access.py before.

Everything is sealed: its own content type, never sniffed, never run as a page, cached by this browser alone.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from django.conf import settings
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotModified,
    StreamingHttpResponse,
)
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.http import content_disposition_header, parse_etags

from galleries import archives, images, metrics, storage, stripping
from galleries.errors import Refusal
from galleries.images import LOGO_TYPE, PREVIEW_EDGE, RENDITION_TYPE, THUMB_EDGE
from galleries.models import Album, Archive, Photo, Sighting
from galleries.models.archive import give_back_connection

logger = logging.getLogger(__name__)
_streams = threading.BoundedSemaphore(settings.PIXORA_ZIP_STREAMS)


def send_thumb(request: HttpRequest, photo: Photo) -> HttpResponseBase:
    return _send_file(request, photo.thumb_key, RENDITION_TYPE, f'"{photo.sha256[:32]}-thumb"')


def send_preview(request: HttpRequest, photo: Photo) -> HttpResponseBase:
    return _send_file(request, photo.preview_key, RENDITION_TYPE, f'"{photo.sha256[:32]}-preview"')


def send_face(request: HttpRequest, sighting: Sighting) -> HttpResponseBase:
    """Cut out of the preview as often as it is asked for, 3 ms: nothing of a face is kept that would have to go."""
    box = (sighting.x, sighting.y, sighting.width, sighting.height)
    etag = f'"{sighting.photo.sha256[:32]}-face-{sighting.pk}-{"-".join(map(str, box))}"'
    if _unchanged(request, etag):
        return _sealed(HttpResponseNotModified(), etag)
    key = sighting.photo.preview_key
    preview = storage.read_range(key, 0, _size(key))
    body = images.face(preview, *box)
    return _sealed(HttpResponse(body, content_type=RENDITION_TYPE), etag)


def rendition_widths(photo: Photo) -> tuple[int, int]:
    """How wide the photo's thumb and preview are, for a browser that chooses between them."""
    return photo.width_within(THUMB_EDGE), photo.width_within(PREVIEW_EDGE)


def send_original(request: HttpRequest, photo: Photo) -> HttpResponseBase:
    """As it was sent, for its owner. As a download, never as a page: an original's bytes are a stranger's."""
    return _send_file(request, photo.original_key, photo.content_type, f'"{photo.sha256}"', filename=photo.name)


def send_stripped(request: HttpRequest, photo: Photo) -> HttpResponseBase:
    """The original without its metadata, for a guest; whole or one range of it. Where that is not to be had surely,
    the preview. Raises Http404 if it is gone.
    """
    if photo.guest_pieces is None:
        name = PurePosixPath(photo.name).with_suffix(PurePosixPath(photo.preview_key).suffix).name
        return _send_file(request, photo.preview_key, RENDITION_TYPE, f'"{photo.sha256[:32]}-preview"', filename=name)
    etag = f'"{photo.sha256[:32]}-stripped-{photo.guest_size:x}-{photo.guest_crc32:08x}"'
    if not _unchanged(request, etag):
        _size(photo.original_key)
    pieces = archives.spans(photo.original_key, stripping.unpack(bytes(photo.guest_pieces)))

    def chunks(start: int, stop: int) -> Iterable[bytes]:
        return chain.from_iterable(map(_open_piece, archives.cut(pieces, start, stop)))

    return _send_range(request, _Sent(photo.guest_size, etag, photo.content_type, photo.name), chunks)


def send_logo(request: HttpRequest, album: Album) -> HttpResponseBase:
    if not album.logo_key:
        raise Http404
    return _send_file(request, album.logo_key, LOGO_TYPE, f'"{PurePosixPath(album.logo_key).stem}"')


def send_archive(request: HttpRequest, layout: archives.Layout, filename: str) -> HttpResponseBase:
    """The zip, whole or one range of it, made while it is sent.

    Raises Refusal 503 busy while as many zips are under way as this process may send, so that slow phones never take
    all threads.
    """

    def chunks(start: int, stop: int) -> Iterable[bytes]:
        return _one_of_few(_counting_breaks(archives.stream(layout, start, stop, _open_span)))

    response = _send_range(request, _Sent(layout.length, layout.etag, "application/zip", filename), chunks)
    if response.status_code in (200, 206):
        metrics.count("zip_bytes", int(response["Content-Length"]))
        response["X-Accel-Buffering"] = "no"
    return response


def archive_address(request: HttpRequest, archive: Archive) -> str:
    """Where the zip is fetched. On one machine downloads have a port of their own, so that pages stay quick."""
    address = urlsplit(request.build_absolute_uri(reverse("api:archive", args=[archive.pk])))
    if settings.PIXORA_DOWNLOADS_PORT and not settings.PIXORA_PUBLIC_URL:
        host = f"[{address.hostname}]" if ":" in (address.hostname or "") else address.hostname
        address = address._replace(netloc=f"{host}:{settings.PIXORA_DOWNLOADS_PORT}")
    return address.geturl()


def _send_file(
    request: HttpRequest, key: str, content_type: str, etag: str, *, filename: str | None = None
) -> HttpResponseBase:
    """A whole stored file: by nginx where PIXORA_SENDFILE says so, else from here. Raises Http404 if it is gone.

    Where nginx does not get it from the store, it asks here again and says so: one place retries, and tells what is
    missing from what does not answer.
    """
    if _unchanged(request, etag):
        return _sealed(HttpResponseNotModified(), etag)
    if settings.PIXORA_SENDFILE and "X-Sendfile-Failed" not in request.headers:
        response: HttpResponseBase = HttpResponse(content_type=content_type)
        response["X-Accel-Redirect"] = storage.internal_address(key, content_type)
    else:
        size = _size(key)
        body = iter(()) if request.method == "HEAD" else storage.open_range(key, 0, size)
        response = StreamingHttpResponse(body, content_type=content_type)
        response["Content-Length"] = str(size)
    if filename:
        response["Content-Disposition"] = content_disposition_header(True, filename) or "attachment"
    return _sealed(response, etag)


def _size(key: str) -> int:
    try:
        return storage.size(key)
    except FileNotFoundError as error:
        # Lost from the disk, or deleted between the row and here.
        logger.warning("There is no file %s.", key)
        raise Http404 from error


def _sealed(response: HttpResponseBase, etag: str) -> HttpResponseBase:
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox; frame-ancestors 'none'"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    patch_vary_headers(response, ("Cookie", "Authorization", "Pixora-Guest"))
    return response


def _unchanged(request: HttpRequest, etag: str) -> bool:
    asked = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in asked or etag in {tag.removeprefix("W/") for tag in asked}


def _asked_range(request: HttpRequest, length: int, etag: str) -> tuple[int, int] | archives.Unsatisfiable | None:
    """One range, unless the client holds another version than the one it would be cut from."""
    held = request.headers.get("If-Range")
    if held is not None and held.strip() != etag:
        return None
    return archives.parse_range(request.headers.get("Range"), length)


@dataclass(frozen=True, slots=True)
class _Sent:
    """What is sent as a download: its length in bytes, its strong ETag, its type and its name."""

    length: int
    etag: str
    content_type: str
    filename: str


def _send_range(request: HttpRequest, sent: _Sent, chunks: Callable[[int, int], Iterable[bytes]]) -> HttpResponseBase:
    """The whole of it or one range; `chunks` gives the bytes from one place up to but not including another."""
    if _unchanged(request, sent.etag):
        return _sealed(HttpResponseNotModified(), sent.etag)
    span = _asked_range(request, sent.length, sent.etag)
    if isinstance(span, archives.Unsatisfiable):
        unsatisfiable = HttpResponse(status=416, content_type=sent.content_type)
        unsatisfiable["Content-Range"] = f"bytes */{sent.length}"
        return _sealed(unsatisfiable, sent.etag)
    start, stop = span or (0, sent.length)
    body = iter(()) if request.method == "HEAD" else chunks(start, stop)
    response = StreamingHttpResponse(body, status=206 if span else 200, content_type=sent.content_type)
    response["Content-Length"] = str(stop - start)
    response["Accept-Ranges"] = "bytes"
    if span:
        response["Content-Range"] = f"bytes {start}-{stop - 1}/{sent.length}"
    response["Content-Disposition"] = content_disposition_header(True, sent.filename) or "attachment"
    return _sealed(response, sent.etag)


def _open_piece(piece: bytes | archives.Span) -> Iterable[bytes]:
    return (piece,) if isinstance(piece, bytes) else _open_span(piece)


def _open_span(span: archives.Span) -> Iterable[bytes]:
    if span.length <= storage.CHUNK_BYTES:
        return (storage.read_range(span.key, span.offset, span.length),)
    return storage.open_range(span.key, span.offset, span.length)


def _counting_breaks(chunks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except archives.BrokenSource:
        metrics.count("broken_zips")
        raise


class _OneOfFew:
    """Holds one of the process's zip streams until the server closes the response, however it ends."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = True

    def begin(self) -> None:
        """Make the first chunk: as long as nothing has been sent, it can be said that something is wrong."""
        self._chunks = chain([next(self._chunks, b"")], self._chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        if self._held:
            self._held = False
            _streams.release()


def _one_of_few(chunks: Iterator[bytes]) -> _OneOfFew:
    if not _streams.acquire(blocking=False):
        raise Refusal("busy", "Many zips are being sent right now. Try again in a moment.", status=503)
    stream = _OneOfFew(chunks)
    try:
        stream.begin()
    except archives.BrokenSource as error:
        stream.close()
        logger.warning("A zip cannot be begun: %s", error)
        raise Refusal(
            "zip_unreadable", "A photo of this zip cannot be read right now. Try again in a moment.", status=503
        ) from error
    except BaseException:
        stream.close()
        raise
    give_back_connection()
    return stream
