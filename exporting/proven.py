"""Which exports were proven: the table that `benchmarks/exports.py` makes and `show` reads."""

import csv
from pathlib import Path
from typing import Any

from threefold.training.backend import BACKENDS

TABLE = Path(__file__).with_name("proven.csv")
COLUMNS = ("blueprint", "task", "dataset", "trained_on", "format", "free_dimensions", "rows",
           "max_abs_diff", "limit", "agreement", "digest")  # fmt: skip


def read_proven(blueprint: str | None = None) -> list[dict[str, str]]:
    """Return the rows of the table: all, or those of a blueprint."""
    with open(TABLE, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if blueprint in (None, row["blueprint"])]


def describe_exports(blueprint: str) -> dict[str, dict[str, Any]]:
    """Return of each format where and how well it was proven, with the family's defaults."""
    found: dict[str, dict[str, Any]] = {}
    for row in read_proven(blueprint):
        about = found.setdefault(row["format"], {"trained_on": [], "max_abs_diff": 0.0, "free": []})
        for key, value in (("trained_on", row["trained_on"]), ("free", row["free_dimensions"])):
            about[key] = list(dict.fromkeys([*about[key], *value.split()]))
        about["trained_on"].sort(key=BACKENDS.index)
        about["max_abs_diff"] = max(about["max_abs_diff"], float(row["max_abs_diff"]))
    return found


def render_table() -> str:
    """Return the table in Markdown: the largest differences, by the backend that trained."""
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    for row in read_proven():
        free = ", ".join(row["free_dimensions"].split())
        cell = (f"`{row['blueprint']}`", row["task"], row["format"], free, row["rows"])
        cells.setdefault(cell, {})[row["trained_on"]] = f"{float(row['max_abs_diff']):.1e}"
    lines = [["blueprint", "task", "format", "free", "rows", *BACKENDS], ["---"] * 8]
    lines += [[*cell, *(found.get(name, "–") for name in BACKENDS)]
              for cell, found in cells.items()]  # fmt: skip
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
