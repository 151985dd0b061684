"""Which thresholds the configured engine should have, by a labelled album."""

from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

import recognition
from galleries.management.labelled import numbered, read_labels

from .match_folder import search_folder


class Command(BaseCommand):
    help = "Propose thresholds for the configured engine from DIR: photos/, selfies/ and labels.json. Changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        labels = read_labels(folder / "labels.json")
        searched = search_folder(folder / "photos", folder / "selfies", Console(file=self.stderr))  # type: ignore[arg-type]
        selfies, people = numbered(searched, labels)
        try:
            proposed = recognition.calibrate(selfies, searched.rows.vectors, people)
        except ValueError as error:
            raise CommandError(str(error)) from error
        console = Console(file=self.stdout)  # type: ignore[arg-type]  # OutputWrapper writes like a file
        console.print(f"Engine {recognition.engine().name}, {len(selfies)} guests, {len(people)} faces")
        console.print(_table(proposed))
        console.print("The numbers in use stand in recognition/engines.py. One album is one sample: try several.")


def _table(proposed: recognition.Thresholds) -> Table:
    table = Table("threshold", "in use", "proposed")
    for name, value in asdict(recognition.engine().thresholds).items():
        table.add_row(name, f"{value:.3f}", f"{getattr(proposed, name):.3f}")
    return table
