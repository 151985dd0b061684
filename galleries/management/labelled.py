"""A labelled album and what the engine makes of it: who is found, missed and mistaken."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from django.core.management.base import CommandError
from numpy.typing import NDArray

import recognition

from .commands.match_folder import FolderSearch, Match, Photo

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

    def photos_of(self, guest: str) -> set[str]:
        return {photo for photo, guests in self.guests_of.items() if guest in guests}


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

    @property
    def recall(self) -> float:
        return self.found / max(1, self.found + self.missed)

    @property
    def precision(self) -> float:
        return self.found / max(1, self.found + self.wrong)


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


def score(matches: dict[str, list[Match]], labels: Labels, tiers: set[recognition.Tier]) -> Score:
    """Compare what each guest's selfie found with the photos that the guest is in."""
    result = Score()
    for guest, stem in labels.selfies.items():
        wanted = labels.photos_of(guest)
        given = {match.photo for match in matches.get(stem, ()) if match.tier in tiers}
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
    found = [photo for photo, square in squares if photo and any(_is_in(face, photo, square) for face in photo.faces)]
    return len(found), len(squares)


def people(searched: FolderSearch, labels: Labels) -> list[str]:
    """Name each row's person: of the faces in a labelled square the most prominent has its name, others have none."""
    names = [""] * len(searched.rows.faces)
    first = 0
    for name, photo in searched.photos.items():
        for square in labels.squares.get(name, ()):
            inside = [row for row, face in enumerate(photo.faces) if _is_in(face, photo, square)]
            if inside:
                nearest = min(inside, key=lambda row: _eccentricity(photo.faces[row], photo, square))
                names[first + nearest] = square.name
        first += len(photo.faces)
    return names


def with_feedback(searched: FolderSearch, labels: Labels) -> dict[str, list[Match]]:
    """Search again after each guest called one photo of theirs "me", and one of somebody else's "not me".

    Both are those nearest to the guest: "me" among the maybe photos, "not me" among all that were given.
    """
    rows, names = searched.rows, people(searched, labels)
    matches = {}
    for guest, stem in labels.selfies.items():
        if stem not in searched.results:
            continue
        hits = searched.results[stem].hits
        wanted = labels.photos_of(guest)
        sure = {rows.names[hit.row] for hit in hits if hit.tier == "sure"}
        mine = [hit.row for hit in hits if names[hit.row] == guest and rows.names[hit.row] not in sure]
        others = [hit.row for hit in hits if rows.names[hit.row] not in wanted]
        matches[stem] = rows.matches(rows.search(searched.selfies[stem], mine[:1], others[:1]))
    return matches


def numbered(searched: FolderSearch, labels: Labels) -> tuple[recognition.Vectors, NDArray[np.int_]]:
    """Give the guests' selfies (g, d) and each row's person: below g a guest, from g on another one, -1 unknown."""
    guests = [guest for guest, stem in labels.selfies.items() if stem in searched.selfies]
    names = people(searched, labels)
    number = {name: place for place, name in enumerate(dict.fromkeys([*guests, *filter(None, names)]))}
    selfies = np.array([searched.selfies[labels.selfies[guest]].embedding for guest in guests], dtype="<f4")
    return selfies.reshape(len(guests), -1), np.array([number.get(name, -1) for name in names], dtype=int)


def _centre(face: recognition.Face, photo: Photo) -> tuple[float, float]:
    return (face.box.x + face.box.width / 2) * photo.width, (face.box.y + face.box.height / 2) * photo.height


def _is_in(face: recognition.Face, photo: Photo, square: Square) -> bool:
    x, y = _centre(face, photo)
    return square.x <= x <= square.x + square.side and square.y <= y <= square.y + square.side


def _eccentricity(face: recognition.Face, photo: Photo, square: Square) -> float:
    """Distance in pixels from the square's middle, less for a larger face: bystanders are smaller."""
    x, y = _centre(face, photo)
    distance = np.hypot(x - square.x - square.side / 2, y - square.y - square.side / 2)
    return float(distance - 0.3 * face.box.width * photo.width)


def _size(square: Square) -> int:
    return max(size for size in SIZES if size <= square.side)
