"""The people of an album, for its photographer: whose faces are whose, and what they are called.

There are none unless the owner wants them: `Grouping` is the row that says so, and the queue of the worker that makes
them. Where a person is seen is kept by the face's box, so that it outlives the engine that saw it.
"""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .album import Album
from .lease import Leased, LeaseQuerySet, is_free
from .photo import Photo

# Above the hard limit of the task, so that a worker is dead before its lease is.
LEASE_SECONDS = 330
# Faces of a person that nobody has said anything of; fewer are somebody who walked by.
FEWEST_PHOTOS = 2


class GroupingQuerySet(LeaseQuerySet["Grouping"]):
    def due(self) -> Self:
        # Not by a join, or all albums are read to find the few that are wanted.
        present = Album.objects.present().filter(pk=OuterRef("album"))
        return self.filter(is_free(), Exists(present), wanted_at__lte=Now())

    def claim(self) -> "Grouping | None":
        """The one that has waited longest."""
        return self.filter(wanted_at__lte=Now()).claim_first(self.due().order_by("wanted_at"), LEASE_SECONDS)

    def locked(self) -> Self:
        """After the album, before its photos; whoever changes its people holds it."""
        return self.select_for_update(no_key=True, of=("self",))


class Grouping(Leased):
    """The owner wants to see the people of this album. Without this row there are none."""

    album = models.OneToOneField(Album, on_delete=models.CASCADE, related_name="grouping", primary_key=True)
    switched_on_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    switched_on_at = models.DateTimeField(auto_now_add=True)
    # When there is something to do: faces came or went, or somebody said who is who. Null: nothing.
    wanted_at = models.DateTimeField(null=True, db_index=True)
    grouped_at = models.DateTimeField(null=True)

    objects = GroupingQuerySet.as_manager()

    def __str__(self) -> str:
        return f"people of {self.album_id}"


class PersonQuerySet(models.QuerySet["Person"]):
    def counted(self) -> Self:
        """With the number of photos that each is seen in, as they are right now; the most first."""
        count = Count("sightings", filter=~Q(sightings__said=Sighting.Said.NOT))
        return self.annotate(photo_count=count).order_by("-photo_count", "pk")

    def listed(self) -> Self:
        """Those worth a look: seen often enough, or given a name."""
        return self.counted().filter(Q(photo_count__gte=FEWEST_PHOTOS) | ~Q(name=""))


class Person(models.Model):
    """Somebody in an album, whom the photographer may give a name. Guests never hear of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    album = models.ForeignKey(Album, on_delete=models.CASCADE, related_name="people")
    name = models.CharField(_("name"), max_length=80, blank=True, default="")
    hidden = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    sightings: "SightingQuerySet"
    objects = PersonQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return f"person {self.pk}"

    @property
    def photos(self) -> Q:
        """Which of the album's photos they are seen in."""
        return Q(pk__in=self.sightings.there().values("photo"))


class SightingQuerySet(models.QuerySet["Sighting"]):
    def there(self) -> Self:
        """Without those of which somebody has said that it is not this person."""
        return self.exclude(said=Sighting.Said.NOT)


class Sighting(models.Model):
    """A face of a photo is this person's, or is not: as the engine has it, or as somebody has said.

    What was said stays when the faces are grouped anew. Nobody is in a photo twice.
    """

    class Said(models.TextChoices):
        NOTHING = "", _("found")
        IS = "is", _("is this person")
        NOT = "not", _("is not this person")

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="sightings")
    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="sightings")
    x = models.FloatField()
    y = models.FloatField()
    width = models.FloatField()
    height = models.FloatField()
    said = models.CharField(max_length=3, choices=Said.choices, blank=True, default=Said.NOTHING)
    # How well the face shows who it is: the best one stands for the person.
    quality = models.FloatField(default=0)

    objects = SightingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "photo"], condition=~Q(said="not"), name="sighting_once_in_a_photo"
            ),
            models.CheckConstraint(condition=Q(said__in=["", "is", "not"]), name="sighting_said_is_known"),
        ]
        indexes = [models.Index(fields=["person", "said", "photo"], name="sighting_of_person")]

    def __str__(self) -> str:
        return f"{self.person_id} in {self.photo_id}"
