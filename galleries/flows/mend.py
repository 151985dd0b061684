"""What `verify` found, mended as far as anybody but the owner can. Nothing is thrown away that may be somebody's photo.

Every repair looks once more, with the row locked, whether it is still wanted; so that done twice it changes nothing.
"""

import logging
import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction

from galleries import storage
from galleries.models import Album, Archive, Arrival, EmbeddingBlock, Erasure, Face, Photo, Selfie

from . import lost, photo, quota, soundness, verify
from .doorbell import ring
from .upkeep import INCOMING_SECONDS, erase_scratch
from .verify import Finding, Kind

logger = logging.getLogger(__name__)


def mend(finding: Finding) -> bool:
    """False: what is left to do is the owner's, it is no longer as it was found, or it failed, which the log tells."""
    repair = _REPAIRS.get(finding.kind)
    try:
        return repair(finding) if repair else False
    except Exception:
        logger.exception("%s of %s could not be mended.", finding.kind, finding.row or finding.key)
        return False


def lost_and_found() -> Path:
    """Today's folder for orphans. It is outside the storage: nothing in it is ever served, or taken for an orphan."""
    return Path(settings.PIXORA_DATA_DIR) / "lost+found" / date.today().isoformat()  # noqa: DTZ011 -- a folder's name


def _take_up(finding: Finding) -> bool:
    """Renditions are made again by a worker, from an original that is read whole before."""
    found = Photo.objects.filter(pk=finding.row).first()
    if found is None or not soundness.has_sound_original(found):
        return False
    if found.state not in (Photo.State.READY, Photo.State.QUARANTINED):
        return True
    ring(photo.work)
    return lost.take_up(found)


def _ask_for_it(finding: Finding) -> bool:
    """The owner is told, and only they can mend it; a file that was no photo anyhow is not missed.

    Read once more: hours may have passed, in which a disk came back or the owner sent it.
    """
    found = Photo.objects.filter(pk=finding.row).first()
    fault = soundness.original_fault(found) if found else None
    if found and fault and fault.what in _CODES:
        lost.mark(found, _CODES[fault.what])
    return not Photo.objects.filter(pk=finding.row, original_key=finding.key).exists()


_CODES = {"missing": lost.LOST, "altered": lost.ALTERED}


def _set_aside(finding: Finding) -> bool:
    """Copied, then deleted: the storage may be elsewhere than the folder."""
    there = [each for each in storage.walk(finding.key) if each.key == finding.key]
    if not verify.strangers(there):
        return False
    target = lost_and_found() / finding.key
    with storage.receive(storage.open_range(finding.key, 0, there[0].size), limit=there[0].size) as received:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The media may have a disk of their own. On this one, before it is deleted there.
        shutil.copy(received.path, target)
        os.sync()
    storage.delete([finding.key])
    return True


def _erase_scratch(finding: Finding) -> bool:
    """A guest's picture is not kept, not even aside."""
    erase_scratch()
    return not storage.exists(finding.key)


def _erase_incoming(finding: Finding) -> bool:
    return bool(storage.sweep_incoming(INCOMING_SECONDS))


def _carry_out(finding: Finding) -> bool:
    for erasure in Erasure.objects.filter(pk=finding.row):
        erasure.carry_out()
    return True


def _erase_arrival(finding: Finding) -> bool:
    for arrival in Arrival.objects.filter(pk=finding.row):
        arrival.erase()
    return True


@transaction.atomic
def _look_for_faces(finding: Finding) -> bool:
    """Anew, by a worker, where the album is searched; what guests said of the photo is kept. Elsewhere: forget them."""
    album = Album.objects.locked().filter(photos=UUID(finding.row)).first()
    found = Photo.objects.select_for_update().filter(pk=finding.row).first()
    if album is None or found is None:
        return False
    is_searched = album.face_search and album.deleted_at is None
    for rows in (Face.objects.filter(photo=found), EmbeddingBlock.objects.filter(photo=found)):
        (rows.filter(engine=finding.detail) if is_searched else rows).delete()
    if is_searched and finding.detail in (album.engine, album.next_engine):
        Photo.objects.filter(pk=found.pk, state=Photo.State.READY).update(wanted_engine=finding.detail)
        ring(photo.work)
    return True


@transaction.atomic
def _count_faces(finding: Finding) -> bool:
    found = Photo.objects.select_for_update(of=["self"]).select_related("album").filter(pk=finding.row).first()
    if found is None:
        return False
    answering = EmbeddingBlock.objects.filter(photo=found, engine=found.album.engine).first()
    Photo.objects.filter(pk=found.pk).update(face_count=answering.count if answering else 0)
    return True


def _stop_following(finding: Finding) -> bool:
    """The search keeps its result; its guest takes another selfie to be shown later photos."""
    return bool(Selfie.objects.filter(pk=UUID(finding.row)).update(vectors=None, wanted=False))


def _drop_archive(finding: Finding) -> bool:
    """A new one is a click."""
    return bool(Archive.objects.filter(pk=UUID(finding.row)).delete()[0])


def _recount(finding: Finding) -> bool:
    return quota.recount(int(finding.row))


_REPAIRS: dict[Kind, Callable[[Finding], bool]] = {
    Kind.ORIGINAL_MISSING: _ask_for_it,
    Kind.ORIGINAL_ALTERED: _ask_for_it,
    Kind.ORIGINAL_FOUND: _take_up,
    Kind.PREVIEW_MISSING: _take_up,
    Kind.PREVIEW_ALTERED: _take_up,
    Kind.THUMB_MISSING: _take_up,
    Kind.THUMB_ALTERED: _take_up,
    Kind.STRIPPED_WRONG: _take_up,
    Kind.ORPHAN: _set_aside,
    Kind.SCRATCH_LEFT: _erase_scratch,
    Kind.TEMPORARY_LEFT: _erase_incoming,
    Kind.ERASURE_LEFT: _carry_out,
    Kind.ARRIVAL_LEFT: _erase_arrival,
    Kind.VECTORS_WRONG: _look_for_faces,
    Kind.FACES_CONTRADICT: _look_for_faces,
    Kind.FACES_UNWANTED: _look_for_faces,
    Kind.FACES_MISSING: _look_for_faces,
    Kind.FACE_COUNT_WRONG: _count_faces,
    Kind.SEARCH_WRONG: _stop_following,
    Kind.ARCHIVE_WRONG: _drop_archive,
    Kind.USAGE_WRONG: _recount,
}
