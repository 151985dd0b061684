"""How well the faces of a labelled album are grouped into people."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import recognition

from .commands.match_folder import Rows


@dataclass(frozen=True, slots=True)
class PeopleScore:
    """Pairs of labelled faces: of one person and put together (`found`), only the one, or only the other.

    `groups` of two labelled faces or more, of which so many are `mixed`: they hold two people. `people` who have two
    labelled faces or more, of which so many are in `several` groups, and so many in none (`unseen`).
    """

    found: int
    missed: int
    wrong: int
    groups: int
    mixed: int
    people: int
    several: int
    unseen: int


def group_all(rows: Rows) -> NDArray[np.intp]:
    unknown = np.full(len(rows.faces), -1)
    return recognition.group(rows.vectors, weak=rows.weak, photos=rows.photos, known=unknown)


def score(numbers: NDArray[np.intp], names: list[str]) -> PeopleScore:
    """`numbers` of the groups, -1 for none, and `names` of the people, "" for none, by face."""
    labelled = [(int(number), name) for number, name in zip(numbers, names, strict=True) if name]
    cells = Counter(labelled)
    together = Counter(number for number, _ in labelled)
    faces = Counter(name for _, name in labelled)
    found = sum(_pairs(count) for (number, _), count in cells.items() if number >= 0)
    given = sum(_pairs(count) for number, count in together.items() if number >= 0)
    grouped = {cell for cell in cells if cell[0] >= 0}
    in_group, of_person = Counter(number for number, _ in grouped), Counter(name for _, name in grouped)
    people = [name for name, count in faces.items() if count > 1]
    return PeopleScore(
        found=found,
        missed=sum(map(_pairs, faces.values())) - found,
        wrong=given - found,
        groups=sum(count > 1 for number, count in together.items() if number >= 0),
        mixed=sum(count > 1 for count in in_group.values()),
        people=len(people),
        several=sum(of_person[name] > 1 for name in people),
        unseen=sum(not of_person[name] for name in people),
    )


def _pairs(count: int) -> int:
    return count * (count - 1) // 2
