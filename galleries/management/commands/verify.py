import json
import time
from argparse import ArgumentParser
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from galleries.flows import contradictions, mend, verify
from galleries.flows.verify import Finding, Kind, Report
from galleries.models import Album, Archive, Photo, Selfie

_SHOWN = 50
# Fewer may all have been lost one by one.
_MANY = 10
_WORDS = {
    Kind.ORIGINAL_MISSING: "the original is gone; its owner has to send the file again",
    Kind.ORIGINAL_ALTERED: "the original is damaged; its owner has to send the file again",
    Kind.ORIGINAL_FOUND: "told as lost or damaged, and sound again",
    Kind.PREVIEW_MISSING: "there is no preview",
    Kind.PREVIEW_ALTERED: "the preview is damaged",
    Kind.THUMB_MISSING: "there is no thumbnail",
    Kind.THUMB_ALTERED: "the thumbnail is damaged",
    Kind.STRIPPED_WRONG: "what guests download is not the original without its metadata",
    Kind.LOGO_MISSING: "the album's logo is gone; its owner has to send it again",
    Kind.LOGO_ALTERED: "the album's logo is damaged; its owner has to send it again",
    Kind.SCRATCH_MISSING: "a waiting search has no picture; it ends by itself, and its guest takes another",
    Kind.ORPHAN: "a file that belongs to nothing",
    Kind.SCRATCH_LEFT: "a guest's selfie that no search waits for",
    Kind.TEMPORARY_LEFT: "temporary files that upkeep should have removed",
    Kind.ERASURE_LEFT: "an erasure that upkeep should have carried out",
    Kind.ARRIVAL_LEFT: "an upload that broke off, and that upkeep should have erased",
    Kind.VECTORS_WRONG: "vectors of a photo are not unit vectors of its faces",
    Kind.FACES_CONTRADICT: "faces of a photo and their vectors do not belong together",
    Kind.FACES_UNWANTED: "faces in an album without face search",
    Kind.FACES_MISSING: "faces were never looked for in a photo that is searched",
    Kind.FACE_COUNT_WRONG: "the number of a photo's faces is wrong",
    Kind.SEARCH_WRONG: "what a search keeps for later photos is of no use",
    Kind.ARCHIVE_WRONG: "a zip's list is not as its photos are",
    Kind.USAGE_WRONG: "what a photographer keeps is not what was counted against their quota",
}


class Command(BaseCommand):
    help = (
        "Find every missing, altered and orphaned file, every row without its file, and rows that contradict each "
        "other, while the site runs. Ends with 0: all is well, 1: something was found, 2: something could not be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--album", type=UUID, help="this album only")
        parser.add_argument("--quick", action="store_true", help="names and sizes only; reads no file")
        parser.add_argument("--repair", action="store_true", help="mend what was found, and ask owners for the rest")
        parser.add_argument("--json", type=Path, metavar="OUT", help="write all findings to this file")

    def handle(
        self, *args: Any, album: UUID | None, quick: bool, repair: bool, json: Path | None, **options: Any
    ) -> None:
        begun = time.monotonic()
        try:
            if album and not Album.objects.filter(pk=album).exists():
                raise CommandError(f"There is no album {album}.", returncode=2)
            report = examined(album, quick=quick)
        except (OSError, DatabaseError) as error:
            raise CommandError(f"This could not be checked: {error}", returncode=2) from error
        mended: set[Finding] = set()
        if repair:
            refuse_an_absent_storage(report)
            mended = {finding for finding in report.findings if mend.mend(finding)}
        self._say(report, mended, repair=repair, seconds=time.monotonic() - begun)
        if json:
            write(json, report, mended)
        left = len(report.findings) - len(mended)
        if report.unchecked or left:
            raise SystemExit(2 if report.unchecked else 1)

    def _say(self, report: Report, mended: set[Finding], *, repair: bool, seconds: float) -> None:
        by_kind: dict[Kind, list[Finding]] = defaultdict(list)
        for finding in report.findings:
            by_kind[finding.kind].append(finding)
        for kind, found in sorted(by_kind.items()):
            done = sum(finding in mended for finding in found)
            self.stdout.write(f"{kind}: {len(found)}{f' ({done} mended)' if repair else ''} -- {_WORDS[kind]}")
            for finding in found[:_SHOWN]:
                self.stdout.write("    " + "  ".join(filter(None, [finding.row, finding.key, finding.detail])))
            if len(found) > _SHOWN:
                self.stdout.write(f"    and {len(found) - _SHOWN} more (--json OUT lists all)")
        for key, why in report.unchecked.items():
            self.stdout.write(f"could not be read: {key}  {why}")
        if any(finding.kind == Kind.ORPHAN for finding in mended):
            folder = mend.lost_and_found()
            self.stdout.write(f"Orphans were moved to {folder}; once nobody misses them: rm -r '{folder}'")
        sizes = f"{report.photos} photos, {report.files} files, {report.bytes / 1e6:.1f} MB read, {seconds:.1f} s"
        self.stdout.write(f"{sizes}: {len(report.findings) or 'no'} findings.")


def examined(album: UUID | None, *, quick: bool) -> Report:
    report = Report()
    photos = Photo.objects.filter(album=album) if album else Photo.objects.all()
    albums = Album.objects.filter(pk=album) if album else Album.objects.all()
    columns = (TextColumn("{task.description:>12}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        rows, known, keys = (progress.add_task(name, total=None) for name in ("photos", "faces", "files"))
        progress.update(rows, total=photos.count())
        verify.check_photos(photos, report, quick=quick, tick=lambda count: progress.advance(rows, count))
        verify.check_logos(albums, report, quick=quick)
        progress.update(known, total=photos.count())
        contradictions.check(photos, report, lambda count: progress.advance(known, count))
        contradictions.check_archives(Archive.objects.filter(album__in=albums), report)
        contradictions.check_searches(Selfie.objects.filter(album__in=albums), report)
        verify.check_searches(Selfie.objects.filter(album__in=albums), report)
        prefixes = [f"originals/{album}/", f"renditions/{album}/"] if album else [""]
        verify.check_keys(prefixes, report, lambda count: progress.advance(keys, count))
        if album is None:
            verify.check_left(report)
            verify.check_usage(report)
    return report


def refuse_an_absent_storage(report: Report) -> None:
    """A disk that is not mounted is no reason to ask all owners for all photos."""
    missing = sum(finding.kind == Kind.ORIGINAL_MISSING for finding in report.findings)
    if missing >= _MANY and missing == Photo.objects.exclude(original_key="").count():
        raise CommandError("Every original is missing: is the storage there? Nothing was changed.", returncode=2)


def write(out: Path, report: Report, mended: set[Finding]) -> None:
    document = {
        "checked": {"photos": report.photos, "files": report.files, "bytes": report.bytes},
        "findings": [asdict(finding) | {"mended": finding in mended} for finding in report.findings],
        "unchecked": report.unchecked,
    }
    out.write_text(json.dumps(document, indent=1) + "\n")
