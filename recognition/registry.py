"""How detectors and models come out of DeepFace's registry, and what a process needs before the first of them loads."""

import os
import threading
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from . import engines, weights
from .errors import WeightsMissing

_loading = threading.Lock()


@cache
def detector(name: str) -> Any:
    """Give DeepFace's detector of that name, loaded once in this process."""
    return _built("face_detector", name, engines.detector_named(name))


@cache
def model(name: str) -> Any:
    """Give DeepFace's recognition model of that name, loaded once in this process."""
    return _built("facial_recognition", name, engines.model_named(name))


def session(path: Path) -> Any:
    """Give an ONNX Runtime session on PIXORA_ENGINE_THREADS cores.

    Idle threads sleep instead of spinning, because another worker wants the core. Memory patterns would be kept for
    each shape of picture: without them a worker holds 330 MB instead of 425, at the same speed.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.PIXORA_ENGINE_THREADS
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _built(task: str, name: str, facts: engines.Facts) -> Any:
    with _loading:
        _prepare_process()
        for file in facts.packaged:
            weights.place(file)
        from deepface.modules import modeling

        _enter_own_classes()
        try:
            return modeling.build_model(task=task, model_name=name)
        except (ImportError, ValueError) as error:  # how DeepFace says that a package or a download is missing
            raise WeightsMissing(f"{name} cannot be loaded: {error}") from error


def _prepare_process() -> None:
    """Set what DeepFace and TensorFlow read from the environment. What the user has set there stays."""
    import cv2

    weights.folder().mkdir(parents=True, exist_ok=True)
    threads = str(settings.PIXORA_ENGINE_THREADS)
    for name, value in {
        "DEEPFACE_BACKEND_ENGINE": engines.model_named(settings.PIXORA_FACE_MODEL).backend,
        "DEEPFACE_LOG_LEVEL": "30",
        "TF_USE_LEGACY_KERAS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
    }.items():
        os.environ.setdefault(name, value)
    cv2.setNumThreads(settings.PIXORA_ENGINE_THREADS)


def _enter_own_classes() -> None:
    """Enter Pixora's classes in DeepFace's registry, which imports them by their paths and builds them."""
    from deepface.models.Detector import Detector
    from deepface.models.FacialRecognition import FacialRecognition
    from deepface.modules.modeling import ANY, AVAILABLE_MODELS

    from .centerface import CenterFaceOnnx
    from .embedding import DlibOnnx

    # Virtual subclasses: real ones would have to import DeepFace before they could be defined.
    Detector.register(CenterFaceOnnx)
    FacialRecognition.register(DlibOnnx)
    for task, name, owner in (
        ("face_detector", "centerface-onnx", CenterFaceOnnx),
        ("facial_recognition", "dlib-onnx", DlibOnnx),
    ):
        AVAILABLE_MODELS[task][name] = {ANY: f"{owner.__module__}.{owner.__qualname__}"}
