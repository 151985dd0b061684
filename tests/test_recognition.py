"""The face engine through its facade: finding faces, judging selfies, matching."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

import recognition
from recognition import Face, Pixels, SelfieRejected, Vector
from tests.pictures import portrait

HEAVY = ("cv2", "deepface", "dlib", "onnx", "onnxruntime", "tensorflow")


@cache
def portrait_face() -> Face:
    (face,) = recognition.find_faces(portrait())
    return face


def distance(one: Vector, other: Vector) -> float:
    return float(np.linalg.norm(one - other))


def scaled(pixels: Pixels, factor: float) -> Pixels:
    return np.asarray(cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def turned(pixels: Pixels, degrees: float) -> Pixels:
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return np.asarray(cv2.warpAffine(pixels, turn, (width, height)), dtype=np.uint8)


def blurred(pixels: Pixels, sigma: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), dtype=np.uint8)


def head() -> Pixels:
    """The astronaut's head and shoulders, 240 px wide; the face takes 88 x 120 px in the middle."""
    return portrait()[:240, 106:346]


def strangers() -> Pixels:
    """30 faces of Labeled Faces in the Wild on grey, (n, 150, 150, 3). They are 25 px wide, so enlarged."""
    faces = (skimage.data.lfw_subset()[:30] * 255).astype(np.uint8)
    enlarged = [cv2.resize(face, (100, 100), interpolation=cv2.INTER_CUBIC) for face in faces]
    framed = np.pad(np.stack(enlarged), ((0, 0), (25, 25), (25, 25)), mode="edge")
    return np.repeat(framed[..., None], 3, axis=3)


def rejection(pixels: Pixels) -> str:
    with pytest.raises(SelfieRejected) as rejected:
        recognition.embed_selfie(pixels)
    return rejected.value.code


def output_of(program: str) -> str:
    """What a fresh Python with Pixora's settings prints, without what the engine has set in this process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DEEPFACE_", "TF_"))}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_facade_and_asking_for_the_engine_loads_nothing_heavy() -> None:
    program = f"import sys, recognition; recognition.engine(); print([m for m in {HEAVY} if m in sys.modules])"

    assert output_of(program) == "[]"


def test_the_default_engine_finds_faces_without_tensorflow() -> None:
    program = (
        "import sys, recognition, skimage.data; faces = recognition.find_faces(skimage.data.astronaut()); "
        "print(len(faces), 'tensorflow' in sys.modules, 'torch' in sys.modules)"
    )

    assert output_of(program) == "1 False False"


def test_a_face_is_found_where_it_is() -> None:
    box = portrait_face().box

    assert box.x < 0.39 < box.x + box.width
    assert box.y < 0.20 < box.y + box.height
    assert 0.1 < box.width < 0.25
    assert 0.15 < box.height < 0.3


def test_an_embedding_is_a_unit_vector_of_the_engines_dimension() -> None:
    embedding = portrait_face().embedding

    assert embedding.shape == (recognition.engine().dimension,)
    assert embedding.dtype == np.dtype("<f4")
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-6)


def test_the_same_pixels_give_the_same_faces_the_largest_first() -> None:
    crowd = np.zeros((520, 800, 3), np.uint8)
    for x, y, factor in ((0, 0, 0.7), (180, 250, 1.1), (460, 20, 0.9)):
        copy = scaled(head(), factor)
        crowd[y : y + copy.shape[0], x : x + copy.shape[1]] = copy

    faces, again = recognition.find_faces(crowd), recognition.find_faces(crowd)

    assert [face.box.x * 800 // 100 for face in faces] == [2, 5, 0]
    assert [face.box for face in faces] == [face.box for face in again]
    assert all(np.array_equal(one.embedding, other.embedding) for one, other in zip(faces, again, strict=True))


@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: turned(pixels, 20),
        lambda pixels: turned(pixels, -35),
        lambda pixels: pixels[:, ::-1],
        lambda pixels: pixels[40:220, 140:320],
        lambda pixels: (pixels * 0.35).astype(np.uint8),
        lambda pixels: np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8),
        lambda pixels: scaled(pixels, 0.5),
        lambda pixels: cv2.resize(pixels, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC),
    ],
    ids=["turned", "turned back", "mirrored", "cropped", "dark", "grey", "half", "fivefold"],
)
def test_a_person_is_found_again_in_another_picture(change: Callable[[Pixels], Pixels]) -> None:
    (face,) = recognition.find_faces(np.ascontiguousarray(change(portrait())))

    assert distance(face.embedding, portrait_face().embedding) < recognition.engine().thresholds.sure


def test_strangers_are_not_taken_for_the_person() -> None:
    faces = [face for picture in strangers() for face in recognition.find_faces(picture)]

    assert len(faces) >= 20
    assert min(distance(face.embedding, portrait_face().embedding) for face in faces) > 0.4


@pytest.mark.parametrize("name", ["coffee", "rocket", "chelsea", "hubble_deep_field"])
def test_a_picture_without_people_has_no_face(name: str) -> None:
    assert recognition.find_faces(np.asarray(getattr(skimage.data, name)())) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (15, 15), (16, 3000), (33, 31)])
def test_odd_shapes_are_searched_without_a_fault(shape: tuple[int, int]) -> None:
    assert recognition.find_faces(np.full((*shape, 3), 128, np.uint8)) == []


def test_a_face_cut_by_the_frame_keeps_its_box_inside_the_picture() -> None:
    (face,) = recognition.find_faces(np.ascontiguousarray(portrait()[:, 230:]))

    assert face.box.x == 0
    assert 0 < face.box.width < 0.2


def test_a_small_face_is_found_and_weak() -> None:
    (face,) = recognition.find_faces(scaled(portrait(), 0.28))

    assert face.weak
    assert not portrait_face().weak


@pytest.mark.parametrize(
    "pixels", [np.zeros((90, 90), np.uint8), np.zeros((90, 90, 4), np.uint8), np.zeros((90, 90, 3), np.float32)]
)
def test_what_are_no_rgb_pixels_is_refused(pixels: Any) -> None:
    with pytest.raises(ValueError, match="RGB uint8"):
        recognition.find_faces(pixels)


@pytest.mark.parametrize(
    "selfie",
    [portrait(), head(), portrait()[58:178, 182:270], portrait()[70:166, 190:262]],
    ids=["half length", "head", "only the face", "less than the face"],
)
def test_a_selfie_is_matched_with_the_person_however_near_it_was_taken(selfie: Pixels) -> None:
    face = recognition.embed_selfie(np.ascontiguousarray(selfie))

    assert distance(face.embedding, portrait_face().embedding) < recognition.engine().thresholds.sure
    assert 0 <= face.box.x <= face.box.x + face.box.width <= 1
    assert 0 <= face.box.y <= face.box.y + face.box.height <= 1


def test_a_bystander_far_behind_does_not_matter() -> None:
    selfie = np.full((500, 500, 3), 90, np.uint8)
    selfie[60:492, 40:472] = scaled(head(), 1.8)
    selfie[0:120, 380:500] = scaled(head(), 0.5)[:, ::-1]
    assert len(recognition.find_faces(selfie)) == 2

    face = recognition.embed_selfie(selfie)

    assert face.box.width > 0.25


@pytest.mark.parametrize("name", ["coffee", "rocket"])
def test_a_selfie_without_a_face_is_rejected(name: str) -> None:
    assert rejection(np.asarray(getattr(skimage.data, name)())) == "no_face"


@pytest.mark.parametrize("people", [2, 3])
def test_a_selfie_of_several_people_is_rejected(people: int) -> None:
    assert rejection(np.concatenate([head()] * people, axis=1)) == "several_faces"


@pytest.mark.parametrize("width", [8, 40, 90])
def test_a_selfie_with_too_small_a_face_is_rejected(width: int) -> None:
    assert rejection(scaled(head(), width / 240)) == "face_too_small"


@pytest.mark.parametrize("sigma", [4, 6])
def test_a_blurred_selfie_is_rejected(sigma: float) -> None:
    assert rejection(blurred(portrait(), sigma)) == "face_blurred"


def test_a_dim_selfie_is_not_taken_for_a_blurred_one() -> None:
    face = recognition.embed_selfie((portrait() * 0.2).astype(np.uint8))

    assert distance(face.embedding, portrait_face().embedding) < recognition.engine().thresholds.sure


def at(*angles: float) -> np.ndarray:
    """Unit vectors in one plane. Two of them are 2 sin(half the angle between them) apart, nearly the angle itself."""
    vectors = np.zeros((len(angles), 128), "<f4")
    vectors[:, 0], vectors[:, 1] = np.cos(angles), np.sin(angles)
    return vectors


def around(distance: float, count: int) -> np.ndarray:
    """Unit vectors at a distance from at(0)[0], each in a direction of its own, far from each other."""
    vectors = np.zeros((count, 128), "<f4")
    cosine = 1 - distance**2 / 2
    vectors[:, 0] = cosine
    vectors[np.arange(count), 2 + np.arange(count)] = np.sqrt(1 - cosine**2)
    return vectors


def tiers(result: recognition.SearchResult) -> dict[int, str]:
    return {hit.row: hit.tier for hit in result.hits}


def test_hits_come_in_two_tiers_the_nearest_first() -> None:
    result = recognition.match(at(0)[0], at(0.345, 0.9, -0.36, 0.1, -0.2), weak=np.ones(5, bool))

    assert [(hit.row, hit.tier) for hit in result.hits] == [(3, "sure"), (4, "sure"), (0, "maybe"), (2, "maybe")]
    assert [hit.distance for hit in result.hits] == pytest.approx([0.1, 0.2, 0.345, 0.36], abs=0.003)


def test_a_face_that_the_selfie_alone_is_too_far_from_is_found_through_another() -> None:
    assert recognition.match(at(0)[0], at(0.46)).hits == []

    assert tiers(recognition.match(at(0)[0], at(0.31, 0.46))) == {0: "sure", 1: "sure"}


def test_a_group_that_is_nearer_than_each_of_its_faces_is_found() -> None:
    """Each face differs from the selfie in a way of its own; their average does not."""
    faces = around(0.34, 3)
    faces[:, 2:5] = [[0.27, 0.09, 0.09], [0.09, 0.27, 0.09], [0.09, 0.09, 0.27]]
    faces[:, 0] = np.sqrt(1 - (faces[:, 2:] ** 2).sum(axis=1))
    faces[:, 1] = 0.15
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    distances = np.linalg.norm(faces - at(0)[0], axis=1)
    assert distances.min() > recognition.engine().thresholds.sure

    assert tiers(recognition.match(at(0)[0], faces[:1])) == {0: "maybe"}
    assert tiers(recognition.match(at(0)[0], faces)) == {0: "sure", 1: "sure", 2: "sure"}


def test_where_strangers_crowd_around_the_guest_a_hit_must_be_nearer() -> None:
    alone, crowd = at(0.31), around(0.36, 40)
    assert tiers(recognition.match(at(0)[0], alone)) == {0: "sure"}
    assert tiers(recognition.match(at(0)[0], np.concatenate([alone, around(0.5, 40)]))) == {0: "sure"}

    assert tiers(recognition.match(at(0)[0], np.concatenate([alone, crowd]))) == {0: "maybe"}


def test_of_two_faces_in_one_photo_only_the_nearer_leads_to_others() -> None:
    faces = at(0.06, -0.3, 0.355)

    apart = recognition.match(at(0)[0], faces)
    together = recognition.match(at(0)[0], faces, photos=np.array([7, 7, 8]))

    assert tiers(apart) == {0: "sure", 1: "sure"}
    assert tiers(together) == {0: "sure", 2: "sure"}


def test_a_weak_face_is_found_but_leads_to_no_other() -> None:
    result = recognition.match(at(0)[0], at(0.29, 0.44), weak=np.array([True, False]))

    assert tiers(result) == {0: "sure"}
    assert np.allclose(result.centre, at(0)[0])


def test_a_confirmed_face_is_a_sure_hit_and_leads_to_others() -> None:
    vectors = at(0.5, 0.52)
    assert recognition.match(at(0)[0], vectors).hits == []

    assert tiers(recognition.match(at(0)[0], vectors, confirmed=[0])) == {0: "sure", 1: "sure"}


def test_a_confirmed_weak_face_is_a_hit_but_leads_to_no_other() -> None:
    result = recognition.match(at(0)[0], at(0.5, 0.52), weak=np.array([True, False]), confirmed=[0])

    assert tiers(result) == {0: "sure"}


def test_a_refused_face_is_no_hit_and_leads_to_no_other() -> None:
    assert recognition.match(at(0)[0], at(0.31, 0.46), refused=[0]).hits == []


def test_faces_more_like_a_refused_one_are_no_hits_unless_confirmed() -> None:
    faces = at(0.3, 0.29, 0.1)

    assert tiers(recognition.match(at(0)[0], faces, refused=[0])) == {2: "sure"}
    assert tiers(recognition.match(at(0)[0], faces, refused=[0], confirmed=[1])) == {1: "sure", 2: "sure"}


def test_several_selfies_of_one_guest_are_averaged() -> None:
    result = recognition.match(at(0, 0.4), at(0.2))

    assert result.hits[0].distance == pytest.approx(0, abs=1e-3)
    assert np.allclose(result.centre, at(0.2)[0], atol=1e-6)


def test_an_album_without_faces_gives_no_hits() -> None:
    result = recognition.match(portrait_face().embedding, np.empty((0, 128), "<f4"))

    assert result.hits == []
    assert np.allclose(result.centre, portrait_face().embedding)


def test_a_search_over_many_faces_misses_none() -> None:
    """The distances are taken once more, one by one, and so is the limit that the crowd sets."""
    noise = np.random.default_rng(7).normal(size=(20_000, 128)) * 0.028
    vectors = (portrait_face().embedding + noise).astype("<f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    result = recognition.match(portrait_face().embedding, vectors)

    apart = np.linalg.norm(vectors - result.centre, axis=1)
    thresholds = recognition.engine().thresholds
    crowd = np.sort(apart[apart > thresholds.stranger])[:71].mean()
    limit = min(thresholds.maybe, crowd - thresholds.maybe_margin)
    assert {hit.row for hit in result.hits} >= set(np.flatnonzero(apart < limit - 1e-4))
    assert {hit.row for hit in result.hits} <= set(np.flatnonzero(apart < limit + 1e-4))
    assert 1000 < len(result.hits) < 19_000
    assert result.centre.dtype == np.dtype("<f4")


def real_faces(folder: Path, pattern: str) -> list[Face]:
    pictures = (np.asarray(Image.open(path).convert("RGB").reduce(2)) for path in sorted(folder.glob(pattern)))
    return [face for pixels in pictures for face in recognition.find_faces(pixels)]


def test_portraits_of_one_person_are_alike_and_of_two_are_not(photos_dir: Path) -> None:
    one = real_faces(photos_dir / "portraits", "obama_[0-9].jpg")
    other = real_faces(photos_dir / "portraits", "biden_[0-9].jpg")

    thresholds = recognition.engine().thresholds
    assert (len(one), len(other)) == (3, 2)
    assert max(distance(first.embedding, second.embedding) for first in one for second in one) < 0.4
    assert min(distance(first.embedding, second.embedding) for first in one for second in other) > thresholds.maybe


def test_a_picture_of_two_people_side_by_side_is_no_selfie(photos_dir: Path) -> None:
    for name in ("two_people.jpg", "obama_and_biden.jpg"):
        picture = Image.open(photos_dir / "portraits" / name).convert("RGB").reduce(2)
        assert rejection(np.asarray(picture)) == "several_faces"
