"""Our side: everything here runs in a process with a database and a data folder of its own.

Heavy work is Pixora's own code, called as its workers call it; times are wall-clock seconds.
"""

import itertools
import uuid
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management import call_command
from numpy.typing import NDArray
from zlib_ng.zlib_ng import crc32 as quick_crc32

import recognition
from galleries import images, stripping
from galleries.access import Viewer
from galleries.flows import photo as photo_flow
from galleries.flows import search_index
from galleries.flows import selfie as selfie_flow
from galleries.models import Album, EmbeddingBlock, Face, Link, Photo, User
from recognition import registry
from recognition.types import Vector, Vectors

from .sides import seconds_of

FACES_A_PHOTO = 4
OWNER = "bench@example.org"
# So many faces are the searched person's, near enough that each round of a search finds more of them.
_OF_THE_PERSON = 40
_NAMES = itertools.count()


def prepare() -> None:
    call_command("migrate", verbosity=0)
    User.objects.create_user(OWNER)
    load()


def load() -> None:
    recognition.load()


def new_album() -> Album:
    owner, engine = User.objects.get(email=OWNER), recognition.engine().name
    return Album.objects.create(owner=owner, title=f"Bench {next(_NAMES)}", face_search=True, engine=engine)


def upload(path: Path) -> None:
    photo_flow.receive(new_album(), path.name, "", [path.read_bytes()])


def work() -> float:
    """What a worker does for one photo: claim, read, decode once, renditions, faces, rows."""
    return seconds_of(photo_flow.work)


def work_off() -> float:
    """One worker's part of all that is due."""

    def until_done() -> None:
        while Photo.objects.due().exists():
            photo_flow.work()

    return seconds_of(until_done)


def require_ready() -> None:
    if unfinished := Photo.objects.exclude(state=Photo.State.READY).first():
        raise RuntimeError(f"{unfinished.name} came out as {unfinished.state} {unfinished.detail}")


def ingest(path: Path) -> float:
    upload(path)
    taken = work()
    require_ready()
    return taken


def ingest_limit(path: Path) -> float:
    """The bare sum for the same photo: the decoder, both JPEG encoders and the runs of both nets, each alone."""
    pixels = images.decode(path, images.DECODE_EDGE).pixels
    renditions = [images.decode(path, edge).pixels for edge in (images.THUMB_EDGE, images.PREVIEW_EDGE)]
    kernels = _kernels(pixels)
    return (
        seconds_of(lambda: images.decode(path, images.DECODE_EDGE))
        + sum(seconds_of(partial(images.encode, each)) for each in renditions)
        + sum(seconds_of(partial(session.run, None, inputs)) for session, inputs in kernels)
    )


def decode(path: Path) -> float:
    return seconds_of(lambda: images.decode(path, images.DECODE_EDGE))


def strip(path: Path) -> float:
    return seconds_of(lambda: stripping.strip(path))


def add_up(path: Path) -> float:
    """A photo's bytes read and their CRC-32, which no stripping can do without."""
    return seconds_of(lambda: quick_crc32(path.read_bytes()))


@dataclass
class _Recorded:
    """An ONNX Runtime session that remembers what it was run on."""

    session: Any
    runs: list[tuple[Any, dict[str, NDArray[Any]]]] = field(default_factory=list)

    def run(self, names: Any, inputs: dict[str, NDArray[Any]]) -> Any:
        self.runs.append((self.session, inputs))
        return self.session.run(names, inputs)


def _kernels(pixels: recognition.Pixels) -> list[tuple[Any, dict[str, NDArray[Any]]]]:
    """Sessions and the inputs that the worker gives them for this photo."""
    engine = recognition.engine()
    detector, model = registry.detector(engine.detector), registry.model(engine.model)
    before = detector.session, model.model
    detector.session, model.model = recorded = _Recorded(detector.session), _Recorded(model.model)
    recognition.find_faces(pixels)
    detector.session, model.model = before
    return [run for each in recorded for run in each.runs]


class _Counted(np.ndarray):
    """A matrix that counts how many of its rows were multiplied with a vector."""

    products = 0

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [np.asarray(each) if isinstance(each, _Counted) else each for each in inputs]
        result = getattr(ufunc, method)(*plain, **options)
        if ufunc is np.matmul:
            _Counted.products += np.size(result)
        return result


def fill(faces: int, path: Path | None = None) -> uuid.UUID:
    """Make an album of so many random faces, with those of one person among them: the selfie's, if one is given."""
    album = new_album()
    vectors = _unit(np.random.default_rng(1).standard_normal((faces, recognition.engine().dimension)))
    person = vectors[0] if path is None else _embedded(path)
    spread = np.linspace(0.15, 0.5, min(_OF_THE_PERSON, faces))[:, None]
    vectors[: len(spread)] = _unit(person + spread * vectors[: len(spread)])
    for start in range(0, faces, 1000 * FACES_A_PHOTO):
        _store(album, vectors[start : start + 1000 * FACES_A_PHOTO])
    return album.pk


def _embedded(path: Path) -> Vector:
    return recognition.embed_selfie(images.decode(path, images.DECODE_EDGE).pixels).embedding


def _store(album: Album, vectors: Vectors) -> None:
    blocks = [vectors[start : start + FACES_A_PHOTO] for start in range(0, len(vectors), FACES_A_PHOTO)]
    facts = {"album": album, "size": 1, "crc32": 0, "state": Photo.State.READY, "width": 1600, "height": 1067}
    photos = [Photo(name=f"{next(_NAMES)}.jpg", sha256=uuid.uuid4().hex * 2, **facts) for _ in blocks]
    Photo.objects.bulk_create(photos, batch_size=500)
    engine = album.engine
    EmbeddingBlock.objects.bulk_create(
        EmbeddingBlock(
            photo=photo, album=album, engine=engine, count=len(block), vectors=block.tobytes(), weak=bytes(len(block))
        )
        for photo, block in zip(photos, blocks, strict=True)
    )
    box = {"x": 0.4, "y": 0.4, "width": 0.1, "height": 0.15, "score": 0.9}
    Face.objects.bulk_create(
        (
            Face(photo=photo, engine=engine, ordinal=ordinal, **box)
            for photo, block in zip(photos, blocks, strict=True)
            for ordinal in range(len(block))
        ),
        batch_size=500,
    )


def first_search(album: uuid.UUID) -> float:
    """As after a restart: the vectors are read from the database."""
    search_index.forget()
    return match(album)


def match(album: uuid.UUID) -> float:
    """One search for a known vector: the check that the memory is what is stored, and all rounds."""
    engine, found = recognition.engine(), Album.objects.get(pk=album)

    def search() -> None:
        index = search_index.of(found, engine)
        recognition.match(index.vectors[0], index.vectors, weak=index.weak)

    return seconds_of(search)


def products(album: uuid.UUID) -> float:
    """As many bare products of all vectors with one as the search makes."""
    index = search_index.of(Album.objects.get(pk=album), recognition.engine())
    vectors, query = index.vectors, index.vectors[0]
    _Counted.products = 0
    recognition.match(query, vectors.view(_Counted), weak=index.weak)
    rounds = round(_Counted.products / len(vectors))
    return seconds_of(lambda: [vectors @ query for _ in range(rounds)])


def search(album: uuid.UUID, path: Path) -> float:
    """What a worker does for one selfie: claim, decode, embed, search, rows."""
    link = Link.make(Album.objects.get(pk=album))
    selfie, _ = selfie_flow.receive(link, Viewer(), [path.read_bytes()], consent=True, keep_me_posted=False)
    taken = seconds_of(selfie_flow.work)
    if not selfie.matches.exists():
        raise RuntimeError("The search found nothing.")
    return taken


def vectors_of(album: uuid.UUID) -> Vectors:
    return search_index.of(Album.objects.get(pk=album), recognition.engine()).vectors.copy()


def _unit(vectors: NDArray[Any]) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("<f4")
