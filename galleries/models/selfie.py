"""A selfie: a guest's consent, their search, and its matches. The row is the grant by which they see their photos."""

import uuid
from typing import Self

import numpy as np
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, When
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from recognition.types import Vectors

from .album import Album
from .lease import Leased, LeaseQuerySet, from_now, is_free
from .literal import Literal
from .photo import Photo, is_shown
from .sharing import Guest, Link, Visit, open_link
from .sought import SoughtPerson

LEASE_SECONDS = 20
MAX_ATTEMPTS = 5
CONSENT_VERSION = "2026-11-22"


_QUEUED, _WORKING, _DONE, _EXPIRED, _NOWHERE = map(Literal, ("queued", "working", "done", "expired", ""))
_WAITING = Q(state__in=[_QUEUED, _WORKING])
_WANTS_WORK = _WAITING | Q(state=_DONE, wanted=True)
_HAS_ADDRESS = Q(email__gt=_NOWHERE)
_IS_OVER = Q(state=_EXPIRED)


class SelfieQuerySet(LeaseQuerySet["Selfie"]):
    def waiting(self) -> Self:
        """Those whose guests have no answer yet."""
        return self.filter(_WAITING)

    def due(self) -> Self:
        return self.filter(_WANTS_WORK).filter(is_free())

    def claim(self) -> "Selfie | None":
        """A guest who waits comes before one whose result is to be brought up to date; and albums take turns."""
        waits_for_nothing = Case(When(state=Selfie.State.DONE, then=1), default=0)
        turn = F("album__searched_at").asc(nulls_first=True)
        candidates = self.due().order_by(waits_for_nothing, turn, "created_at", "pk")
        selfie = self.filter(_WANTS_WORK).claim_first(candidates, LEASE_SECONDS)
        if selfie:
            Album.objects.filter(pk=selfie.album_id).update(searched_at=Now())
        return selfie

    def granting(self) -> Self:
        """Those that still open photos: not run out, by an open link, and the guest let in by it."""
        let_in = Visit.objects.filter(guest=OuterRef("guest"), link=OuterRef("link"), unlocked=True)
        return self.filter(open_link("link__"), Exists(let_in), expires_at__gt=Now())

    def overdue(self) -> Self:
        """Those that have run out and are to be ended."""
        return self.filter(~_IS_OVER, expires_at__lt=Now())

    def ended(self, days: int) -> Self:
        """Those that were ended so many days ago."""
        return self.filter(_IS_OVER, expires_at__lt=from_now(-days * 24 * 3600))

    def watching(self, album_id: uuid.UUID, engine: str) -> Self:
        """Those whose guests asked to be shown later photos of the album."""
        return self.filter(album=album_id, engine=engine, state=Selfie.State.DONE, vectors__isnull=False)

    def mail_due(self) -> Self:
        """Those whose address is to be asked, and those with photos that their guests have had no mail of."""
        own = Match.objects.certain().filter(is_shown("photo__"), selfie=OuterRef("pk"))
        fresh = own.filter(found_at__gt=OuterRef("email_told_at"))
        named = Selfie.objects.filter(_HAS_ADDRESS)
        news = Q(email_told_at__isnull=True) | Q(Exists(fresh), email_confirmed_at__isnull=False)
        # Of the few, by a query of its own: SQLite would begin with all the albums.
        few = named.filter(state=Selfie.State.DONE).order_by().values("pk")
        return self.granting().rested().filter(news, pk__in=few)

    def rested(self) -> Self:
        """Those that were sent no mail lately."""
        return self.filter(Q(email_rest_until__isnull=True) | Q(email_rest_until__lt=Now()))


class Selfie(Leased):
    class State(models.TextChoices):
        QUEUED = "queued", _("waiting")
        WORKING = "working", _("searching")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        EXPIRED = "expired", _("expired")

    WAITING = (State.QUEUED, State.WORKING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    album = models.ForeignKey(Album, on_delete=models.CASCADE, related_name="selfies")
    link = models.ForeignKey(Link, on_delete=models.CASCADE, related_name="selfies")
    guest = models.ForeignKey(Guest, on_delete=models.CASCADE, related_name="selfies")
    # Whom it shows, once it was found to be somebody whom this guest may search for.
    person = models.ForeignKey(
        SoughtPerson, null=True, on_delete=models.SET_NULL, related_name="searches", editable=False
    )
    consented_at = models.DateTimeField(auto_now_add=True)
    consent_version = models.CharField(max_length=20, default=CONSENT_VERSION)
    keep_me_posted = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    code = models.CharField(max_length=40, blank=True, default="")
    # Set when faces came that may be this guest's: search again with the kept vectors.
    wanted = models.BooleanField(default=False, editable=False)
    engine = models.CharField(max_length=64, blank=True, default="")
    # `<f4`; kept only on the guest's wish.
    vectors = models.BinaryField(null=True, editable=False)
    scanned = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)

    # Where new photos are told of by mail, once its owner has confirmed it; "" for nowhere.
    email = models.EmailField(blank=True, default="", editable=False)
    # That of the page on which it was given; a worker knows no reader.
    email_language = models.CharField(max_length=10, default="en", editable=False)
    email_confirmed_at = models.DateTimeField(null=True, editable=False)
    # The time up to which mail has told of photos; null until the address was asked to confirm.
    email_told_at = models.DateTimeField(null=True, editable=False)
    email_rest_until = models.DateTimeField(null=True, editable=False)

    objects = SelfieQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["album", "state"], name="selfie_of_album"),
            models.Index(fields=["created_at"], condition=_WANTS_WORK, name="selfie_wanting_work"),
            models.Index(fields=["finished_at"], name="selfie_finished"),
            models.Index(fields=["email"], condition=_HAS_ADDRESS, name="selfie_with_address"),
            models.Index(fields=["expires_at"], condition=~_IS_OVER, name="selfie_running_out"),
            models.Index(fields=["expires_at"], condition=_IS_OVER, name="selfie_ended"),
        ]

    def __str__(self) -> str:
        return f"search {self.pk}"

    @property
    def state_now(self) -> "Selfie.State":
        """Its photos are shut the moment it runs out, which is before upkeep has noticed."""
        return Selfie.State(self.state) if self.expires_at > timezone.now() else Selfie.State.EXPIRED

    @property
    def kept_vectors(self) -> Vectors:
        """The selfie's vector and the average of the last search, (2, dimension)."""
        return np.frombuffer(bytes(self.vectors or b""), dtype="<f4").reshape(2, -1)

    @property
    def scratch_key(self) -> str:
        return f"selfies/{self.pk}"


def certain(prefix: str = "") -> Q:
    """Sure ones, and those the guest confirmed: whole photos. The others are previews.

    `prefix` reaches the match from another model; said without a negation, which would ask of all matches there.
    """
    return Q(**{f"{prefix}verdict": "", f"{prefix}tier": "sure"}) | Q(**{f"{prefix}verdict": "me"})


CERTAIN = certain()


class MatchQuerySet(models.QuerySet["Match"]):
    def in_result(self) -> Self:
        return self.exclude(verdict=Match.Verdict.NOT_ME)

    def certain(self) -> Self:
        return self.filter(CERTAIN)


class Match(models.Model):
    """A photo in a search's result. A verdict stays when the search is run again, and steers it by the face's box."""

    class Tier(models.TextChoices):
        SURE = "sure", _("sure")
        MAYBE = "maybe", _("maybe")

    class Verdict(models.TextChoices):
        ME = "me", _("that's me")
        NOT_ME = "not_me", _("not me")

    selfie = models.ForeignKey(Selfie, on_delete=models.CASCADE, related_name="matches")
    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="matches")
    tier = models.CharField(max_length=5, choices=Tier.choices)
    distance = models.FloatField()
    verdict = models.CharField(max_length=6, choices=Verdict.choices, blank=True, default="")
    # When this search first had the photo, however often it was run again.
    found_at = models.DateTimeField(db_default=Now(), editable=False)
    x = models.FloatField()
    y = models.FloatField()
    width = models.FloatField()
    height = models.FloatField()

    objects = MatchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "matches"
        constraints = [models.UniqueConstraint(fields=["selfie", "photo"], name="match_once")]

    def __str__(self) -> str:
        return f"{self.tier} match"

    @property
    def box(self) -> str:
        """Where the face is, as a page's script reads it."""
        return ",".join(f"{edge:.4f}" for edge in (self.x, self.y, self.width, self.height))

    @property
    def shown_tier(self) -> str:
        return Match.Tier.SURE if self.verdict == Match.Verdict.ME else self.tier
