"""What is sent: JSON, and the form of one file."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .folder import Changed, File


@dataclass(frozen=True, slots=True)
class Body:
    """`chunks()` begins anew each time; `length` is that of all."""

    content_type: str
    length: int
    chunks: Callable[[], Iterable[bytes]]

    @classmethod
    def of_json(cls, value: Any) -> "Body":
        data = json.dumps(value).encode()
        return cls("application/json", len(data), lambda: [data])


def form_of(file: File, sha256: str, replaces: str, moved: Callable[[int], None]) -> Body:
    """The form of one file; `moved(bytes)` is told as it goes, and told less when it begins anew.

    Its end is sent only if what went before is the file that was hashed, and without it the site keeps nothing: so a
    file that changes is never taken half old, half new.
    """
    boundary = f"pixora-{sha256}"
    fields = _field(boundary, "path", plain(file.name)) + (_field(boundary, "replaces", replaces) if replaces else "")
    # As RFC 2231 has it: in quotes, those of the name itself would stand as the %22 of browsers.
    named = f"form-data; name=\"file\"; filename*=utf-8''{quote(plain(file.path.name), safe='')}"
    head = f"{fields}--{boundary}\r\nContent-Disposition: {named}\r\nContent-Type: image/*\r\n\r\n".encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    gone = 0

    def chunks() -> Iterable[bytes]:
        nonlocal gone
        moved(-gone)
        gone = 0
        digest = hashlib.sha256()
        yield head
        for chunk in file.chunks():
            digest.update(chunk)
            yield chunk
            gone += len(chunk)
            moved(len(chunk))
        if digest.hexdigest() != sha256:
            raise Changed
        yield tail

    return Body(f"multipart/form-data; boundary={boundary}", len(head) + file.size + len(tail), chunks)


def plain(name: str) -> str:
    """A name of bytes that are no UTF-8 is sent with marks in their place, and without what would end a line."""
    return re.sub(r"[\x00-\x1f\x7f]", "_", name.encode(errors="replace").decode())


def _field(boundary: str, name: str, value: str) -> str:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
