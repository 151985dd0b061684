"""What happens to a whole album: face search on and off, and its deletion."""

from django.db import transaction

import recognition
from galleries.errors import Refusal
from galleries.models import Album, EmbeddingBlock, Erasure, Face, LegalBasis, Photo, Selfie, User

from . import photo, selfie
from .doorbell import ring


@transaction.atomic
def switch_face_search(
    album: Album, on: bool, *, by: User | None = None, basis: str = "", attested: bool = False
) -> None:
    """On: record the legal basis and index what is there. Off: delete every vector and end every search.

    Raises Refusal legal_basis_required when switched on without one that is attested.
    """
    if on == album.face_search:
        return
    if on and (basis not in LegalBasis.Basis.values or not attested):
        detail = "Say on which legal basis faces may be searched, and attest it."
        raise Refusal("legal_basis_required", detail)
    album.face_search = on
    album.engine = recognition.engine().name if on else ""
    album.save(update_fields=["face_search", "engine"])
    if on:
        LegalBasis.objects.create(album=album, basis=basis, attested_by=by)
        hopeless = [Photo.State.REJECTED, Photo.State.QUARANTINED]
        album.photos.exclude(state__in=hopeless).update(wanted_engine=album.engine)
        ring(photo.work)
    else:
        forget_faces(album)


def forget_faces(album: Album) -> None:
    album.photos.update(wanted_engine="", face_count=0)
    Face.objects.filter(photo__album=album).delete()
    EmbeddingBlock.objects.filter(album=album).delete()
    selfie.end(Selfie.objects.filter(album=album))


@transaction.atomic
def delete(album: Album) -> None:
    """Delete the album, its photos, faces, links, searches and zips, and every stored file of it."""
    Erasure.order(key for each in album.photos.iterator() for key in each.stored_keys())
    Erasure.order(search.scratch_key for search in album.selfies.all())
    album.delete()
