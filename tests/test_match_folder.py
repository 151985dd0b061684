"""The engine on the command line: match_folder, evaluate_faces, face_models."""

import json
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image
from pytest_django import Settings
from rich.console import Console

import recognition
from galleries.management.commands.match_folder import search_folder
from galleries.management.labelled import numbered, read_labels, score, with_feedback
from recognition import Pixels
from tests.pictures import faceless, jpeg, portrait
from tests.test_recognition import head, strangers, turned


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photos of the astronaut, of a stranger and of nobody, files that are no photos, and selfies good and bad."""
    stranger = np.asarray(Image.fromarray(strangers()[0]).resize((450, 450)))
    write(tmp_path / "photos" / "a.jpg", portrait())
    write(tmp_path / "photos" / "day 2" / "b.jpg", turned(portrait(), 15))
    write(tmp_path / "photos" / "both.jpg", np.concatenate([portrait()[:450], stranger], axis=1))
    write(tmp_path / "photos" / "stranger.jpg", stranger)
    write(tmp_path / "photos" / "nobody.jpg", faceless())
    (tmp_path / "photos" / "cut.jpg").write_bytes(jpeg(portrait())[:9000])
    (tmp_path / "photos" / "day 2" / "notes.txt").write_text("Remember the cake.")
    write(tmp_path / "selfies" / "eileen.png", head())
    write(tmp_path / "selfies" / "coffee.jpg", faceless())
    return tmp_path


def write(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def run(*arguments: Any) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(*map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def matched(folder: Path) -> tuple[Any, str, str]:
    out, err = run("match_folder", folder / "photos", folder / "selfies", "--json", folder / "out.json")
    return json.loads((folder / "out.json").read_text()), out, err


def test_a_folder_is_searched_for_the_people_of_another(folder: Path) -> None:
    found, out, err = matched(folder)

    assert set(found) == {"selfies", "skipped"}
    assert set(found["selfies"]) == {"eileen"}
    matches = found["selfies"]["eileen"]
    assert {match["photo"] for match in matches} == {"a.jpg", "both.jpg", "day 2/b.jpg"}
    assert {match["tier"] for match in matches} == {"sure"}
    distances = [match["distance"] for match in matches]
    assert distances == sorted(distances)
    assert all(distance == round(distance, 4) for distance in distances)
    assert "photos: 5, faces: 5, selfies: 1, matches: 3, skipped: 3" in out
    assert "Photos" in err
    assert "7/7" in err


def test_what_is_skipped_is_told_with_its_reason(folder: Path) -> None:
    skipped = matched(folder)[0]["skipped"]

    assert set(skipped) == {"cut.jpg", "day 2/notes.txt", "selfies/coffee.jpg"}
    assert "damaged" in skipped["cut.jpg"]
    assert "not a photo" in skipped["day 2/notes.txt"]
    assert "no face" in skipped["selfies/coffee.jpg"]


def test_a_second_selfie_of_a_name_is_skipped_and_not_mixed_up(folder: Path) -> None:
    write(folder / "selfies" / "eileen.webp", strangers()[0])

    found, _, _ = matched(folder)

    assert len(found["selfies"]["eileen"]) == 3
    assert "another selfie named eileen" in found["skipped"]["selfies/eileen.webp"]


def test_many_photos_are_read_by_several_processes_with_the_same_result(folder: Path, settings: Settings) -> None:
    for number in range(40):
        write(folder / "photos" / "crowd" / f"{number}.jpg", faceless()[:64, :64])
    settings.PIXORA_WORKERS = 1
    alone, _, _ = matched(folder)
    settings.PIXORA_WORKERS = 2

    together, out, _ = matched(folder)

    assert together == alone
    assert "photos: 45," in out


def test_an_empty_folder_gives_an_empty_result(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    write(tmp_path / "selfies" / "eileen.jpg", head())

    assert matched(tmp_path)[0] == {"selfies": {"eileen": []}, "skipped": {}}


@pytest.mark.parametrize(
    ("photos", "out", "words"),
    [("none", "out.json", "none is not a folder"), ("photos", "none/out.json", "no folder")],
)
def test_a_folder_that_is_not_there_is_said_before_any_work(folder: Path, photos: str, out: str, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        run("match_folder", folder / photos, folder / "selfies", "--json", folder / out)


def test_an_unknown_engine_is_a_message_and_no_traceback(folder: Path, settings: Settings) -> None:
    settings.PIXORA_DETECTOR = "yolo99"

    with pytest.raises(CommandError, match="must be one of"):
        matched(folder)


def label(folder: Path, **changes: Any) -> None:
    labels = {
        "guests": {"eileen": "eileen.png", "coffee": "coffee.jpg"},
        "photos": {"a.jpg": ["eileen"], "day 2/b.jpg": ["eileen"], "both.jpg": [], "nobody.jpg": ["coffee"]},
        "faces": {"a.jpg": [["eileen", 176, 50, 100]], "nobody.jpg": [["coffee", 10, 10, 300]]},
    }
    (folder / "labels.json").write_text(json.dumps(labels | changes))


def test_an_album_is_evaluated_by_tier_and_by_size(folder: Path) -> None:
    label(folder)

    out, _ = run("evaluate_faces", folder)

    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]
    assert ["sure", "0.667", "0.667", "0.000", "2", "1", "1"] in rows
    assert ["from 64 px", "1", "1.000", "1.000"] in rows
    assert ["from 256 px", "1", "0.000", "0.000"] in rows
    assert "1 of 2 labelled faces found, recall 0.500" in out
    assert "Skipped cut.jpg: The file is damaged" in out


def test_feedback_is_simulated_and_told_beside_the_search_without(folder: Path) -> None:
    """The labels call one of the three photos somebody else's. Once it is rejected, it is no longer given."""
    label(folder, photos={"a.jpg": ["eileen"], "both.jpg": ["eileen"]})

    out, _ = run("evaluate_faces", folder, "--feedback")

    rows = {line.split("│")[1].strip(): line.split("│") for line in out.splitlines() if line.startswith("│")}
    assert [cell.strip() for cell in rows["sure"][5:8]] == ["2", "0", "1"]
    assert rows["sure, told"][7].strip() == "0"


def test_the_people_of_an_album_are_compared_with_the_labels(folder: Path) -> None:
    label(folder)
    out, _ = run("evaluate_faces", folder, "--people")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]
    # One face of one person is labelled: there is no pair of which anything could be said.
    assert ["0", "-", "-", "0", "0", "0", "0"] in rows


def test_a_report_is_one_file_that_shows_the_mistakes(folder: Path) -> None:
    label(folder, faces={"a.jpg": [["eileen", 176, 50, 100]], "nobody.jpg": [["<eileen>", 10, 10, 300]]})
    labels = json.loads((folder / "labels.json").read_text())
    labels["guests"] = {"<eileen>": "eileen.png", "coffee": "coffee.jpg"}
    labels["photos"] = {"a.jpg": ["<eileen>"], "nobody.jpg": ["<eileen>"]}
    (folder / "labels.json").write_text(json.dumps(labels))

    out, _ = run("evaluate_faces", folder, "--report", folder / "report.html")

    page = (folder / "report.html").read_text()
    assert "Report:" in out
    assert "Missed by the sure tier: 1" in page
    assert "Wrong and sure: 2" in page
    assert page.count("<svg") == 3
    assert page.count("data:image/jpeg;base64,") == 5, "a selfie for each of three mistakes, a face for two"
    assert "&lt;eileen&gt;" in page
    assert "<eileen>" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_report_that_cannot_be_written_is_said_before_any_work(folder: Path) -> None:
    label(folder)

    with pytest.raises(CommandError, match="no folder"):
        run("evaluate_faces", folder, "--report", folder / "none" / "report.html")


def test_thresholds_are_proposed_beside_those_in_use(folder: Path) -> None:
    label(folder, faces={"a.jpg": [["eileen", 176, 50, 100]], "stranger.jpg": [["somebody", 0, 0, 450]]})

    out, _ = run("calibrate_faces", folder)

    rows = {line.split("│")[1].strip(): line.split("│") for line in out.splitlines() if line.startswith("│")}
    assert set(rows) == {"sure", "maybe", "sure_margin", "maybe_margin", "stranger", "link", "same_picture"}
    assert float(rows["sure"][2]) == recognition.engine().thresholds.sure
    assert "1 guests, 5 faces" in out


def test_nothing_is_proposed_where_nobody_is_known(folder: Path) -> None:
    label(folder, faces={})

    with pytest.raises(CommandError, match="at least one guest"):
        run("calibrate_faces", folder)


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot be read"), ("[1, 2]", "not a label file"), ("{", "not a label file")]
)
def test_labels_that_cannot_be_used_are_a_message(folder: Path, content: str | None, words: str) -> None:
    if content is not None:
        (folder / "labels.json").write_text(content)

    with pytest.raises(CommandError, match=words):
        run("evaluate_faces", folder)


def test_guests_of_a_real_event_are_found(photos_dir: Path) -> None:
    event = photos_dir / "event"
    labels = read_labels(event / "labels.json")

    searched = search_folder(event / "photos", event / "selfies", Console(quiet=True))

    sure = score(searched.matches, labels, {"sure"})
    both = score(searched.matches, labels, {"sure", "maybe"})
    assert sure.recall >= 0.95
    assert sure.precision >= 0.99
    assert sure.perfect >= 0.75 * sure.guests
    assert both.recall >= 0.98
    assert both.precision >= 0.82
    assert set(searched.skipped) == {"broken_truncated.jpg", "broken_not_an_image.jpg"}

    told = with_feedback(searched, labels)
    assert score(told, labels, {"sure"}).recall > sure.recall
    assert score(told, labels, {"sure"}).precision >= sure.precision

    selfies, people = numbered(searched, labels)
    proposed = recognition.calibrate(selfies, searched.rows.vectors, people)
    in_use = recognition.engine().thresholds
    assert asdict(proposed) == pytest.approx(asdict(in_use), abs=0.02)


def test_detectors_and_models_are_listed_with_what_is_known_of_them(settings: Settings) -> None:
    settings.PIXORA_DETECTOR = "opencv"

    out, _ = run("face_models")

    row = {line.split("│")[1].strip(): line for line in out.splitlines() if line.startswith("│")}
    assert "opencv (in use)" in row
    assert "dlib-onnx (in use)" in row
    assert "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30" in row["dlib-onnx (in use)"]
    assert " here " in row["centerface-onnx"]
    assert "DeepFace downloads" in row["Facenet512"]
    assert "│ no " in row["VGG-Face"]
    assert "not stated" in row["Facenet"]
    assert "package mediapipe is missing" in row["mediapipe"]
