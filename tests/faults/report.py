"""The table at the end of `make faults`: what was done, to which database, what held, and its figures."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Row:
    """One run of one fault. It is filled while the test runs, so that a breach shows how far it came."""

    fault: str
    database: str
    held: list[str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)

    def holds(self, what: str) -> None:
        """Said after the assertion that shows it."""
        self.held.append(what)

    def figure(self, name: str, value: float, unit: str = "") -> None:
        number = f"{value:.1f}" if isinstance(value, float) else str(value)
        self.figures[name] = f"{number} {unit}".strip()


def table(rows: list[tuple[dict[str, Any], str]]) -> str:
    """As Markdown. `rows` are a Row's facts, and the outcome of its test."""
    lines = ["| fault | database | outcome | what held | figures |", "|---|---|---|---|---|"]
    for row, outcome in rows:
        figures = ", ".join(f"{name}: {value}" for name, value in row["figures"].items())
        verdict = {"passed": "holds", "failed": "BREACH"}.get(outcome, outcome)
        lines.append(f"| {row['fault']} | {row['database']} | {verdict} | {'; '.join(row['held'])} | {figures} |")
    return "\n".join(lines)
