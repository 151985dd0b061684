"""An erasure: stored files whose row is gone. Written with the deletion, struck off once the files are gone.

A process that dies between the commit and the deletion of the files leaves the erasure behind, and upkeep finishes it.
"""

from collections.abc import Iterable

from django.db import models, transaction

from galleries import storage


class Erasure(models.Model):
    keys = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{len(self.keys)} files"

    @classmethod
    def order(cls, keys: Iterable[str]) -> None:
        """To be called in the transaction that deletes the rows; the files go once it is committed."""
        if wanted := [key for key in keys if key]:
            erasure = cls.objects.create(keys=wanted)
            transaction.on_commit(erasure.carry_out, robust=True)

    def carry_out(self) -> None:
        storage.delete(self.keys)
        self.delete()
