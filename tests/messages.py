"""The words of the site for translators, found in code and templates, kept and compiled in galleries/locale.

`make messages` brings them up to date.
Needs no GNU gettext. Of Python it reads calls of gettext and its kin, and the words of a Refusal or an ImageRejected,
which are English where they are raised and translated where they are shown (galleries/words.py).
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "galleries" / "locale"
LANGUAGES = ("de",)
# Name of a function -> the places of its msgid, and of its plural if it has one.
_CALLS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), (0,)),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (0, 1)),
    **dict.fromkeys(("Refusal", "UnknownGuestKey", "ImageRejected"), (1,)),
    "_quarantine": (2,),
}


@dataclass(frozen=True, order=True)
class Message:
    """`plural` is "" where there is none; `place` is the file, without a line, so that moves make no noise."""

    msgid: str
    plural: str
    place: str


def messages() -> list[Message]:
    """All words of the site, each once a file."""
    found = {*_of_python(), *_of_templates()}
    return sorted(found, key=lambda message: (message.place, message.msgid))


def _of_python() -> Iterator[Message]:
    for path in sorted((ROOT / "galleries").rglob("*.py")):
        if "migrations" not in path.parts and "management" not in path.parts:
            yield from _calls(path.read_text(), _place(path))


def _of_templates() -> Iterator[Message]:
    # Imported here: it wants Django's settings, which the program below does without.
    from django.utils.translation.template import templatize

    for path in sorted((ROOT / "templates").rglob("*.*")):
        code = templatize(path.read_text())
        for call in re.finditer(r"(?<!\w)(gettext|ngettext|_)\((.*?)\) ", code, re.DOTALL):
            yield from _calls(f"{call[1]}({call[2]})", _place(path))


def _calls(code: str, place: str) -> Iterator[Message]:
    for node in ast.walk(ast.parse(code)):
        name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
        if name in _CALLS and isinstance(node, ast.Call):
            words = [_constant(node.args[at]) if at < len(node.args) else "" for at in _CALLS[name]]
            if words[0]:
                yield Message(words[0], words[1] if len(words) > 1 else "", place)


def _constant(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def catalogue_path(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def template() -> polib.POFile:
    """The words without any translation."""
    entries: dict[tuple[str, str], polib.POEntry] = {}
    for message in messages():
        key = message.msgid, message.plural
        plural = {"msgid_plural": message.plural, "msgstr_plural": {0: "", 1: ""}} if message.plural else {}
        flags = ["python-format"] if re.search(r"%\(\w+\)", message.msgid + message.plural) else []
        entry = entries.setdefault(key, polib.POEntry(msgid=message.msgid, flags=flags, **plural))
        entry.occurrences.append((message.place, ""))
    pot = polib.POFile(wrapwidth=0)
    pot.extend(_one_of_each(list(entries.values())))
    return pot


def _one_of_each(entries: list[polib.POEntry]) -> list[polib.POEntry]:
    """A msgid with a plural serves also where the same words are used without one."""
    plural = {entry.msgid for entry in entries if entry.msgid_plural}
    return [entry for entry in entries if entry.msgid_plural or entry.msgid not in plural]


def updated(language: str) -> polib.POFile:
    """The catalogue with every new word in it, and none that is gone; what is translated stays."""
    catalogue = polib.pofile(str(catalogue_path(language)), wrapwidth=0)
    known = {entry.msgid: entry for entry in catalogue}
    fresh = polib.POFile(wrapwidth=0)
    fresh.metadata = catalogue.metadata
    for entry in template():
        old = known.get(entry.msgid)
        if old and bool(old.msgid_plural) == bool(entry.msgid_plural):
            entry.msgstr, entry.msgstr_plural = old.msgstr, old.msgstr_plural
        fresh.append(entry)
    return fresh


def main() -> None:
    import django

    django.setup()
    for language in LANGUAGES:
        catalogue, path = updated(language), catalogue_path(language)
        catalogue.save(str(path))
        catalogue.save_as_mofile(str(path.with_suffix(".mo")))
        missing = [entry.msgid for entry in catalogue.untranslated_entries()]
        print(f"{path.relative_to(ROOT)}: {len(catalogue)} messages, {len(missing)} to be translated")  # noqa: T201
        for msgid in missing:
            print(f"  {msgid}")  # noqa: T201


if __name__ == "__main__":
    main()
