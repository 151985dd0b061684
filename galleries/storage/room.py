"""How much this machine's disk still takes: one rule for uploads, for workers and for /readyz."""

import errno
import logging
import os
import shutil
from pathlib import Path

from django.conf import settings

from .folders import root

logger = logging.getLogger(__name__)


def free_bytes() -> int:
    """What the disk of the data folder has left; the fuller of two, where its media lie on one of their own."""
    places = [place for place in (Path(settings.PIXORA_DATA_DIR), root()) if place.exists()]
    return min(shutil.disk_usage(place).free for place in places)


def has_room(part: float = 1.0) -> bool:
    """Whether that part of PIXORA_MIN_FREE_BYTES is free. Uploads end at the whole of it, renditions of what arrived at
    half of it, so that a database on the same disk can always write.
    """
    free, wanted = free_bytes(), settings.PIXORA_MIN_FREE_BYTES * part
    if free < wanted:
        logger.warning("%d MB are free, fewer than the %d MB wanted.", free // 1_000_000, wanted // 1_000_000)
    return free >= wanted


def require_room() -> None:
    """Raises OSError ENOSPC, as a full disk would, where there is no room for uploads."""
    if not has_room():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
