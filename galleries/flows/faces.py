"""What an engine saw in a photo, as rows. Called in the transaction that says so of the photo."""

from uuid import UUID

import numpy as np

import recognition
from galleries.models import EmbeddingBlock, Face, Photo


def replace(photo: Photo, engine: str, faces: list[recognition.Face]) -> None:
    Face.objects.filter(photo=photo, engine=engine).delete()
    # A block's id stands for its vectors: search_index.py knows by it what it has read.
    EmbeddingBlock.objects.filter(photo=photo, engine=engine).delete()
    Face.objects.bulk_create(
        Face(
            photo=photo,
            engine=engine,
            ordinal=ordinal,
            x=face.box.x,
            y=face.box.y,
            width=face.box.width,
            height=face.box.height,
            score=face.score,
            weak=face.weak,
        )
        for ordinal, face in enumerate(faces)
    )
    EmbeddingBlock.objects.create(
        photo=photo,
        album_id=photo.album_id,
        engine=engine,
        count=len(faces),
        vectors=b"".join(np.ascontiguousarray(face.embedding, dtype="<f4").tobytes() for face in faces),
        weak=bytes(face.weak for face in faces),
    )
    Photo.objects.filter(pk=photo.pk).update(face_count=len(faces))


def forget(photo: Photo) -> None:
    """What every engine saw in it."""
    forget_all([photo.pk])


def forget_all(photos: list[UUID]) -> None:
    Face.objects.filter(photo__in=photos).delete()
    EmbeddingBlock.objects.filter(photo__in=photos).delete()
