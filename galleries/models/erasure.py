"""Stored files whose row is gone, and those whose row is not there yet.

At every moment a stored file has its row, its arrival or its erasure, whatever died when; so what has none of the three
is an orphan, and what a crash left is known without looking through the storage.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models, transaction
from django.db.models.functions import Now

from galleries import storage

from .lease import from_now

if TYPE_CHECKING:
    from .photo import Photo

# Longer than any lease: a worker that held a photo when it was deleted may write its renditions until then.
_LATE_SECONDS = 60


class Erasure(models.Model):
    """Files to be deleted. Written with the deletion of their row, struck off once the files are gone.

    A process that dies between the commit and the deletion of the files leaves the erasure behind, and upkeep finishes
    it.
    """

    keys = models.JSONField()
    # The album or search that is erased as a whole, and is no row any more: gone with the last of its erasures.
    subject = models.UUIDField(null=True, editable=False, db_index=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"{len(self.keys)} files"

    @classmethod
    def order(cls, keys: Iterable[str], subject: UUID | None = None) -> None:
        """To be called in the transaction that deletes the rows; the files go once it is committed."""
        if wanted := [key for key in keys if key]:
            erasure = cls.objects.create(keys=wanted, subject=subject)
            transaction.on_commit(erasure.carry_out, robust=True)

    @classmethod
    def order_of_photos(cls, photos: "Iterable[Photo]", subject: UUID | None = None) -> None:
        """The same for the files of photos. Renditions of those in work are erased by upkeep once more, later."""
        doomed = list(photos)
        cls.order((key for photo in doomed for key in photo.stored_keys()), subject)
        if late := [key for photo in doomed if photo.fence for key in (photo.thumb_key, photo.preview_key)]:
            cls.objects.create(keys=late, subject=subject, created_at=from_now(_LATE_SECONDS))

    def carry_out(self) -> None:
        storage.delete(self.keys)
        self.delete()


class Arrival(models.Model):
    """A file that is about to be stored, and whose row is still to come.

    Committed before the file has its key, and struck off in the transaction that makes the row. One that is left says
    that no such transaction was committed: upkeep erases it, and the file.
    """

    key = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.key

    @classmethod
    def strike_off(cls, key: str) -> bool:
        """In the transaction that makes the row. False: it took so long that the file has been erased."""
        return bool(cls.objects.filter(key=key).delete()[0])

    @classmethod
    def give_up(cls, key: str) -> None:
        """No row will come. Whatever became of the arrival: its file may have been stored after it was erased."""
        with transaction.atomic():
            cls.strike_off(key)
            Erasure.order([key])

    @transaction.atomic
    def erase(self) -> None:
        """Unless its row has come meanwhile. Locked, so that none comes while the file is deleted."""
        if Arrival.objects.select_for_update().filter(pk=self.pk).first():
            storage.delete([self.key])
            self.delete()
