"""What the site must be able to read again, and no copy of the database may tell: sealed with the site's secret key.

After a change of the key, what was sealed by the ones before still opens (PIXORA_SECRET_KEY_FALLBACKS).
"""

import base64
from functools import cache

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def seal(text: str, purpose: bytes) -> bytes:
    return _vault(purpose, _keys()).encrypt(text.encode())


def unseal(sealed: bytes, purpose: bytes) -> str:
    """Raises cryptography.fernet.InvalidToken: sealed by a key that is known no longer, or for another purpose."""
    return _vault(purpose, _keys()).decrypt(sealed).decode()


def _keys() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@cache
def _vault(purpose: bytes, keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([_fernet(purpose, key) for key in keys])


def _fernet(purpose: bytes, key: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
