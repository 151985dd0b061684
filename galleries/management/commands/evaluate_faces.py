"""How well the engine finds the guests of a labelled album."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

import recognition
from galleries.management import face_report, grouped
from galleries.management.grouped import PeopleScore
from galleries.management.labelled import TIERS, Score, detected, people, read_labels, score, with_feedback

from .match_folder import search_folder


class Command(BaseCommand):
    help = "Measure the engine on DIR: photos/, selfies/ and labels.json."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR")
        parser.add_argument(
            "--feedback", action="store_true", help='search again after one "me" and one "not me" of each guest'
        )
        parser.add_argument(
            "--people", action="store_true", help="group all faces into people and compare them with the labels"
        )
        parser.add_argument("--report", type=Path, metavar="HTML", help="write plots and the mistakes into one file")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        report: Path | None = options["report"]
        if report and not report.absolute().parent.is_dir():
            raise CommandError(f"There is no folder {report.absolute().parent} to write {report.name} into.")
        labels = read_labels(folder / "labels.json")
        searched = search_folder(folder / "photos", folder / "selfies", Console(file=self.stderr))  # type: ignore[arg-type]
        scores = {title: score(searched.matches, labels, tiers) for title, tiers in TIERS.items()}
        told = with_feedback(searched, labels) if options["feedback"] else {}
        feedback = {f"{title}, told": score(told, labels, tiers) for title, tiers in TIERS.items()} if told else {}
        console = Console(file=self.stdout)  # type: ignore[arg-type]  # OutputWrapper writes like a file
        console.print(f"Engine {recognition.engine().name}")
        console.print(_tier_table(scores | feedback))
        console.print(_size_table(scores))
        found, labelled = detected(searched.photos, labels)
        console.print(f"Detection: {found} of {labelled} labelled faces found, recall {_share(found, labelled)}")
        if options["people"]:
            console.print(_people_table(grouped.score(grouped.group_all(searched.rows), people(searched, labels))))
        for file, reason in searched.skipped.items():
            self.stdout.write(f"Skipped {file}: {reason}")
        if report:
            report.write_text(face_report.page(folder, labels, searched, scores | feedback), encoding="utf-8")
            self.stdout.write(f"Report: {report}")


def _tier_table(scores: dict[str, Score]) -> Table:
    table = Table("tier", "recall", "precision", "perfect guests", "found", "missed", "wrong")
    for title, result in scores.items():
        table.add_row(
            title,
            _share(result.found, result.found + result.missed),
            _share(result.found, result.found + result.wrong),
            _share(result.perfect, result.guests),
            *map(str, (result.found, result.missed, result.wrong)),
        )
    return table


def _people_table(result: PeopleScore) -> Table:
    table = Table("people", "recall of pairs", "precision", "groups", "of two people", "people in several", "in none")
    table.add_row(
        str(result.people),
        _share(result.found, result.found + result.missed),
        _share(result.found, result.found + result.wrong),
        *map(str, (result.groups, result.mixed, result.several, result.unseen)),
    )
    return table


def _size_table(scores: dict[str, Score]) -> Table:
    table = Table("side of the labelled square", "faces", *(f"recall, {title}" for title in scores))
    wanted = next(iter(scores.values())).wanted_by_size
    for size in sorted(wanted):
        shares = (_share(result.found_by_size[size], wanted[size]) for result in scores.values())
        table.add_row(f"from {size} px", str(wanted[size]), *shares)
    return table


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "-"
