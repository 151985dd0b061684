"""Photos that an administrator sets aside by hand: out of everybody's sight but the album's own people's."""

from django.db import transaction
from django.utils.translation import gettext_noop

from galleries.models import Photo
from galleries.models.deed import Verb
from galleries.models.photo import PhotoQuerySet

from . import deed, faces

CODE = "held_back"
_WORDS = gettext_noop("An administrator has set this photo aside. Ask them about it.")


@transaction.atomic
def set_aside(photos: PhotoQuerySet) -> int:
    """Quarantine photos, with no faces, until an administrator takes them up again. Returns how many.

    A worker at one of them finds its lease gone.
    """
    wanted = photos.exclude(state__in=[Photo.State.REJECTED, Photo.State.QUARANTINED])
    chosen = list(wanted.select_for_update(of=("self",)).order_by("pk").values_list("pk", "album"))
    ids = [photo for photo, _ in chosen]
    changes = {"state": Photo.State.QUARANTINED, "code": CODE, "detail": _WORDS, "wanted_engine": ""}
    Photo.objects.filter(pk__in=ids).update(**changes, face_count=0, fence=None, lease_until=None)
    faces.forget_all(ids)
    deed.record_photos(Verb.PHOTOS_SET_ASIDE, chosen)
    return len(chosen)
