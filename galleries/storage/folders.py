"""The folder that holds bytes on this machine, and folders below it: of this user alone, and durable."""

import os
from contextlib import suppress
from pathlib import Path

from django.conf import settings


def root() -> Path:
    return Path(settings.PIXORA_DATA_DIR) / "media"


def make_folder(folder: Path) -> None:
    """With its parents, each 0700 and fsynced; `mkdir(parents=True)` would leave the parents open to others."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
