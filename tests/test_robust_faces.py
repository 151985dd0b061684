"""Faces as cameras really take them: turned, lit from the side, behind sunglasses, cut off, small, many, grey."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import recognition
from galleries import images
from recognition import Pixels, detection
from tests.pictures import oriented_jpeg, portrait
from tests.test_recognition import blurred, distance, head, portrait_face, scaled, strangers, turned


def framed(pixels: Pixels) -> Pixels:
    """With room on all sides, so that turning cuts nothing off."""
    return np.pad(pixels, ((120, 120), (120, 120), (0, 0)), mode="edge")


def lit_from_the_side(pixels: Pixels) -> Pixels:
    """The light falls to a seventh from one cheek to the other."""
    width = pixels.shape[1]
    light = np.interp(np.arange(width), [0.3 * width, 0.6 * width], [1.0, 0.15])
    return (pixels * light[None, :, None]).astype(np.uint8)


def with_sunglasses(pixels: Pixels, eyes: list[tuple[int, int]], lens: tuple[int, int]) -> Pixels:
    """Dark lenses and a bridge; `lens` are an ellipse's half axes in pixels."""
    worn = pixels.copy()
    for eye in eyes:
        cv2.ellipse(worn, eye, lens, 0, 0, 360, (18, 18, 20), -1, cv2.LINE_AA)
    cv2.line(worn, eyes[0], eyes[1], (18, 18, 20), max(2, lens[1] // 3), cv2.LINE_AA)
    return worn


def astronaut_in_sunglasses() -> Pixels:
    return with_sunglasses(portrait(), [(206, 106), (243, 107)], (16, 11))


def grey(pixels: Pixels) -> Pixels:
    return np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def motion_blurred(pixels: Pixels, length: int) -> Pixels:
    """As a hand moves sideways during the exposure."""
    return np.asarray(cv2.blur(pixels, (length, 1)), dtype=np.uint8)


def nearest(pixels: Pixels) -> float:
    """Distance of the most similar face in the picture to the astronaut's."""
    faces = recognition.find_faces(np.ascontiguousarray(pixels))
    return min((distance(face.embedding, portrait_face().embedding) for face in faces), default=2.0)


@cache
def known_strangers() -> list[Pixels]:
    """Those of the enlarged faces that are clear enough to be found alone."""
    return [picture for picture in strangers() if recognition.find_faces(picture)]


def crowd(people: int, edge: int = 1600) -> Pixels:
    """A photo of so many faces in rows, the astronaut in their midst, each about 70 px wide."""
    columns = int(np.ceil(np.sqrt(people * 1.4)))
    cell, rows = edge // columns, int(np.ceil(people / columns))
    side = min(cell, 150)
    photo = np.full((rows * cell, columns * cell, 3), 120, np.uint8)
    pool = known_strangers()
    for place in range(people):
        face = head() if place == people // 2 else pool[place % len(pool)]
        tile = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
        row, column = divmod(place, columns)
        photo[row * cell : row * cell + side, column * cell : column * cell + side] = tile
    return photo


@pytest.mark.parametrize("degrees", [45, 60, 75, 85, 90, 180, 270, 300])
def test_a_face_is_known_however_far_it_is_turned(degrees: float) -> None:
    assert nearest(turned(framed(portrait()), degrees)) < recognition.engine().thresholds.sure


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_the_box_of_a_turned_face_is_where_the_face_is(quarters: int) -> None:
    """The corners of the upright face's box, turned with the picture."""
    box = portrait_face().box
    x, y = box.x + box.width / 2, box.y + box.height / 2
    for _ in range(quarters):
        x, y = y, 1 - x

    (face,) = recognition.find_faces(np.ascontiguousarray(np.rot90(portrait(), quarters)))

    assert (face.box.x + face.box.width / 2, face.box.y + face.box.height / 2) == pytest.approx((x, y), abs=0.03)
    assert face.box.width * face.box.height == pytest.approx(box.width * box.height, rel=0.35)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_phone_held_otherwise_gives_the_same_face(orientation: int, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(oriented_jpeg(portrait(), orientation))

    assert nearest(images.decode(tmp_path / "photo.jpg", images.DECODE_EDGE).pixels) < 0.1


@pytest.mark.parametrize(
    "change",
    [
        lit_from_the_side,
        lambda pixels: lit_from_the_side(pixels[:, ::-1])[:, ::-1],
        grey,
        lambda pixels: (255 * (pixels / 255) ** 0.4).astype(np.uint8),
        lambda pixels: blurred(pixels, 2),
        lambda pixels: motion_blurred(pixels, 9),
        lambda pixels: np.clip(pixels + np.random.default_rng(5).normal(0, 20, pixels.shape), 0, 255).astype(np.uint8),
    ],
    ids=["left light", "right light", "monochrome", "overexposed", "out of focus", "shaken", "noisy"],
)
def test_a_face_is_known_in_a_bad_picture(change: Callable[[Pixels], Pixels]) -> None:
    assert nearest(change(portrait())) < recognition.engine().thresholds.sure


def test_a_face_behind_sunglasses_is_found_and_worth_a_question() -> None:
    apart = nearest(astronaut_in_sunglasses())

    assert apart < recognition.engine().thresholds.maybe + 0.05
    others = [face.embedding for picture in strangers()[:10] for face in recognition.find_faces(picture)]
    assert min(distance(other, portrait_face().embedding) for other in others) > apart


@pytest.mark.parametrize("left", [150, 200, 210])
def test_a_face_cut_by_the_frame_is_known(left: int) -> None:
    """Up to a third of the face, which spans 182 to 270."""
    limit = recognition.engine().thresholds.maybe
    assert nearest(portrait()[:, left:]) < limit


@pytest.mark.parametrize(("width", "limit"), [(32, 0.4), (40, 0.33), (60, 0.3), (400, 0.3)])
def test_faces_from_32_pixels_are_known(width: int, limit: float) -> None:
    """The astronaut's face is 88 px wide."""
    factor = width / 88
    picture = scaled(portrait(), factor) if factor < 1 else cv2.resize(portrait(), None, fx=factor, fy=factor)

    assert nearest(np.asarray(picture)) < limit


@pytest.mark.parametrize("people", [1, 4, 12, 30, 60])
def test_the_guest_is_found_among_up_to_60_people(people: int) -> None:
    faces = recognition.find_faces(crowd(people))

    assert len(faces) >= 0.95 * people
    embeddings = np.stack([face.embedding for face in faces])
    selfie = recognition.embed_selfie(np.ascontiguousarray(head()))
    result = recognition.match(selfie.embedding, embeddings, photos=np.zeros(len(faces), int))
    assert [hit.tier for hit in result.hits] == ["sure"]


@pytest.mark.parametrize(
    "change", [grey, lit_from_the_side, lambda pixels: motion_blurred(pixels, 5), lambda pixels: turned(pixels, 30)]
)
def test_a_bad_selfie_still_finds_the_guest(change: Callable[[Pixels], Pixels]) -> None:
    selfie = recognition.embed_selfie(np.ascontiguousarray(change(portrait())))

    assert recognition.match(selfie.embedding, portrait_face().embedding[None]).hits[0].tier == "sure"


@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: np.rot90(pixels),
        lambda pixels: np.rot90(pixels, 2),
        grey,
        lambda pixels: blurred(pixels, 2),
        lambda pixels: (pixels * 0.3).astype(np.uint8),
    ],
    ids=["on its side", "upside down", "monochrome", "out of focus", "dark"],
)
def test_real_portraits_are_known_in_bad_pictures(change: Callable[[Pixels], Pixels], photos_dir: Path) -> None:
    thresholds = recognition.engine().thresholds
    for name in ("obama_1.jpg", "biden_1.jpg"):
        picture = np.asarray(Image.open(photos_dir / "portraits" / name).convert("RGB").reduce(3))
        (plain,) = recognition.find_faces(picture)
        (changed,) = recognition.find_faces(np.ascontiguousarray(change(picture)))
        assert distance(plain.embedding, changed.embedding) < thresholds.sure, name


def group_with(sides: list[int]) -> Pixels:
    """A photo of the astronaut's head in so many sizes, in pixels."""
    photo = np.full((1067, 1600, 3), 120, np.uint8)
    for place, side in enumerate(sides):
        column, row = 260 * (place % 6), 300 * (place // 6)
        photo[row : row + side, column : column + side] = cv2.resize(head(), (side, side), interpolation=cv2.INTER_AREA)
    return photo


@pytest.mark.parametrize("sides", [[250, 200, 150, 120, 100, 80], [90] * 18], ids=["a few", "a crowd"])
def test_a_quick_first_look_and_a_second_one_see_what_a_close_one_sees(sides: list[int]) -> None:
    recognition.load()
    photo = group_with(sides)
    closely = detection.detect(photo, "centerface-onnx", closely=True)
    assert len(closely) >= len(sides) - 1
    for region in closely:
        seen = min(detection.detect(photo, "centerface-onnx"), key=lambda other: np.hypot(*offset(region, other)))
        assert max(map(abs, offset(region, seen))) < 0.15 * region.side
        assert seen.side == pytest.approx(region.side, rel=0.25)


def offset(one: detection.Region, other: detection.Region) -> tuple[float, float]:
    return one.centre[0] - other.centre[0], one.centre[1] - other.centre[1]
