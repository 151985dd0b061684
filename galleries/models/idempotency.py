"""An answer kept for a day, so that a request that is sent once more under the same key does nothing twice.

Found by a hash of who asked, for what, and under which key; the answer, which may hold a link's token or a guest's key,
is sealed. Of the body it knows a hash that says nothing without the key: nobody tells by it whose selfie was sent.
"""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from .lease import Leased, LeaseQuerySet, from_now, is_free
from .sharing import Guest
from .vault import seal, unseal

KEPT_HOURS = 24
# Longer than anything takes that is done once its body is here; whoever does it is dead after that.
_LEASE_SECONDS = 300
_SEALED_ANSWERS = b"pixora idempotent answers"


class IdempotencyKeyQuerySet(LeaseQuerySet["IdempotencyKey"]):
    def over(self) -> Self:
        return self.filter(created_at__lt=from_now(-KEPT_HOURS * 3600))


class IdempotencyKey(Leased):
    """`fence` is set while a request is at it; `status` and the answer once it was done."""

    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    fingerprint = models.CharField(max_length=64, editable=False)
    # Whose it is, so that it goes with them.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    guest = models.ForeignKey(Guest, null=True, on_delete=models.CASCADE, related_name="+")
    status = models.PositiveSmallIntegerField(null=True, editable=False)
    answer_sealed = models.BinaryField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), db_index=True, editable=False)

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__isnull=True, answer_sealed__isnull=True)
                | Q(status__isnull=False, answer_sealed__isnull=False),
                name="idempotency_key_has_status_and_answer",
            )
        ]

    def __str__(self) -> str:
        return f"request {self.pk}, {self.status or 'not answered'}"

    @classmethod
    def take(cls, key_hash: str, fingerprint: str, **whose: Any) -> "IdempotencyKey | None":
        """The right to do what is asked, which one of any crowd gets; None: it was done, or somebody is at it."""
        row = IdempotencyKey(key_hash=key_hash, fingerprint=fingerprint, **whose)
        IdempotencyKey.objects.bulk_create([row], ignore_conflicts=True)
        free = IdempotencyKey.objects.filter(is_free(), key_hash=key_hash, fingerprint=fingerprint, status=None)
        return free.claim_first(free, _LEASE_SECONDS)

    def keep(self, status: int, answer: str) -> None:
        IdempotencyKey.objects.release(self, status=status, answer_sealed=seal(answer, _SEALED_ANSWERS))

    def forget(self) -> None:
        """Nothing was done: the key is free again."""
        IdempotencyKey.objects.held(self).delete()

    @property
    def answer(self) -> str:
        return unseal(bytes(self.answer_sealed or b""), _SEALED_ANSWERS)
