"""The engine without the site: who of SELFIES is in which photo of PHOTOS."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import recognition
from galleries import images

# A further process takes about 2 s to start, which is what 10 photos take.
PHOTOS_PER_PROCESS = 20

PROGRESS_COLUMNS = TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()

SELFIE_REASONS: dict[recognition.RejectionCode, str] = {
    "no_face": "There is no face in this selfie.",
    "several_faces": "There are several faces in this selfie, and none of them is clearly the one meant.",
    "face_too_small": "The face in this selfie is too small.",
    "face_blurred": "The face in this selfie is too blurred.",
}


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo that could be read, with its faces, the largest first. Sizes are those of the upright original."""

    width: int
    height: int
    faces: list[recognition.Face]


@dataclass(frozen=True, slots=True)
class Match:
    """The nearest face of one photo."""

    photo: str
    tier: recognition.Tier
    distance: float


@dataclass(frozen=True, slots=True)
class Rows:
    """All faces of a folder in rows: the photo and the face of each, `vectors` (n, d), `weak` (n,), `photos` (n,)."""

    names: list[str]
    faces: list[recognition.Face]
    vectors: recognition.Vectors
    weak: NDArray[np.bool_]
    photos: NDArray[np.intp]

    @classmethod
    def of(cls, photos: dict[str, Photo]) -> "Rows":
        faces = [face for photo in photos.values() for face in photo.faces]
        vectors = np.array([face.embedding for face in faces], dtype="<f4")
        return cls(
            names=[name for name, photo in photos.items() for _ in photo.faces],
            faces=faces,
            vectors=vectors.reshape(len(faces), recognition.engine().dimension),
            weak=np.array([face.weak for face in faces], dtype=bool),
            photos=np.repeat(np.arange(len(photos)), [len(photo.faces) for photo in photos.values()]),
        )

    def search(
        self, selfie: recognition.Face, confirmed: Sequence[int] = (), refused: Sequence[int] = ()
    ) -> recognition.SearchResult:
        return recognition.match(
            selfie.embedding,
            self.vectors,
            weak=self.weak,
            photos=self.photos,
            confirmed=confirmed,
            refused=refused,
        )

    def matches(self, result: recognition.SearchResult) -> list[Match]:
        """Give the nearest hit of each photo. Hits come nearest first, and so do the matches."""
        nearest: dict[str, Match] = {}
        for hit in result.hits:
            photo = self.names[hit.row]
            nearest.setdefault(photo, Match(photo, hit.tier, hit.distance))
        return list(nearest.values())


@dataclass(slots=True)
class FolderSearch:
    """`photos` by their path below the folder and their faces in `rows`; `selfies`, what their searches gave and the
    `matches` by the selfie's stem; `skipped` files with their reasons.
    """

    photos: dict[str, Photo]
    rows: Rows
    selfies: dict[str, recognition.Face] = field(default_factory=dict)
    results: dict[str, recognition.SearchResult] = field(default_factory=dict)
    matches: dict[str, list[Match]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


class Command(BaseCommand):
    help = "Search PHOTOS, with its subfolders, for the person of each picture in SELFIES."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("photos", type=Path, metavar="PHOTOS")
        parser.add_argument("selfies", type=Path, metavar="SELFIES")
        parser.add_argument("--json", type=Path, required=True, metavar="OUT", help="where to write the result")

    def handle(self, *args: Any, **options: Any) -> None:
        out: Path = options["json"]
        if not out.absolute().parent.is_dir():
            raise CommandError(f"There is no folder {out.absolute().parent} to write {out.name} into.")
        console = Console(file=self.stderr)  # type: ignore[arg-type]  # OutputWrapper writes like a file
        found = search_folder(options["photos"], options["selfies"], console)
        out.write_text(json.dumps(as_json(found), indent=1) + "\n", encoding="utf-8")
        faces = sum(len(photo.faces) for photo in found.photos.values())
        hits = sum(map(len, found.matches.values()))
        self.stdout.write(
            f"photos: {len(found.photos)}, faces: {faces}, selfies: {len(found.matches)}, matches: {hits}, "
            f"skipped: {len(found.skipped)}. Written to {out}"
        )


def search_folder(photos: Path, selfies: Path, console: Console) -> FolderSearch:
    """Search all files below `photos` for the person of each file in `selfies`, with progress on the console.

    Raises CommandError when a folder does not exist or the engine cannot be loaded.
    """
    for folder in (photos, selfies):
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder.")
    photos, selfies = photos.absolute(), selfies.absolute()
    photo_paths = sorted(path for path in photos.rglob("*") if path.is_file())
    selfie_paths = sorted(path for path in selfies.iterdir() if path.is_file())
    try:
        recognition.load()
        with _on_all_cores(len(photo_paths)) as read, Progress(*PROGRESS_COLUMNS, console=console) as progress:
            results = progress.track(read(_photo, photo_paths), total=len(photo_paths), description="Photos")
            read_photos = {
                path.relative_to(photos).as_posix(): photo for path, photo in zip(photo_paths, results, strict=True)
            }
            found = _searchable(read_photos)
            results = progress.track(read(_selfie, selfie_paths), total=len(selfie_paths), description="Selfies")
            for path, selfie in zip(selfie_paths, results, strict=True):
                _add_selfie(path, selfie, found)
    except recognition.RecognitionError as error:
        raise CommandError(str(error)) from error
    return found


def as_json(found: FolderSearch) -> dict[str, Any]:
    """Give the content of OUT."""
    return {
        "selfies": {
            stem: [
                {"photo": match.photo, "tier": match.tier, "distance": round(match.distance, 4)} for match in matches
            ]
            for stem, matches in found.matches.items()
        },
        "skipped": found.skipped,
    }


@contextmanager
def _on_all_cores(photos: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """Give `map`, which keeps the order, or the same over one process a core where there is enough to do."""
    processes = min(settings.PIXORA_WORKERS, photos // PHOTOS_PER_PROCESS)
    if processes <= 1:
        yield map
        return
    # Spawned: the engine is loaded in this process, and ONNX Runtime does not survive a fork.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield pool.map


def _photo(path: Path) -> Photo | str:
    try:
        decoded = images.decode(path, images.DECODE_EDGE)
    except images.ImageRejected as error:
        return error.detail
    except OSError as error:
        return f"The file cannot be read: {error.strerror}."
    return Photo(decoded.width, decoded.height, recognition.find_faces(decoded.pixels))


def _selfie(path: Path) -> recognition.Face | str:
    try:
        return recognition.embed_selfie(images.decode(path, images.DECODE_EDGE).pixels)
    except images.ImageRejected as error:
        return error.detail
    except recognition.SelfieRejected as error:
        return SELFIE_REASONS[error.code]
    except OSError as error:
        return f"The file cannot be read: {error.strerror}."


def _searchable(read_photos: dict[str, Photo | str]) -> FolderSearch:
    photos = {name: photo for name, photo in read_photos.items() if isinstance(photo, Photo)}
    skipped = {name: reason for name, reason in read_photos.items() if isinstance(reason, str)}
    return FolderSearch(photos, Rows.of(photos), skipped=skipped)


def _add_selfie(path: Path, selfie: recognition.Face | str, found: FolderSearch) -> None:
    if path.stem in found.matches:
        selfie = f"There is another selfie named {path.stem}."
    if isinstance(selfie, str):
        found.skipped[f"{path.parent.name}/{path.name}"] = selfie
    else:
        found.selfies[path.stem] = selfie
        found.results[path.stem] = found.rows.search(selfie)
        found.matches[path.stem] = found.rows.matches(found.results[path.stem])
