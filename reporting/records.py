"""Predictions as files: a CSV for spreadsheets, or JSONL with one object a line."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from threefold.core.errors import UserError, suggest
from threefold.core.files import replace_file

FORMATS = (".csv", ".jsonl")
FORMULA_STARTS = "=+-@\t\r\n"  # with which a spreadsheet begins a formula


def check_output(path: str) -> None:
    """Refuse a file that could not be written, before the work that it is meant for.

    Args:
        path: str. What the user typed after `--output`.

    Raises:
        UserError: where it is no `.csv` or `.jsonl`, is a folder, or its folder is not there.
    """
    place = Path(path)
    if place.suffix.lower() not in FORMATS:
        ending = f"ends in '{place.suffix}'" if place.suffix else "has no ending"
        hint = suggest(place.suffix, FORMATS) if place.suffix else ""
        raise UserError(f"--output {path} {ending}, expected .csv or .jsonl{hint}")
    if place.is_dir():
        raise UserError(f"--output {path} is a folder; name a file in it")
    if not place.parent.is_dir():
        raise UserError(
            f"--output {path}: there is no folder {place.parent}; make it, or name another file"
        )


def write_records(
    path: str, records: Sequence[Mapping[str, Any]], *, raw_cells: bool = False
) -> None:
    """Write plain records in their order, all or nothing.

    Args:
        path: str. A `.csv` or `.jsonl` file; one that is there is replaced.
        records: sequence of mapping. A CSV gives a nested value a column of its own, named by its
            path: `probabilities.cat`, and each of several objects a row. A record without some
            column has an empty cell there. No records make an empty file.
        raw_cells: bool. Whether words that a spreadsheet takes for formulas stay as they are; else
            an apostrophe comes before them.

    Raises:
        Failure: where the file cannot be written.
    """
    text = (
        _to_csv(records, raw_cells) if Path(path).suffix.lower() == ".csv" else _to_jsonl(records)
    )
    # A file name that is no UTF-8 must not cost the answers; JSON reads this escape back.
    replace_file(Path(path), text.encode(errors="backslashreplace"))


def _to_jsonl(records: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _to_csv(records: Sequence[Mapping[str, Any]], raw_cells: bool) -> str:
    rows = [_flatten(record) for record in unfold(records)]
    rows = [{name: _join_words(cell) for name, cell in row.items()} for row in rows]
    if not raw_cells:
        rows = [{_as_words(name): _as_words(cell) for name, cell in row.items()} for row in rows]
    columns = dict.fromkeys(name for row in rows for name in row)
    if not rows:
        return ""
    lines: list[str] = []
    # A carriage return in a cell is quoted only where one ends the lines, too.
    writer = csv.DictWriter(SimpleNamespace(write=lines.append), columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)


def _join_words(cell: Any) -> Any:
    """Return several labels as one cell, as tables of labels are read."""
    if isinstance(cell, list) and all(isinstance(word, str) for word in cell):
        return ";".join(cell)
    return cell


def _as_words(cell: Any) -> Any:
    """Return a cell that no spreadsheet runs as a formula; numbers stay numbers."""
    if not isinstance(cell, str) or len(cell) < 2 or cell[0] not in FORMULA_STARTS:
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def unfold(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give every step of a forecast, a record with a list under `time`, a row of its own, and every
    object of an image, under `objects`; an image without any keeps its row.
    """
    rows: list[dict[str, Any]] = []
    for record in records:
        if isinstance(record.get("objects"), list):
            rest = {name: value for name, value in record.items() if name != "objects"}
            rows += [rest | found for found in record["objects"] or ({},)]
            continue
        if not isinstance(record.get("time"), list):
            rows.append(dict(record))
            continue
        flat = _flatten(record)
        rows += [
            {name: value[place] if isinstance(value, list) else value
             for name, value in flat.items()}
            for place in range(len(record["time"]))
        ]  # fmt: skip
    return rows


def _flatten(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
