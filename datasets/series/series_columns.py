"""Which column of a table of series does what: time, names, quantity, what stands alongside it."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.facts import ForecastFacts
from threefold.datasets.tables.column_roles import require_column
from threefold.datasets.tables.columns import Kind, as_text, guess_kind, read_cells
from threefold.datasets.tables.table_files import Table

if TYPE_CHECKING:
    import pandas as pd

TIME_NAMES = ("time", "timestamp", "datetime", "date", "ds", "moment")
COUNT_NAMES = ("year", "month", "week", "day", "hour", "period", "step", "t")
TARGET_NAMES = ("target", "y", "value")
SERIES_NAMES = ("series", "unique_id", "item_id", "series_id", "id")
_SAMPLE = 1000  # rows by which a column is guessed
_SHOWN = 8  # names written out in a note


@dataclass(frozen=True)
class Columns:
    """What the columns of a table of series are.

    Args:
        time: str. The stamps.
        series: tuple of str. They name the series of each row together; none for one series.
        values: tuple of str. The quantity; several are series of their own.
        past_covariates: tuple of str. Known up to now.
        future_covariates: tuple of str. Known ahead, too.
    """

    time: str
    series: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    past_covariates: tuple[str, ...] = ()
    future_covariates: tuple[str, ...] = ()

    @property
    def quantity(self) -> str:
        """What the quantity is called."""
        return self.values[0] if len(self.values) == 1 else "value"


def columns_of(facts: ForecastFacts, table: Table) -> Columns:
    """Return the columns of a run, which the table must have."""
    past_covariates = tuple(column.name for column in facts.past_covariates)
    future_covariates = tuple(column.name for column in facts.future_covariates)
    for name in (facts.time, *facts.series, *facts.columns, *past_covariates, *future_covariates):
        require_column(table, name)
    return Columns(facts.time, facts.series, facts.columns, past_covariates, future_covariates)


def find_columns(table: Table, explicit: Columns) -> tuple[Columns, str]:
    """Find what was not given.

    Args:
        table: Table. The cells.
        explicit: Columns. What the user named; an empty `time` and empty tuples for what not.

    Returns:
        (Columns, str): all of them, and a remark on what was guessed.

    Raises:
        UserError: for a column that is not there or has two roles, and where time or quantity
            cannot be found.
    """
    column_roles = {
        "time": (explicit.time,) if explicit.time else (),
        "series": explicit.series,
        "target": explicit.values,
        "past_covariates": explicit.past_covariates,
        "future_covariates": explicit.future_covariates,
    }
    seen: dict[str, str] = {}
    for role, names in column_roles.items():
        for name in names:
            require_column(table, name)
            if name in seen:
                raise UserError(f"column '{name}' is given both as {seen[name]} and as {role}")
            seen[name] = role
    time = explicit.time or _guess_time(table, seen)
    seen[time] = "time"
    series = explicit.series or _guess_series(table, time, seen)
    seen |= dict.fromkeys(series, "series")
    values = explicit.values or _guess_values(table, series, seen)
    found = Columns(time, series, values, explicit.past_covariates, explicit.future_covariates)
    passed = [name for name in table.frame.columns if name not in (*seen, *values)]
    return found, _remark(explicit, found, passed)


def find_time(table: Table) -> str | None:
    """Return the column that makes a table one of series: dates, or numbers that count its rows.

    Args:
        table: Table. Cells that nothing is said of.

    Returns:
        str. `None` where there is no such column.
    """
    names = list(table.frame.columns)
    counting = (
        name
        for name in _called(names, COUNT_NAMES)
        if _counts(table, name) and not table.frame[name].duplicated().any()
    )
    return next(itertools.chain(_dated(table, names), counting), None)


def read_stamps(table: Table, name: str) -> tuple[np.ndarray, bool]:
    """Read time stamps.

    Args:
        table: Table. The cells.
        name: str. The column of time.

    Returns:
        (int64 array of shape (rows,), bool): seconds since 1970-01-01, or plain numbers; and
        whether they are plain numbers.

    Raises:
        UserError: for a stamp that is missing or cannot be read, with its row.
    """
    column = table.frame[name]
    numbers, bad = read_cells(column, "numeric")
    plain = not (bad | np.isnan(numbers)).any() and (numbers == np.rint(numbers)).all()
    if plain:
        return numbers.astype(np.int64), True
    days, bad = read_cells(column, "date")
    bad |= np.isnan(days)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise UserError(
            f"{table.where(row)}: column '{name}' holds '{table.show(row, name)}', expected a time "
            "stamp such as 2024-05-31 or 2024-05-31 17:00"
        )
    return np.rint(days * 86_400).astype(np.int64), False


def read_quantities(table: Table, names: Sequence[str]) -> np.ndarray:
    """Read columns of numbers.

    Args:
        table: Table. The cells.
        names: sequence of str. The columns.

    Returns:
        float64 array of shape (rows, columns), NaN where a cell is empty.

    Raises:
        UserError: for a cell that is no number, with its row.
    """
    found = np.empty((len(table.frame), len(names)))
    for place, name in enumerate(names):
        found[:, place], bad = read_cells(table.frame[name], "numeric")
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise UserError(
                f"{table.where(row)}: column '{name}' holds '{table.show(row, name)}', expected a "
                "number that float32 can hold"
            )
    return found


def name_series(table: Table, names: Sequence[str]) -> "pd.Series":
    """Return the name of each row's series.

    Raises:
        UserError: where a cell is empty, with its row.
    """
    parts = [as_text(table.frame[name]) for name in names]
    for name, part in zip(names, parts, strict=True):
        if part.isna().any():
            row = int(np.flatnonzero(part.isna())[0])
            raise UserError(f"{table.where(row)}: column '{name}' names no series: it is empty")
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + ", " + part
    return whole


def _guess_time(table: Table, seen: dict[str, str]) -> str:
    free = [name for name in table.frame.columns if name not in seen]
    counting = (name for name in _called(free, COUNT_NAMES) if _counts(table, name))
    # One that is called time but cannot be read is reported by the row.
    for name in itertools.chain(_dated(table, free), counting, _called(free, TIME_NAMES)):
        return name
    raise UserError(
        f"{table.name} has no column of time stamps (its columns: {_list(list(free))}); "
        "name it with -d time=COLUMN"
    )


def _dated(table: Table, names: list[str]) -> Iterator[str]:
    """Give the columns of dates, those first that are called so."""
    first = [*_called(names, TIME_NAMES), *_called(names, COUNT_NAMES)]
    return (name for name in (*first, *names) if _kind(table, name) == "date")


def _called(names: list[str], known: Sequence[str]) -> list[str]:
    return [name for name in names if name.strip().lower() in known]


def _guess_series(table: Table, time: str, seen: dict[str, str]) -> tuple[str, ...]:
    """Return the column that distinguishes rows of one stamp, if there are such rows."""
    stamps = table.frame[time]
    if not stamps.duplicated().any():
        return ()
    free = [name for name in table.frame.columns if name not in seen]
    named = [name for name in free if name.strip().lower() in SERIES_NAMES]
    worded = [name for name in free if _kind(table, name) == "categorical"]
    for name in dict.fromkeys([*named, *worded]):
        if not table.frame.duplicated([time, name]).any():
            return (name,)
    # Either the stamps are wrong, or several columns are wanted: the repeated stamp is shown then.
    return ()


def _guess_values(table: Table, series: tuple[str, ...], seen: dict[str, str]) -> tuple[str, ...]:
    free = [name for name in table.frame.columns if name not in seen]
    numeric = [name for name in free if _kind(table, name) == "numeric"]
    named = [name for name in numeric if name.strip().lower() in TARGET_NAMES]
    if not numeric:
        raise UserError(
            f"{table.name} has no column of numbers to forecast; name it with -d target=COLUMN"
        )
    if named or series:
        return ((named or numeric)[0 if named else -1],)
    return tuple(numeric)


def _kind(table: Table, name: str) -> Kind | None:
    """Guess a column's kind by the first cells that are filled."""
    cells = table.frame[name]
    sample = as_text(cells.head(10 * _SAMPLE)).dropna()
    return guess_kind(sample.head(_SAMPLE) if len(sample) else cells)[0]


def _counts(table: Table, name: str) -> bool:
    numbers, bad = read_cells(table.frame[name], "numeric")
    return not (bad | np.isnan(numbers)).any() and bool((numbers == np.rint(numbers)).all())


def _remark(explicit: Columns, found: Columns, passed: list[str]) -> str:
    parts = []
    if not explicit.time:
        parts.append(f"time is '{found.time}'")
    if found.series and not explicit.series:
        parts.append(f"series are named by '{found.series[0]}'")
    if not explicit.values:
        many = len(found.values) > 1
        names = f"{len(found.values)} series, one a column: " if many else "forecasts "
        parts.append(names + _list([f"'{name}'" for name in found.values]))
    if passed:
        parts.append(f"ignored: {_list(passed)} (name them with -d past= or -d known=)")
    return "; ".join(parts)


def _list(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
