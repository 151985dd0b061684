"""Rows for a spreadsheet, as CSV that no spreadsheet takes for a formula."""

import csv
import io
from collections.abc import Iterable

# With one of these a cell begins what Excel, LibreOffice or Google Sheets calculate.
_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def line(cells: Iterable[object]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(_harmless("" if cell is None else str(cell)) for cell in cells)
    return written.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_BEGINS_FORMULA) else cell
