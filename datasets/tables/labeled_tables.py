"""Tables of a user's own: CSV, TSV or Parquet, one row an example, one column the target."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import PositiveInt

from threefold.core.errors import UserError
from threefold.datasets.dataset import ArraySource, Dataset, SubsetSource, fingerprint_arrays
from threefold.datasets.facts import Facts, TableFacts
from threefold.datasets.reader import Reader
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.tables.column_roles import (
    ColumnRoles,
    Target,
    divide,
    drop_missing,
    find_split_column,
    find_targets,
    read_target,
    require_column,
)
from threefold.datasets.tables.columns import (
    ColumnGuess,
    Kind,
    describe_numbers,
    describe_words,
    guess_columns,
)
from threefold.datasets.tables.notations import PLAIN, Notation, NotationConfig
from threefold.datasets.tables.packing import (
    Column,
    bad_cell,
    count_unknown,
    count_unsaid,
    encode,
    kinds_of,
    read_guessed,
    read_known,
)
from threefold.datasets.tables.table_files import Table, read_table

if TYPE_CHECKING:
    pass

READER = Reader(
    ("tabular_classification", "tabular_regression"),
    files=(".csv", ".tsv", ".parquet"),
    only="a table, as .csv, .tsv or .parquet",
)


class Rows(NamedTuple):
    """Rows read for a prediction.

    Args:
        arrays: dict of str to array. The network's inputs, in the order of the file.
        names: list of str. What messages call each kept row: `table.csv line 7`.
        errors: list of UserError. One for each row left out, in the order of the file.
        remarks: list of str. What the network is not told of the rows that are kept.
    """

    arrays: dict[str, np.ndarray]
    names: list[str]
    errors: list[UserError]
    remarks: list[str]


def load(
    path: str,
    *,
    task: str | None = None,
    facts: Facts | None = None,
    target: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    numeric: tuple[str, ...] = (),
    dates: tuple[str, ...] = (),
    categorical: tuple[str, ...] = (),
    split_column: str | None = None,
    encoding: str = "utf-8",
    drop_missing_targets: bool = False,
    max_categories: PositiveInt = 1000,
    notation_config: NotationConfig = NotationConfig(),
    split_fractions: SplitFractions = SplitFractions(),
) -> Dataset:
    """Load a table.

    Args:
        path: str. A `.csv`, `.tsv` or `.parquet` file.
        task: str. `tabular_classification` or `tabular_regression`, guessed if None.
        facts: Facts. Those of a run: columns and classes are then read as the run's.
        target: tuple of str. The column to predict, or several of numbers. Guessed if empty: a
            column named target, label, class, y or outcome, else the last.
        ignore: tuple of str. Columns to leave out.
        numeric: tuple of str. Columns to read as numbers, whatever they look like.
        dates: tuple of str. Columns to read as dates, whatever they look like.
        categorical: tuple of str. Columns to read as words, whatever they look like.
        split_column: str. The column that says train, validation or test of each row; one named
            `split` that holds such words is found by itself.
        encoding: str. Of the characters of a CSV.
        drop_missing_targets: bool. Whether rows without a target are left out or refused.
        max_categories: int. The most words a categorical column keeps, the commonest first.
        notation_config: NotationConfig. How numbers and dates are written.
        split_fractions: SplitFractions. How rows are divided where nothing says so.

    Returns:
        Dataset. As from `from_table`.

    Raises:
        UserError: for a file, a row or a cell that cannot be read, with its place.
    """
    known = facts if isinstance(facts, TableFacts) else None
    said = known or notation_config
    table = read_table(
        path, encoding=encoding, header=said.header, keep_all_rows=said.keep_all_rows
    )
    return from_table(
        table,
        path,
        column_roles=ColumnRoles(
            target, ignore, _explicit_kinds(numeric, dates, categorical), split_column
        ),
        split_fractions=split_fractions,
        task=task,
        facts=facts,
        drop_missing_targets=drop_missing_targets,
        max_categories=max_categories,
        notation_config=notation_config,
    )


def from_table(
    table: Table,
    reference: str,
    *,
    column_roles: ColumnRoles,
    split_fractions: SplitFractions,
    task: str | None = None,
    facts: Facts | None = None,
    drop_missing_targets: bool = False,
    max_categories: int = 1000,
    notation_config: NotationConfig = NotationConfig(),
) -> Dataset:
    """Make a dataset of a table that was read; `load` explains the arguments.

    Args:
        table: Table. The cells.
        reference: str. The dataset's reference.
        column_roles: ColumnRoles. What is given of the columns.
        split_fractions: SplitFractions. How rows are divided where no column says so.
        task: str. The task, if given.
        facts: Facts. Those of a run, if there is one.
        drop_missing_targets: bool. Whether rows without a target are left out or refused.
        max_categories: int. The most words of a categorical column.
        notation_config: NotationConfig. How numbers and dates are written, where it is given.

    Returns:
        Dataset. Arrays `numeric` and `dates` (days since 1970-01-01) float32, or float64 where that
        would make differing cells alike, NaN where missing; `categorical` int32, 0 where missing or
        unknown; kinds without a column are left out; and `label` int64 or `target` float32.
        Facts are taken from the training split alone.

    Raises:
        UserError: for columns that are not there and cells that cannot be read.
    """
    known = facts if isinstance(facts, TableFacts) else None
    column_roles.check(table)
    split_column = find_split_column(table, column_roles, known)
    targets, found = find_targets(table, column_roles, split_column, known)
    guesses: dict[str, ColumnGuess] = {}
    if known is None:
        notation_config.check()
        free = [n for n in table.frame.columns if n not in (*column_roles.ignore, split_column)]
        guesses = guess_columns(
            table.frame[free], notation_config, column_roles.kinds, separator=table.separator
        )
        notations = {name: one.notation for name, one in guesses.items() if one.notation != PLAIN}
    else:
        notations = known.notations
    table = replace(table, notations=notations)
    table, remarks = drop_missing(table, targets, drop_missing_targets, known)
    found_target = read_target(table, targets, task, known)
    splits, how = divide(table, found_target, split_column, split_fractions, known)
    taken = (*targets, *column_roles.ignore, split_column)
    others = [name for name in table.frame.columns if name not in taken]
    if known is not None:
        columns, about_columns = read_known(table, known, others)
    else:
        guessed = {name: guesses[name] for name in others}
        columns, about_columns = read_guessed(table, guessed, column_roles.kinds, splits["train"])
        remarks += [f"{name}: {guesses[name].remark}" for name in targets if guesses[name].remark]
        described = _describe(
            columns, found_target, splits["train"], max_categories, table.notations
        )
        said = ("header", "keep_all_rows")
        known = described.model_copy(update={n: getattr(notation_config, n) for n in said})
    arrays = encode(columns, known) | found_target.arrays
    about = f"{table.name}: {len(table.frame)} rows; predicts {found_target.describe()}{found}"
    remarks += [*about_columns, *count_unknown(columns, arrays), how]
    source = ArraySource(arrays)
    return Dataset(
        reference=reference,
        task=found_target.task,
        facts=known,
        splits={name: SubsetSource(source, rows) for name, rows in splits.items()},
        fingerprint=_fingerprint(columns, found_target),
        notes=["; ".join([about, *remarks]), *table.notes],
    )


def read_rows(source: str | Path | IO, facts: TableFacts, *, encoding: str = "utf-8") -> Rows:
    """Read rows to predict; targets need not be there, other columns are ignored.

    Args:
        source: str, Path or file. A CSV, TSV or Parquet file, or an open file that holds a CSV.
        facts: TableFacts. Those of the run.
        encoding: str. Of the characters of a CSV.

    Returns:
        Rows. What can be read, and an error for each row that cannot.

    Raises:
        UserError: where the file cannot be read at all or lacks a column.
    """
    table = read_table(
        source,
        encoding=encoding,
        header=facts.header,
        keep_all_rows=facts.keep_all_rows,
        skip_bad_rows=True,
    )
    table = replace(table, notations=facts.notations)
    errors = dict(table.errors)
    columns, keep = [], np.ones(len(table.frame), bool)
    for name, kind in kinds_of(facts).items():
        require_column(table, name)
        cells, bad = table.read(name, kind)
        for row in np.flatnonzero(bad & keep):
            errors[int(table.positions[row])] = bad_cell(table, name, kind, row)
        keep &= ~bad
        columns.append(Column(name, kind, cells))
    columns = [Column(column.name, column.kind, column.cells[keep]) for column in columns]
    in_order = [errors[position] for position in sorted(errors)]
    names = [table.where(row) for row in np.flatnonzero(keep)]
    arrays = encode(columns, facts)
    return Rows(arrays, names, in_order, [*table.notes, *count_unsaid(table.name, columns, arrays)])


def _explicit_kinds(
    numeric: Sequence[str], dates: Sequence[str], categorical: Sequence[str]
) -> dict[str, Kind]:
    forced: dict[str, Kind] = {}
    for kind, names in (("numeric", numeric), ("date", dates), ("categorical", categorical)):
        for name in names:
            if forced.setdefault(name, kind) != kind:
                raise UserError(f"column '{name}' is said to be both {forced[name]} and {kind}")
    return forced


def _describe(
    columns: list[Column],
    found_target: Target,
    train: np.ndarray,
    max_categories: int,
    notations: Mapping[str, Notation],
) -> TableFacts:
    """Take facts from the training split: nothing of another split may reach the network."""
    found: dict[Kind, list] = {"numeric": [], "date": [], "categorical": []}
    for column in columns:
        if column.kind == "categorical":
            facts = describe_words(column.name, column.cells[train], max_categories)
        else:
            facts = describe_numbers(column.name, column.kind, column.cells[train])
        found[column.kind].append(facts)
    return TableFacts(
        numeric=tuple(found["numeric"]),
        dates=tuple(found["date"]),
        categorical=tuple(found["categorical"]),
        target_name=", ".join(found_target.names),
        notations={
            name: notations[name]
            for name in (*(column.name for column in columns), *found_target.names)
            if name in notations
        },
        **found_target.facts(train),
    )


def _fingerprint(columns: list[Column], found_target: Target) -> str:
    """Digest what was read of the cells: the same for any split, row order included."""
    contents = {f"goal {name}": array for name, array in found_target.arrays.items()}
    for column in columns:
        cells = column.cells
        if column.kind == "categorical":
            text = "\0".join(cells.fillna("").to_numpy(object))  # a fourth of the time of a Series
            cells = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
        contents[f"{column.kind} {column.name}"] = cells
    return fingerprint_arrays(contents)
