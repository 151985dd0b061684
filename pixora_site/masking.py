"""Keeps secrets and personal data out of the logs: link tokens in addresses, passwords in URLs, e-mail addresses."""

import re

# A path may stand within another address (?next=), percent-encoded, even twice.
_SLASH, _COLON = r"(?:/|%(?:25)*2f)", r"(?::|%(?:25)*3a)"
_SECRET_PATHS = re.compile(
    rf"({_SLASH}(?:[lrm]|links|setup|invited|reset{_SLASH}key|confirm-email){_SLASH})(?:[a-z0-9_.\-]|{_COLON}){{16,}}",
    re.IGNORECASE,
)
# These two begin where their word does and go through it once: lines are long, and strangers write into them.
_PASSWORDS = re.compile(r"(?<![a-z0-9+.\-])([a-z0-9+.\-]++://)[^\s/@]*@", re.IGNORECASE)
_CREDENTIALS = re.compile(r"\b((?:token|bearer|pixora-guest:)\s+)[a-z0-9_.~+/=\-]{16,}", re.IGNORECASE)
# PostgreSQL quotes the value that a constraint refused.
_ADDRESSES = re.compile(
    r"(?<![a-z0-9_.+\-])[a-z0-9_.+\-]++(?:@|%(?:25)*40)[a-z0-9\-]++(?:\.[a-z0-9\-]++)+", re.IGNORECASE
)


def mask(text: str) -> str:
    for secret in (_SECRET_PATHS, _PASSWORDS, _CREDENTIALS):
        text = secret.sub(r"\1***", text)
    return _ADDRESSES.sub("***", text)
