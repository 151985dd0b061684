"""A site for gunicorn whose every answer takes a while."""

import time
from collections.abc import Callable
from typing import Any


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    if environ["PATH_INFO"] != "/healthz":
        time.sleep(0.3)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
