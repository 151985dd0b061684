import hashlib
import hmac
import time


def is_from_pixora(header: str, body: bytes, secret: str) -> bool:
    said = [part.split("=", 1) for part in header.split(",")]
    seconds = dict(said)["t"]
    wanted = hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    fresh = abs(time.time() - int(seconds)) < 300
    return fresh and any(hmac.compare_digest(wanted, given) for name, given in said if name == "v1")
