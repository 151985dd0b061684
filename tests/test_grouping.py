"""Faces -> people, on vectors that are made up, and on the faces of a labelled album."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import recognition
from galleries import images
from galleries.management.commands.match_folder import FolderSearch, Photo, Rows
from galleries.management.grouped import group_all, score
from galleries.management.labelled import people, read_labels
from recognition import grouping
from recognition.embedding import unit

DIMENSION = 128
# At 0.2 from the middle of a person two of their faces are 0.28 apart: linked. Other people are at about 1.4.
SPREAD = 0.2


def faces(*counts: int, seed: int = 7) -> tuple[NDArray[np.float32], list[int]]:
    """Vectors of so many faces of each person, and whose they are."""
    generator = np.random.default_rng(seed)
    middles = unit(generator.normal(size=(len(counts), DIMENSION)))
    people = [person for person, count in enumerate(counts) for _ in range(count)]
    noise = unit(generator.normal(size=(len(people), DIMENSION))) * SPREAD
    return unit(middles[people] + noise), people


def grouped(vectors: NDArray[np.float32], **said: object) -> NDArray[np.intp]:
    count = len(vectors)
    usual = {
        "weak": np.zeros(count, dtype=bool),
        "photos": np.arange(count),
        "known": np.full(count, -1),
    }
    return recognition.group(vectors, **(usual | said))  # type: ignore[arg-type]


def as_sets(numbers: NDArray[np.intp], rows: NDArray[np.intp] | None = None) -> set[frozenset[int]]:
    rows = np.arange(len(numbers)) if rows is None else rows
    return {frozenset(rows[numbers == number].tolist()) for number in set(numbers.tolist()) - {-1}}


def whose(people: list[int]) -> set[frozenset[int]]:
    return {frozenset(row for row, person in enumerate(people) if person == each) for each in people}


def test_each_person_is_one_group_and_who_was_seen_once_is_nobody() -> None:
    vectors, people = faces(20, 6, 2, 1, 1)
    numbers = grouped(vectors)
    assert as_sets(numbers) == {each for each in whose(people) if len(each) > 1}
    assert numbers[people.index(3) :].tolist() == [-1, -1]


def test_an_album_without_faces_has_no_people() -> None:
    assert grouped(np.empty((0, DIMENSION), dtype="<f4")).tolist() == []


def test_the_order_of_the_faces_makes_no_difference() -> None:
    vectors, _ = faces(*range(1, 15))
    order = np.random.default_rng(1).permutation(len(vectors))
    assert as_sets(grouped(vectors[order]), order) == as_sets(grouped(vectors))


def test_copies_of_one_face_are_one_group() -> None:
    """All at the same distance of 0 from each other: none is the nearest."""
    vectors, _ = faces(1, 1)
    assert as_sets(grouped(vectors[[0] * 9 + [1] * 3])) == {frozenset(range(9)), frozenset(range(9, 12))}


def test_nobody_is_in_a_photo_twice() -> None:
    vectors, _ = faces(3)
    numbers = grouped(vectors, photos=np.array([0, 1, 1]))
    assert sorted(numbers.tolist()) == [-1, 0, 0]
    assert numbers[1] != numbers[2]


def test_a_weak_face_joins_and_holds_nobody_together() -> None:
    vectors, _ = faces(2, 2)
    bridge = unit(vectors[0] + vectors[2])[np.newaxis]
    near = unit(vectors[0] + vectors[1])[np.newaxis]
    everything = np.concatenate([vectors, near, bridge])
    numbers = grouped(everything, weak=np.array([False] * 4 + [True] * 2))
    assert as_sets(numbers) == {frozenset({0, 1, 4}), frozenset({2, 3})}
    assert grouped(everything[[0, 4]], weak=np.array([True, True])).tolist() == [-1, -1]


def test_known_people_keep_their_numbers_and_are_never_joined() -> None:
    vectors, _ = faces(6, 3)
    known = np.full(9, -1)
    known[[0, 3]] = 5, 2
    numbers = grouped(vectors, known=known)
    assert (numbers[0], numbers[3]) == (5, 2)
    assert set(numbers[:6].tolist()) <= {5, 2}
    assert set(numbers[6:].tolist()) == {6}


def test_faces_of_somebody_known_are_one_group_whatever_they_are_like() -> None:
    vectors, _ = faces(3, 3)
    known = np.full(6, -1)
    known[[0, 5]] = 0
    assert grouped(vectors, known=known)[[0, 5]].tolist() == [0, 0]


def test_whoever_a_face_is_said_not_to_be_it_never_joins() -> None:
    vectors, _ = faces(5)
    known = np.array([0, 0, 0, -1, -1])
    numbers = grouped(vectors, known=known, refused=[(3, 0)])
    assert numbers[3] != 0
    assert numbers[[0, 1, 2]].tolist() == [0, 0, 0]
    assert grouped(vectors, known=known)[3] == 0


@pytest.mark.parametrize("size", [1, 40])
def test_in_blocks_the_result_is_the_same(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    vectors, _ = faces(*range(1, 12))
    wanted = as_sets(grouped(vectors))
    monkeypatch.setattr("recognition.grouping._BLOCK", size * len(vectors))
    assert as_sets(grouped(vectors)) == wanted


def test_a_large_group_takes_few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """One face a round would take hours for an album of portraits."""
    rounds: list[int] = []
    look_around = grouping._Groups._look_around

    def counted(self: grouping._Groups, changed: NDArray[np.intp]) -> None:
        rounds.append(len(changed))
        look_around(self, changed)

    monkeypatch.setattr(grouping._Groups, "_look_around", counted)
    vectors, people = faces(500)
    assert as_sets(grouped(vectors)) == whose(people)
    assert len(rounds) < 40


def test_groups_are_scored_by_pairs_of_labelled_faces() -> None:
    names = ["ann", "ann", "ann", "bob", "bob", "", "cal", "dan", "dan"]
    result = score(np.array([0, 0, 1, 0, 2, 0, -1, -1, -1]), names)
    assert (result.found, result.missed, result.wrong) == (1, 4, 2)
    assert (result.groups, result.mixed) == (1, 1)
    assert (result.people, result.several, result.unseen) == (3, 2, 1)


def test_the_people_of_a_labelled_event(photos_dir: Path) -> None:
    """By what evaluate_faces says of the whole, of which this is a part: whoever is grouped is one person."""
    labels = read_labels(photos_dir / "event" / "labels.json")
    chosen = sorted({photo for guest in sorted(labels.selfies)[:2] for photo in labels.photos_of(guest)})
    photos = {}
    for name in chosen:
        pixels = images.decode(photos_dir / "event" / "photos" / name, images.DECODE_EDGE)
        photos[name] = Photo(pixels.width, pixels.height, recognition.find_faces(pixels.pixels))
    searched = FolderSearch(photos, Rows.of(photos))
    result = score(group_all(searched.rows), people(searched, labels))
    assert result.wrong == 0
    assert result.found > result.missed
