"""A hot folder while shooting: each new file is sent as soon as it is whole."""

import time
from dataclasses import dataclass
from pathlib import Path

from .folder import File, is_being_written, listing
from .upload import Upload

_LOOK_EVERY = 1.0  # second
# A file that has not changed for so long is taken for whole; a camera's program writes without such a pause.
_STILL = 1.5
# One that could not be sent, or for which there was no room, is tried again after so long.
_ANEW = 120.0


@dataclass(slots=True)
class _Seen:
    """`first`: when the file came, None if it was there before we were; `since`: when it was last seen to change."""

    file: File
    first: float | None
    since: float
    handed: float | None = None


class Watch:
    """Tells which files of the folder are to be sent next. Times are of the monotonic clock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, _Seen] | None = None
        self.unfinished = 0

    def ready(self, now: float) -> dict[File, float | None]:
        """Files that are whole and were not given before as they are now, with the moment each came."""
        first_look, before = self._seen is None, self._seen or {}
        self._seen = {
            file.name: self._looked_at(file, before.get(file.name), None if first_look else now, now)
            for file in listing(self._folder).files
        }
        waiting = [each for each in self._seen.values() if each.handed is None]
        whole = [each for each in waiting if self._is_whole(each, now)]
        self.unfinished = len(waiting) - len(whole)
        for each in whole:
            each.handed = now
        return {each.file: each.first for each in whole}

    def forget(self, file: File) -> None:
        """It is to be given again, once it is whole."""
        if self._seen:
            self._seen.pop(file.name, None)

    @staticmethod
    def _looked_at(file: File, before: _Seen | None, first: float | None, now: float) -> _Seen:
        if before is None:
            return _Seen(file, first, now)
        if before.file == file:
            return before
        return _Seen(file, before.first if before.handed is None else now, now)

    @staticmethod
    def _is_whole(each: _Seen, now: float) -> bool:
        return each.file.size > 0 and now - each.since >= _STILL and not is_being_written(each.file.path)


def watch(folder: Path, upload: Upload) -> None:
    """Until somebody ends it. Raises what no file can be sent for: Refused."""
    found = Watch(folder)
    while not upload.site.stop.wait(_LOOK_EVERY):
        now = time.monotonic()
        for file in upload.take_changed() + upload.take_failed(before=now - _ANEW):
            found.forget(file)
        if ready := found.ready(now):
            upload.add(list(ready), {file: first for file, first in ready.items() if first})
        upload.unfinished = found.unfinished
    upload.wait()
