"""Columns of a table, read and packed for a network, and what is to be said of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.facts import TableFacts
from threefold.datasets.tables.column_roles import require_column
from threefold.datasets.tables.columns import ColumnGuess, Kind, encode_words, is_constant
from threefold.datasets.tables.notations import MOSTLY, PLAIN
from threefold.datasets.tables.table_files import Table

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 8  # names written out in a note


@dataclass(frozen=True)
class Column:
    """A column, read.

    Args:
        name: str. Its name.
        kind: Kind. What it holds.
        cells: array of float64, or Series of str. As from `columns.read_cells`.
    """

    name: str
    kind: Kind
    cells: "np.ndarray | pd.Series"


def kinds_of(facts: TableFacts) -> dict[str, Kind]:
    """Return the columns of a run, in the order in which they are packed, and what they hold."""
    kinds: dict[str, Kind] = {column.name: "numeric" for column in facts.numeric}
    kinds |= {column.name: "date" for column in facts.dates}
    return kinds | {column.name: "categorical" for column in facts.categorical}


def read_known(
    table: Table, facts: TableFacts, others: list[str]
) -> tuple[list[Column], list[str]]:
    """Read the columns of a run, in whatever order and company the table has them."""
    kinds = kinds_of(facts)
    for name in kinds:
        require_column(table, name)
    extra = [name for name in others if name not in kinds]
    remarks = [f"ignored: {list_names(extra)}"] if extra else []
    read = {name: _read_column(table, name, kind, "fix it") for name, kind in kinds.items()}
    remarks += [f"{name}: {slips}" for name, (_, slips) in read.items() if slips]
    return [column for column, _ in read.values()], remarks


def read_guessed(
    table: Table,
    guesses: Mapping[str, ColumnGuess],
    explicit: Mapping[str, Kind],
    train: np.ndarray,
) -> tuple[list[Column], list[str]]:
    """Read the columns of a table that nothing is known of.

    Args:
        table: Table. The cells.
        guesses: mapping of str to ColumnGuess. The columns that may serve.
        explicit: mapping of str to Kind. Those whose kind a user gave.
        train: int array. The rows to train on; what is constant there is left out.

    Returns:
        tuple of columns and remarks.

    Raises:
        UserError: for a column with many cells that are not of its kind, and where none is left.
    """
    columns: list[Column] = []
    left_out: dict[str, list[str]] = {}
    doubts: dict[str, list[str]] = {}
    for name, (kind, remark, *_) in guesses.items():
        if kind is None:
            left_out.setdefault(remark, []).append(name)
            continue
        remedy = f"fix it, or pass -d categorical={name} or -d ignore={name}"
        column, slips = _read_column(table, name, kind, remedy)
        if name not in explicit and is_constant(column.cells[train]):
            left_out.setdefault("constant", []).append(name)
            continue
        columns.append(column)
        for doubt in filter(None, (remark, slips)):
            doubts.setdefault(doubt, []).append(name)
    reasons = ", ".join(f"{list_names(names)} ({why})" for why, names in left_out.items())
    if not columns:
        raise UserError(
            f"{table.name} has no column to learn from besides the target"
            + (f"; left out: {reasons}" if left_out else "")
        )
    remarks = []
    for kind, heading in (("numeric", "numeric"), ("date", "dates"), ("categorical", "words")):
        if found := [column.name for column in columns if column.kind == kind]:
            remarks.append(f"{heading}: {list_names(found)}")
    if left_out:
        remarks.append(f"left out: {reasons}")
    return columns, remarks + [f"{list_names(names)}: {doubt}" for doubt, names in doubts.items()]


def _read_column(table: Table, name: str, kind: Kind, remedy: str) -> tuple[Column, str]:
    """Read a column; of cells that are not of its kind few are missing, with a remark."""
    cells, bad = table.read(name, kind)
    if not bad.any():
        return Column(name, kind, cells), ""
    row, count = int(np.flatnonzero(bad)[0]), int(bad.sum())
    if count > (1 - MOSTLY) * len(bad):
        more = f" (the first of {count} such cells)" if count > 1 else ""
        raise UserError(f"{bad_cell(table, name, kind, row)}{more}; {remedy}")
    cells, remark = table.exclude(name, cells, bad)
    return Column(name, kind, cells), remark


def bad_cell(table: Table, name: str, kind: Kind, row: int) -> UserError:
    """Return what to say of a cell that is not of its column's kind."""
    unit = table.notations.get(name, PLAIN).unit
    number = f"a number with {unit} or alone" if unit else "a number that float32 can hold"
    expected = {"numeric": number, "date": "a date such as 2024-05-31"}
    return UserError(
        f"{table.where(row)}: column '{name}' holds '{table.show(row, name)}', "
        f"expected {expected[kind]}"
    )


def encode(columns: list[Column], facts: TableFacts) -> dict[str, np.ndarray]:
    """Pack the columns into one array a kind, in the order of the facts."""
    cells = {column.name: column.cells for column in columns}
    arrays = {}
    for kind, described in (("numeric", facts.numeric), ("dates", facts.dates)):
        if described:
            dtype = np.float64 if any(column.offset for column in described) else np.float32
            packed = [cells[column.name].astype(dtype) for column in described]
            arrays[kind] = np.stack(packed, axis=1)
    if facts.categorical:
        ids = [encode_words(cells[column.name], column.vocabulary) for column in facts.categorical]
        arrays["categorical"] = np.stack(ids, axis=1)
    return arrays


def count_unsaid(name: str, columns: list[Column], arrays: dict[str, np.ndarray]) -> list[str]:
    """Return a remark if there are cells that are empty, or hold a word that training had not."""
    empty = {one.name: int(np.sum(one.cells != one.cells)) for one in columns}
    words = [one for one in columns if one.kind == "categorical"]
    unknown = {
        one.name: int((arrays["categorical"][:, place] == 0).sum()) - empty[one.name]
        for place, one in enumerate(words)
    }
    parts = []
    for what, counts in (("empty", empty), ("of words that the run does not know", unknown)):
        if total := sum(counts.values()):
            names = list_names([name for name, count in counts.items() if count])
            parts.append(f"{total} cell{'s' if total > 1 else ''} {what} ({names})")
    return [f"{name}: {'; '.join(parts)}"] if parts else []


def count_unknown(columns: list[Column], arrays: dict[str, np.ndarray]) -> list[str]:
    """Return a remark if there are cells whose word the vocabularies lack."""
    words = [column.cells for column in columns if column.kind == "categorical"]
    present = sum(int(cells.notna().sum()) for cells in words)
    unknown = present - int((arrays["categorical"] > 0).sum()) if words else 0
    return [f"{unknown} cells hold words outside the vocabularies"] if unknown else []


def list_names(names: list[str]) -> str:
    """Return names with commas between them, the last of many only counted."""
    shown = ", ".join(names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
