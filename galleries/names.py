"""Names of files and folders as they come from strangers, made fit for pages, headers and zips on every system."""

import re
import unicodedata

NAME_BYTES = 200
FOLDER_DEPTH = 8
FOLDER_PART_BYTES = 80

# The joiners are parts of emoji and of Persian words. All other format characters turn or hide text.
_JOINERS = "\u200c\u200d"
_HIDDEN_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")
_EDGES = " .\u00a0\u3000" + _JOINERS
_LONGEST_SUFFIX_BYTES = 16
_DEVICE = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[1-9¹²³])\s*(\..*)?", re.IGNORECASE | re.DOTALL)


def clean_name(name: str) -> str:
    """The base name alone: at most 200 bytes of UTF-8, its extension kept, never empty ("photo")."""
    base = _visible(re.split(r"[/\\]", name)[-1]).rstrip(_EDGES)
    stem, dot, suffix = base.rpartition(".")
    if not dot or len(suffix.encode()) > _LONGEST_SUFFIX_BYTES:
        stem, dot, suffix = base, "", ""
    stem = _no_device(stem.strip(_EDGES) or "photo")
    return _cut(stem, NAME_BYTES - len((dot + suffix).encode())) + dot + suffix


def clean_folder(path: str) -> str:
    """A relative path of cleaned parts, "a/b", or "" for none: at most 8 parts of at most 80 bytes of UTF-8."""
    parts = [_cut(_no_device(_visible(part).strip(_EDGES)), FOLDER_PART_BYTES) for part in re.split(r"[/\\]", path)]
    return "/".join([part for part in parts if part][:FOLDER_DEPTH])


def _visible(text: str) -> str:
    """Without what hides or turns text, and without what Windows forbids; in one Unicode form."""
    kept = (c for c in text if c in _JOINERS or unicodedata.category(c) not in _HIDDEN_CATEGORIES)
    return unicodedata.normalize("NFC", re.sub(r'[<>:"|?*]', "_", "".join(kept)))


def _no_device(name: str) -> str:
    """Windows opens a device for such a name, whatever its extension."""
    return f"_{name}" if _DEVICE.fullmatch(name) else name


def _cut(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore").rstrip(_EDGES)
