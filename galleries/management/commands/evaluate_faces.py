"""How well the engine finds the guests of a labelled album."""

import json
from argparse import ArgumentParser
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

import recognition

from .match_folder import FolderSearch, Photo, search_folder

TIERS: dict[str, set[recognition.Tier]] = {"sure": {"sure"}, "sure and maybe": {"sure", "maybe"}}
# Sides of the labelled squares in pixels; a face takes about half of its square.
SIZES = (0, 64, 128, 192, 256, 320, 384)


@dataclass(frozen=True, slots=True)
class Square:
    """A labelled face, in pixels of the upright photo."""

    name: str
    x: float
    y: float
    side: float


@dataclass(frozen=True, slots=True)
class Labels:
    """`selfies`: guest -> stem of the selfie. `guests_of`: photo -> who is in it. `squares`: photo -> its faces."""

    selfies: dict[str, str]
    guests_of: dict[str, set[str]]
    squares: dict[str, list[Square]]


@dataclass(slots=True)
class Score:
    """Guests' photos that were found, missed, or wrongly given, and guests without either fault."""

    found: int = 0
    missed: int = 0
    wrong: int = 0
    guests: int = 0
    perfect: int = 0
    found_by_size: Counter[int] = field(default_factory=Counter)
    wanted_by_size: Counter[int] = field(default_factory=Counter)


class Command(BaseCommand):
    help = "Measure the engine on DIR: photos/, selfies/ and labels.json."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        labels = read_labels(folder / "labels.json")
        searched = search_folder(folder / "photos", folder / "selfies", Console(file=self.stderr))  # type: ignore[arg-type]
        console = Console(file=self.stdout)  # type: ignore[arg-type]  # OutputWrapper writes like a file
        console.print(f"Engine {recognition.engine().name}")
        scores = {title: score(searched, labels, tiers) for title, tiers in TIERS.items()}
        console.print(_tier_table(scores))
        console.print(_size_table(scores))
        found, labelled = detected(searched.photos, labels)
        console.print(f"Detection: {found} of {labelled} labelled faces found, recall {_share(found, labelled)}")
        for file, reason in searched.skipped.items():
            self.stdout.write(f"Skipped {file}: {reason}")


def read_labels(path: Path) -> Labels:
    """Read {"guests": {name: selfie}, "photos": {photo: [name]}, "faces": {photo: [[name, x, y, side]]}}.

    Raises CommandError.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Labels(
            selfies={guest: Path(selfie).stem for guest, selfie in content["guests"].items()},
            guests_of={photo: set(names) for photo, names in content["photos"].items()},
            squares={photo: [Square(*square) for square in squares] for photo, squares in content["faces"].items()},
        )
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(f"{path} is not a label file: {error!r}.") from error


def score(searched: FolderSearch, labels: Labels, tiers: set[recognition.Tier]) -> Score:
    """Compare what each guest's selfie found with the photos that the guest is in."""
    result = Score()
    for guest, stem in labels.selfies.items():
        wanted = {photo for photo, guests in labels.guests_of.items() if guest in guests}
        given = {match.photo for match in searched.matches.get(stem, ()) if match.tier in tiers}
        result.found += len(given & wanted)
        result.missed += len(wanted - given)
        result.wrong += len(given - wanted)
        result.guests += 1
        result.perfect += given == wanted
        for photo in wanted:
            sizes = [_size(square) for square in labels.squares.get(photo, ()) if square.name == guest]
            result.wanted_by_size.update(sizes)
            result.found_by_size.update(sizes if photo in given else ())
    return result


def detected(photos: dict[str, Photo], labels: Labels) -> tuple[int, int]:
    """Give how many labelled squares have the middle of a found face in them, and how many there are."""
    squares = [(photos.get(name), square) for name, squares in labels.squares.items() for square in squares]
    return sum(photo is not None and _has_face(photo, square) for photo, square in squares), len(squares)


def _has_face(photo: Photo, square: Square) -> bool:
    return any(
        square.x <= (face.box.x + face.box.width / 2) * photo.width <= square.x + square.side
        and square.y <= (face.box.y + face.box.height / 2) * photo.height <= square.y + square.side
        for face in photo.faces
    )


def _size(square: Square) -> int:
    return max(size for size in SIZES if size <= square.side)


def _tier_table(scores: dict[str, Score]) -> Table:
    table = Table("tier", "recall", "precision", "perfect guests", "found", "missed", "wrong")
    for title, result in scores.items():
        table.add_row(
            title,
            _share(result.found, result.found + result.missed),
            _share(result.found, result.found + result.wrong),
            _share(result.perfect, result.guests),
            *map(str, (result.found, result.missed, result.wrong)),
        )
    return table


def _size_table(scores: dict[str, Score]) -> Table:
    table = Table("side of the labelled square", "faces", *(f"recall, {title}" for title in scores))
    wanted = next(iter(scores.values())).wanted_by_size
    for size in sorted(wanted):
        shares = (_share(result.found_by_size[size], wanted[size]) for result in scores.values())
        table.add_row(f"from {size} px", str(wanted[size]), *shares)
    return table


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "-"
