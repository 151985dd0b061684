"""Keeps link tokens and other secrets that stand in addresses out of the logs."""

import logging
import re

_SECRET_PATHS = re.compile(r"(/(?:l|links|setup|reset/key|confirm-email)/)[A-Za-z0-9_:.\-]{16,}")


def mask(text: str) -> str:
    return _SECRET_PATHS.sub(r"\1***", text)


class MaskSecrets(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask(record.getMessage()), ()
        return True
