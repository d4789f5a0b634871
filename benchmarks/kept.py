"""What benchmarks measured, kept in files of comma-separated values and in README.md."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from threefold.training.description import catalogue

README = Path(__file__).parent.parent / "README.md"


def find_cells(only: str) -> list[tuple[str, str, str]]:
    """Return every blueprint with each of its tasks and the task's default data.

    Args:
        only: str. A part of BLUEPRINT-TASK.
    """
    return [
        (name, task, found["datasets"][task])
        for name, found in catalogue()["blueprints"].items()
        for task in found["tasks"]
        if only in f"{name}-{task}"
    ]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return what is kept."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def keep(path: Path, row: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Put a row into a file, in the place of an older one of the same keys."""
    row = {name: str(value) for name, value in row.items()}
    rows = {tuple(row[name] for name in keys): row for row in (*read_rows(path), row)}
    text = io.StringIO()
    writer = csv.DictWriter(text, list(row), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[key] for key in sorted(rows))
    path.write_text(text.getvalue(), encoding="utf-8")


def place_table(table: str, begin: str, end: str) -> str:
    """Return README.md with a table between two marks."""
    before, _, rest = README.read_text(encoding="utf-8").partition(begin)
    return f"{before}{begin}\n{table}{end}{rest.partition(end)[2]}"
