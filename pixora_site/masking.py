"""Keeps link tokens and other secrets that stand in addresses out of the logs."""

import logging
import re

# A path may stand within another address (?next=), percent-encoded, even twice.
_SLASH, _COLON = r"(?:/|%(?:25)*2f)", r"(?::|%(?:25)*3a)"
_SECRET_PATHS = re.compile(
    rf"({_SLASH}(?:[lrm]|links|setup|reset{_SLASH}key|confirm-email){_SLASH})(?:[a-z0-9_.\-]|{_COLON}){{16,}}",
    re.IGNORECASE,
)


def mask(text: str) -> str:
    return _SECRET_PATHS.sub(r"\1***", text)


class MaskSecrets(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask(record.getMessage()), ()
        return True
