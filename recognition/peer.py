"""Those whom `manage.py bench` measures us against: other decoders, and stock DeepFace, in a process where nothing of
ours is entered in its registry.
"""

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import weights
from .types import Vectors

_MODEL, _DETECTOR = "Dlib", "mtcnn"


def represent(path: Path) -> float:
    """Seconds that DeepFace takes to find and embed the faces of a photo, which is read before the clock starts."""
    import cv2

    pixels = cv2.imread(str(path))
    deepface = _deepface()
    start = time.perf_counter()
    deepface.represent(pixels, model_name=_MODEL, detector_backend=_DETECTOR, enforce_detection=False)
    return time.perf_counter() - start


def decode_by_opencv(path: Path) -> float:
    """Seconds for half the size of a JPEG. OpenCV takes a file that was cut off for a whole one, so Pixora cannot."""
    import cv2

    start = time.perf_counter()
    pixels: Any = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2)
    cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return time.perf_counter() - start


def decode_by_pyvips(path: Path, edge: int) -> float:
    """Seconds for a picture of at most so many pixels an edge."""
    import pyvips

    start = time.perf_counter()
    pyvips.Image.thumbnail(str(path), edge, size="down").numpy()
    return time.perf_counter() - start


def write_index(folder: Path, vectors: Vectors, photo: Path) -> None:
    """Make `folder` look to `DeepFace.find` as if it had embedded a photo for each vector (n, 128) before."""
    _deepface()
    from deepface.modules import filestore, recognition

    store = filestore.build_file_store(str(folder))
    for number in range(len(vectors)):
        shutil.copy(photo, folder / f"{number}.jpg")
    box = dict.fromkeys(("target_x", "target_y", "target_w", "target_h"), 10)
    rows = [
        {"identity": path, "hash": store.find_hash(path), "embedding": vector.tolist(), **box}
        for path, vector in zip(sorted(store.list_images()), vectors, strict=True)
    ]
    name = f"ds_model_{_MODEL}_detector_{_DETECTOR}_aligned_normalization_base_expand_0.npz".lower()
    save = vars(recognition)["__save_representations"]
    save(store=store, datastore_path=store.join(name), datastore_format="npz", representations=rows)


def find(folder: Path, selfie: Path) -> float:
    """Seconds that DeepFace takes to search its index for the person of a selfie."""
    import cv2

    pixels = cv2.imread(str(selfie))
    deepface = _deepface()
    start = time.perf_counter()
    found = deepface.find(pixels, str(folder), model_name=_MODEL, detector_backend=_DETECTOR, silent=True)
    taken = time.perf_counter() - start
    if not _rows(found):
        raise RuntimeError("DeepFace.find found nothing.")
    return taken


def _rows(found: Sequence[Any]) -> int:
    return sum(map(len, found))


def _deepface() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("DEEPFACE_LOG_LEVEL", "40")
    weights.place(weights.DLIB_RESNET)
    from deepface import DeepFace

    return DeepFace
