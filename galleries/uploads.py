"""Files of a form while they arrive: written once, hashed on the way, and never further than one file may be long.

Settings name `IncomingHandler` as the only upload handler. `storage.receive(file.chunks(), ...)` then takes over what
is stored already instead of copying it. A disk that fails meanwhile is told of there, once the body has been read: who
is answered earlier sees a broken connection instead.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from galleries import storage


class IncomingFile(UploadedFile):
    """`size` counts all bytes that were sent, stored or not. Closing it, which Django does after the request, discards
    what nobody took over.
    """

    def __init__(
        self, incoming: storage.Incoming | OSError, name: str | None, content_type: str | None, size: int
    ) -> None:
        super().__init__(None, name, content_type, size)
        self._incoming = incoming

    def chunks(self, chunk_size: int | None = None) -> Iterable[bytes]:  # type: ignore[override]
        """Raises OSError as the disk failed while the file arrived."""
        if isinstance(self._incoming, OSError):
            raise self._incoming
        return self._incoming

    @property
    def sha256(self) -> str:
        """Of what was stored; raises OSError as `chunks` does."""
        if isinstance(self._incoming, OSError):
            raise self._incoming
        return self._incoming.sha256

    def close(self) -> None:
        if isinstance(self._incoming, storage.Incoming):
            self._incoming.discard()


class IncomingHandler(FileUploadHandler):
    chunk_size = storage.CHUNK_BYTES

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._incoming: storage.Incoming | OSError = OSError("nothing of it has been stored")
        with self._failing_later():
            storage.require_room()
            self._incoming = storage.Incoming(settings.PIXORA_MAX_FILE_BYTES)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if isinstance(self._incoming, storage.Incoming):
            with self._failing_later():
                self._incoming.write(raw_data)

    def file_complete(self, file_size: int) -> IncomingFile:
        return IncomingFile(self._incoming, self.file_name, self.content_type, file_size)

    def upload_interrupted(self) -> None:
        if isinstance(self._incoming, storage.Incoming):
            self._incoming.discard()

    @contextmanager
    def _failing_later(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.upload_interrupted()
            self._incoming = error
