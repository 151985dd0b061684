"""A photographer's folder, or a camera's, into an album of a site somewhere else."""

import signal
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getpass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from galleries.management.folder_upload.answers import Away, Refused
from galleries.management.folder_upload.folder import File, Unreadable, listing
from galleries.management.folder_upload.shown import Bar, Json, Lines
from galleries.management.folder_upload.site import Site, split_address
from galleries.management.folder_upload.upload import Numbers, Upload
from galleries.management.folder_upload.watching import watch
from pixora_site import env

# A file that changes while it is sent is looked at again so often, after so many seconds.
_LOOKS, _PAUSE = 5, 2.0
_SOME_ARE_NOT, _REFUSED, _INTERRUPTED = 1, 2, 130


class Command(BaseCommand):
    help = (
        "Send the photos of FOLDER and its subfolders that an album lacks. URL is the album's address, or the site's "
        "with --album. Ends with 0 (all are there), 1 (some are not), 2 (nothing can be sent) or 130 (interrupted)."
    )
    # It works on another machine's site: this one needs no database.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", metavar="URL")
        parser.add_argument("folder", type=Path, metavar="FOLDER")
        parser.add_argument(
            "--token", default="", help="better in PIXORA_TOKEN, in the file that PIXORA_TOKEN_FILE names, or typed in"
        )
        parser.add_argument("--album", default="", metavar="TITLE", help="found by its title at the site, or made")
        parser.add_argument("--watch", action="store_true", help="go on with what is added, until Ctrl-C")
        parser.add_argument("--replace", action="store_true", help="a changed file takes the place of its old photo")
        parser.add_argument("--parallel", type=int, default=3, metavar="N", help="files sent at once (3)")
        parser.add_argument(
            "--patience", type=float, default=300, metavar="S", help="wait so many seconds for a site that is away"
        )
        parser.add_argument("--json", action="store_true", help="an object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"].absolute()
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder.", returncode=2)
        if not 1 <= options["parallel"] <= 16:
            raise CommandError("--parallel takes a number from 1 to 16.", returncode=2)
        options["token"] = _token(options["token"])
        if _is_open_to_listeners(options["url"]):
            self.stderr.write("Over http, whoever is on the way can read the token and the photos; use https.")
        console = Console(file=sys.stdout, markup=False, emoji=False, highlight=False)
        kind = Json if options["json"] else Bar if console.is_terminal else Lines
        with _ended_by_signals(), kind(console, every_file=options["watch"]) as shown:
            code = _run(folder, options, shown)
        if code:
            sys.exit(code)


def _token(given: str) -> str:
    """Raises CommandError."""
    token = given or env.secret("PIXORA_TOKEN")
    if not token and sys.stdin.isatty():
        token = getpass("Token: ").strip()
    if not token.isascii() or not token.isalnum():
        words = "This is no token of Pixora's." if token else "Put a token into PIXORA_TOKEN."
        raise CommandError(f"{words} One is made at the site, under API tokens.", returncode=2)
    return token


def _is_open_to_listeners(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")


def _run(folder: Path, options: dict[str, Any], shown: Lines) -> int:
    """The command's exit code; what is left or refused is shown."""
    try:
        upload = _opened(options, shown)
    except (Refused, Away) as error:
        shown.finish(str(error))
        return _REFUSED
    except KeyboardInterrupt:
        shown.finish("Ended before the site answered.")
        return _INTERRUPTED
    shown.upload = upload
    words, code = "", 0
    try:
        _send(folder, upload, is_watching=options["watch"])
    except KeyboardInterrupt:
        # That is how watching ends.
        code = 0 if options["watch"] else _INTERRUPTED
    except Refused as refused:
        words, code = str(refused), _REFUSED
    except Away as away:
        words, code = str(away), _SOME_ARE_NOT
    finally:
        upload.close()
    return _finished(upload.numbers, words, code, shown)


def _finished(numbers: Numbers, words: str, code: int, shown: Lines) -> int:
    if numbers.left and code != _REFUSED:
        words = f"{words} Run it again: it sends only what is missing.".strip()
        code = code or _INTERRUPTED
    shown.finish(words, numbers)
    return code or (0 if numbers.all_there else _SOME_ARE_NOT)


def _opened(options: dict[str, Any], shown: Lines) -> Upload:
    """The upload into the album, which answers; a folder that is watched waits for that. Raises Refused, Away."""
    address, album = split_address(options["url"])
    if bool(album) == bool(options["album"]):
        raise Refused("Give the address of an album, or that of a site with --album TITLE: one of the two.")
    site = Site(address, options["token"], float("inf"), shown.waiting)

    def knock() -> str:
        found = album or site.find_or_make_album(options["album"])
        site.check(found, [])
        return found

    try:
        found = site.patiently(knock) if options["watch"] else knock()
    except BaseException:
        site.hang_up()
        raise
    site.patience = float("inf") if options["watch"] else options["patience"]
    return Upload(site, found, shown, lanes=options["parallel"], replace=options["replace"])


def _send(folder: Path, upload: Upload, *, is_watching: bool) -> None:
    """Raises Refused, Away, KeyboardInterrupt."""
    if is_watching:
        watch(folder, upload)
        return
    files = listing(folder).files
    for _ in range(_LOOKS):
        upload.add(files)
        upload.wait()
        if not (changed := upload.take_changed()):
            return
        upload.site.stop.wait(_PAUSE)
        files = [file for each in changed for file in _now(each)]
    upload.give_up(files, "The file keeps changing.")


def _now(file: File) -> list[File]:
    """Nothing, if it is no longer there."""
    try:
        return [file.again()]
    except Unreadable:
        return []


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does. SIGIO would end it too, which folder.is_being_written may bring about."""
    chosen: dict[str, Any] = {"SIGTERM": signal.default_int_handler, "SIGIO": signal.SIG_IGN}
    known = {getattr(signal, name): handler for name, handler in chosen.items() if hasattr(signal, name)}
    before = {number: signal.signal(number, handler) for number, handler in known.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
