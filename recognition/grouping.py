"""The faces of an album -> its people: exact, the same whatever the order, and rather one person twice than two in one.

First the two groups whose centres are nearest become one, again and again, while they are nearer than `link`. Then what
is left over, weak faces too, joins the person whom a search would surely find it for. Measured figures: README.
"""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .embedding import unit
from .matching import crowd_distance
from .types import Thresholds, Vectors

Numbers = NDArray[np.integer]
Similarities = NDArray[np.float32]

# Numbers of one product at a time: 32 MB.
_BLOCK = 8_000_000
# Times the size of a group that it may join without being that one's nearest.
_FAR_LARGER = 8
NOBODY = -1


def group(
    vectors: Vectors,
    weak: NDArray[np.bool_],
    photos: Numbers,
    known: Numbers,
    refused: Iterable[tuple[int, int]],
    thresholds: Thresholds,
) -> NDArray[np.intp]:
    """Number each row's person (n,), NOBODY where nothing else is like it; see the facade's `group`."""
    strong = np.flatnonzero(~weak | (known != NOBODY))
    groups = _Groups(vectors, strong, photos, known, refused)
    groups.link(_cosine(thresholds.link))
    return _with_the_rest(vectors, photos, groups.numbers(len(vectors)), groups.apart, thresholds)


class _Groups:
    """Groups of rows, each with the sum of its vectors, and the group whose centre is nearest to its own.

    A group is named by the place of its first row among the rows that link. What is never to be in one group is known
    by marks: the photos that a group has faces of, who of the known it is, and whom of them it is not.
    """

    def __init__(
        self, vectors: Vectors, rows: Numbers, photos: Numbers, known: Numbers, refused: Iterable[tuple[int, int]]
    ) -> None:
        self.apart: dict[int, set[int]] = defaultdict(set)
        for row, person in refused:
            self.apart[row].add(person)
        self.rows = [[int(row)] for row in rows]
        self.photos = [{int(photos[row])} for row in rows]
        self.person = [int(known[row]) for row in rows]
        self.refused = [set(self.apart.get(int(row), ())) for row in rows]
        self.sums = vectors[rows].astype(np.float32)
        self.centres = self.sums.copy()
        self.there = np.ones(len(rows), dtype=bool)
        self.never: dict[int, set[int]] = defaultdict(set)
        self._join_known()
        self.nearest = np.full(len(rows), NOBODY, dtype=np.intp)
        self.likeness = np.full(len(rows), -2, dtype=np.float32)

    def link(self, least: float) -> None:
        """Join the nearest while their centres have at least this cosine."""
        changed = np.flatnonzero(self.there)
        while len(changed):
            self._look_around(changed)
            changed = np.array(sorted(self._join_or_part(self._pairs(least), least)), dtype=np.intp)

    def numbers(self, count: int) -> NDArray[np.intp]:
        """Of each of `count` rows: known people keep their numbers, others come after, those of one face have none."""
        numbered = np.full(count, NOBODY, dtype=np.intp)
        following = max([NOBODY, *self.person]) + 1
        for first in np.flatnonzero(self.there):
            number = self.person[first]
            if number == NOBODY and len(self.rows[first]) > 1:
                number, following = following, following + 1
            numbered[self.rows[first]] = number
        return numbered

    def _join_known(self) -> None:
        """Somebody who is known is one group, whatever their faces are like, and though they are in a photo twice."""
        first: dict[int, int] = {}
        for place, person in enumerate(self.person):
            if person != NOBODY and first.setdefault(person, place) != place:
                self._join(first[person], place)

    def _join(self, into: int, other: int) -> None:
        self.rows[into] += self.rows[other]
        self.photos[into] |= self.photos[other]
        self.refused[into] |= self.refused[other]
        self.person[into] = max(self.person[into], self.person[other])
        self.sums[into] += self.sums[other]
        self.centres[into] = unit(self.sums[into])
        self.there[other] = False
        # Whoever was never to be with the one is never to be with both.
        for third in self.never.pop(other, set()):
            self.never[third].discard(other)
            self.never[third].add(into)
            self.never[into].add(third)

    def _may_join(self, one: int, other: int) -> bool:
        persons = {self.person[one], self.person[other]} - {NOBODY}
        refused = self.refused[one] | self.refused[other]
        return len(persons) < 2 and not persons & refused and self.photos[one].isdisjoint(self.photos[other])

    def _look_around(self, changed: NDArray[np.intp]) -> None:
        """Find the nearest of the groups that changed, and for which others they are the nearest now."""
        there = np.flatnonzero(self.there)
        centres = self.centres[there]
        for at in range(0, len(changed), step := max(1, _BLOCK // len(there))):
            block = changed[at : at + step]
            likeness = self.centres[block] @ centres.T
            likeness[np.arange(len(block)), np.searchsorted(there, block)] = -2
            for row, group in enumerate(block.tolist()):
                if never := self.never.get(group):
                    likeness[row, np.searchsorted(there, sorted(never))] = -2
            best = likeness.argmax(axis=1)
            self.nearest[block], self.likeness[block] = there[best], likeness[np.arange(len(block)), best]
            if len(changed) < len(there):
                nearer = likeness.max(axis=0)
                won = np.flatnonzero(nearer > self.likeness[there])
                by = block[likeness[:, won].argmax(axis=0)]
                self.nearest[there[won]], self.likeness[there[won]] = by, nearer[won]

    def _pairs(self, least: float) -> list[tuple[int, int]]:
        """The pairs that are nearest to each other, and small groups with the large one that is nearest to them.

        The former would be joined in whatever order. The latter need not wait for each other: a large group's centre
        hardly moves when it takes in a few faces, and one at a time would take as many rounds as it has faces.
        """
        near = np.flatnonzero(self.there & (self.likeness >= least))
        near = near[np.argsort(-self.likeness[near], kind="stable")]
        pairs = [(int(self.nearest[one]), int(one)) for one in near]
        size = {one: len(self.rows[one]) for pair in pairs for one in pair}
        mutual = [(one, other) for one, other in pairs if one < other and self.nearest[one] == other]
        taken_in = [(one, other) for one, other in pairs if size[one] >= _FAR_LARGER * size[other]]
        # Neither, where all are equal but for rounding, in a ring.
        return mutual + taken_in or [(min(pair), max(pair)) for pair in pairs[:1]]

    def _join_or_part(self, pairs: list[tuple[int, int]], least: float) -> set[int]:
        """Returns the groups whose nearest is to be looked for anew."""
        changed: set[int] = set()
        now = np.arange(len(self.rows))
        for one, other in pairs:
            if not (self.there[one] and self.there[other]):
                continue
            changed |= {one, other}
            if self._may_join(one, other):
                self._join(one, other)
                now[other] = one
            else:
                self.never[one].add(other)
                self.never[other].add(one)
        changed = {group for group in changed if self.there[group]}
        return changed | self._gone_astray(now, changed, least)

    def _gone_astray(self, now: NDArray[np.intp], changed: set[int], least: float) -> set[int]:
        """Those whose nearest has become a group that is less like them; `now` says which one each group is now.

        Most are nearer to it than before, as it has more faces, and need no look around.
        """
        near = self.there & (self.likeness >= least)
        around = np.flatnonzero(near & np.isin(now[self.nearest], list(changed)))
        self.nearest[around] = by = now[self.nearest[around]]
        likeness = np.einsum("ij,ij->i", self.centres[around], self.centres[by])
        kept = likeness >= self.likeness[around]
        parted = [to in self.never.get(one, ()) for one, to in zip(around.tolist(), by.tolist(), strict=True)]
        kept &= ~np.array(parted, dtype=np.bool_)
        self.likeness[around[kept]] = likeness[kept]
        return set(around[~kept].tolist()) - changed


def _with_the_rest(
    vectors: Vectors,
    photos: Numbers,
    numbers: NDArray[np.intp],
    apart: dict[int, set[int]],
    thresholds: Thresholds,
) -> NDArray[np.intp]:
    """Give each row of nobody to the nearest person for whom it is a sure hit; the nearest rows first."""
    rest = np.flatnonzero(numbers == NOBODY)
    seen = defaultdict(set)
    for member in np.flatnonzero(numbers != NOBODY):
        seen[int(numbers[member])].add(int(photos[member]))
    numbers = numbers.copy()
    for _, row, person in sorted(_sure(vectors, numbers, rest, thresholds)):
        free = numbers[row] == NOBODY and photos[row] not in seen[person]
        if free and person not in apart.get(row, ()):
            numbers[row] = person
            seen[person].add(int(photos[row]))
    return numbers


def _sure(
    vectors: Vectors, numbers: NDArray[np.intp], rest: NDArray[np.intp], thresholds: Thresholds
) -> list[tuple[float, int, int]]:
    """(distance, row, person) of the rows that a search for the person would surely find."""
    people = np.unique(numbers[numbers != NOBODY])
    found: list[tuple[float, int, int]] = []
    for at in range(0, len(people), step := max(1, _BLOCK // max(1, len(vectors)))):
        block = people[at : at + step]
        centres = unit(np.stack([vectors[numbers == person].sum(axis=0) for person in block]))
        distances = np.sqrt(np.maximum(2 - 2 * (centres @ vectors.T), 0), dtype=np.float32)
        for person, around in zip(block.tolist(), distances, strict=True):
            limit = min(thresholds.sure, crowd_distance(around, thresholds.stranger) - thresholds.sure_margin)
            near = rest[around[rest] < limit]
            found += [(float(around[row]), int(row), person) for row in near]
    return found


def _cosine(distance: float) -> float:
    """Of unit vectors that are this far apart."""
    return 1 - distance**2 / 2
