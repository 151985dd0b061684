"""A Pillow plugin with a bug: its JPEG decoder crashes, never ends, or eats memory where a file's comment says so.

On PYTHONPATH it is there from the start of every process of a site, as an installed one would be.
"""

import ctypes
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from PIL import Image

MARK = b"poison: "
# A machine whose workers have no limit of their own survives the test.
_MOST_BYTES, _BITE_BYTES = 6 << 30, 64 << 20


def crash() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


def never_end() -> None:
    # A worker is given its time by the clock; the child that decodes apart has a limit of CPU time too.
    rest = 0 if "galleries.images" in sys.orig_argv else 0.1
    while True:
        time.sleep(rest)


def eat_memory() -> None:
    eaten = [bytearray(b"x") * _BITE_BYTES for _ in range(_MOST_BYTES // _BITE_BYTES)]
    while eaten:
        pass


EFFECTS: dict[bytes, Callable[[], None]] = {b"crash": crash, b"time": never_end, b"memory": eat_memory}


class Decoder:
    def __init__(self, *arguments: Any) -> None:
        self._decoder = Image.core.jpeg_decoder(*arguments)

    def decode(self, data: bytes) -> Any:
        for word, effect in EFFECTS.items():
            if MARK + word in data:
                effect()
        return self._decoder.decode(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)


Image.register_decoder("jpeg", Decoder)  # type: ignore[arg-type]
