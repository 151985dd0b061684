"""What can go wrong in the face engine, in words that a caller can act on."""

from typing import Literal

RejectionCode = Literal["no_face", "several_faces", "face_too_small", "face_blurred"]


class RecognitionError(Exception):
    """Base of all errors that recognition raises on purpose."""


class WeightsMissing(RecognitionError):
    """The weights of the chosen engine are not on this machine; the text says how to get them."""


class UnknownEngine(RecognitionError):
    """A setting names a detector or recognition model that does not exist; the text lists those that do."""


class SelfieRejected(RecognitionError):
    """The selfie cannot be searched with; `code` says why."""

    def __init__(self, code: RejectionCode) -> None:
        super().__init__(code)
        self.code = code
