"""Which column of a table of series does what: time, names, quantity, what stands alongside it."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.facts import ForecastFacts
from threefold.datasets.series.clocks import DAY, is_skipped, to_utc
from threefold.datasets.tables.column_roles import require_column
from threefold.datasets.tables.columns import ColumnGuess, as_text, guess_columns
from threefold.datasets.tables.dates import ORDERS
from threefold.datasets.tables.notations import MOSTLY, PLAIN
from threefold.datasets.tables.table_files import Table

if TYPE_CHECKING:
    import pandas as pd

TIME_NAMES = ("time", "timestamp", "datetime", "date", "ds", "moment")
COUNT_NAMES = ("year", "month", "week", "day", "hour", "period", "step", "t")
TARGET_NAMES = ("target", "y", "value")
SERIES_NAMES = ("series", "unique_id", "item_id", "series_id", "id")
_CLOCK = r"\d{1,2}[:.h]\d{2}([:.]\d{2}([.,]\d+)?)?( ?[AaPp]\.?[Mm]\.?)?( Uhr)?"
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
        time_zone: str. By whose clock the stamps are written; empty where that does not matter.
    """

    time: str
    series: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    past_covariates: tuple[str, ...] = ()
    future_covariates: tuple[str, ...] = ()
    time_zone: str = ""

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
    return Columns(
        facts.time,
        facts.series,
        facts.columns,
        past_covariates,
        future_covariates,
        facts.time_zone,
    )


def find_columns(
    table: Table, explicit: Columns, guesses: Mapping[str, ColumnGuess]
) -> tuple[Columns, str]:
    """Find what was not given.

    Args:
        table: Table. The cells.
        guesses: mapping of str to ColumnGuess. What each column seems to hold.
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
    time = explicit.time or _guess_time(table, guesses, seen)
    seen[time] = "time"
    series = explicit.series or _guess_series(table, guesses, time, seen)
    seen |= dict.fromkeys(series, "series")
    values = explicit.values or _guess_values(table, guesses, series, seen)
    found = replace(explicit, time=time, series=series, values=values)
    passed = [name for name in table.frame.columns if name not in (*seen, *values)]
    doubts = [f"{name}: {guesses[name].remark}" for name in seen if guesses[name].remark]
    return found, "; ".join(filter(None, [_remark(explicit, found, passed), *doubts]))


def find_time(table: Table) -> str | None:
    """Return the column that makes a table one of series: dates, or numbers that count its rows.

    Args:
        table: Table. Cells that nothing is said of.

    Returns:
        str. `None` where there is no such column.
    """
    names = list(table.frame.columns)
    guesses = guess_columns(table.frame, separator=table.separator)
    counting = (
        name
        for name in _called(names, COUNT_NAMES)
        if _counts(table, name) and not table.frame[name].duplicated().any()
    )
    return next(itertools.chain(_dated(guesses, names), counting), None)


def read_stamps(table: Table, columns: Columns) -> tuple[np.ndarray, bool]:
    """Read time stamps.

    Args:
        table: Table. The cells.
        columns: Columns. Which column has them, and by whose clock they are written.

    Returns:
        (int64 array of shape (rows,), bool): seconds since 1970-01-01, or plain numbers; and
        whether they are plain numbers.

    Raises:
        UserError: for a stamp that is missing or cannot be read, with its row.
    """
    name = columns.time
    if table.notations.get(name, PLAIN).dates in ("", *ORDERS):
        numbers, bad = table.read(name, "numeric")
        if not (bad | np.isnan(numbers)).any() and (numbers == np.rint(numbers)).all():
            return numbers.astype(np.int64), True
    days, bad = table.read(name, "date")
    bad |= np.isnan(days)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise UserError(
            f"{table.where(row)}: column '{name}' holds '{table.show(row, name)}', expected a time "
            "stamp such as 2024-05-31 or 2024-05-31 17:00"
        )
    stamps = np.rint(days * DAY).astype(np.int64)
    return (_place(table, columns, stamps) if columns.time_zone else stamps), False


def _place(table: Table, columns: Columns, local: np.ndarray) -> np.ndarray:
    """Return stamps by the clock of a place in UTC; those of whole days, as they are."""
    zone, cells = columns.time_zone, table.frame[columns.time]
    if not (local % DAY).any():
        return local
    if as_text(cells.head(100)).str.contains(r":\d{2}.*(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})$").any():
        raise UserError(
            f"-d time_zone={zone}: the stamps of {table.name} say their zone themselves, such as "
            f"'{table.show(0, columns.time)}'"
        )
    again = table.frame.duplicated([columns.time, *columns.series]).to_numpy()
    stamps = to_utc(local, zone, again)
    if is_skipped(stamps).any():
        row = int(np.argmax(is_skipped(stamps)))
        raise UserError(
            f"{table.where(row)}: there was no '{table.show(row, columns.time)}' in {zone}, where "
            "clocks were set forward then; leave -d time_zone= out, or give the right one"
        )
    return stamps


def read_quantities(table: Table, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Read columns of numbers.

    Args:
        table: Table. The cells.
        names: sequence of str. The columns.

    Returns:
        (float64 array of shape (rows, columns), list of str): NaN where a cell is empty, or one of
        few that are no number; and remarks on these.

    Raises:
        UserError: for a column with many cells that are no number, with the row of the first.
    """
    found, remarks = np.empty((len(table.frame), len(names))), []
    for place, name in enumerate(names):
        found[:, place], bad = table.read(name, "numeric")
        if not bad.any():
            continue
        row, count = int(np.flatnonzero(bad)[0]), int(bad.sum())
        if count > (1 - MOSTLY) * len(bad):
            raise UserError(
                f"{table.where(row)}: column '{name}' holds '{table.show(row, name)}', expected a "
                "number that float32 can hold"
            )
        found[:, place], remark = table.exclude(name, found[:, place], bad)
        remarks.append(f"{name}: {remark}")
    return found, remarks


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


def _guess_time(table: Table, guesses: Mapping[str, ColumnGuess], seen: Mapping[str, str]) -> str:
    free = [name for name in table.frame.columns if name not in seen]
    counting = (name for name in _called(free, COUNT_NAMES) if _counts(table, name))
    # One that is called time but cannot be read is reported by the row.
    for name in itertools.chain(_dated(guesses, free), counting, _called(free, TIME_NAMES)):
        return name
    raise UserError(
        f"{table.name} has no column of time stamps (its columns: {_list(list(free))}); "
        "name it with -d time=COLUMN"
    )


def _dated(guesses: Mapping[str, ColumnGuess], names: list[str]) -> Iterator[str]:
    """Give the columns of dates, those first that are called so."""
    first = [*_called(names, TIME_NAMES), *_called(names, COUNT_NAMES)]
    return (name for name in (*first, *names) if guesses[name].kind == "date")


def _called(names: list[str], known: Sequence[str]) -> list[str]:
    return [name for name in names if name.strip().lower() in known]


def _guess_series(
    table: Table, guesses: Mapping[str, ColumnGuess], time: str, seen: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the column that distinguishes rows of one stamp, if there are such rows."""
    stamps = table.frame[time]
    if not stamps.duplicated().any():
        return ()
    free = [name for name in table.frame.columns if name not in seen]
    named = [name for name in free if name.strip().lower() in SERIES_NAMES]
    worded = [name for name in free if guesses[name].kind == "categorical"]
    for name in dict.fromkeys([*named, *worded]):
        if not table.frame.duplicated([time, name]).any():
            _require_no_clock(table, time, name)
            return (name,)
    # Either the stamps are wrong, or several columns are wanted: the repeated stamp is shown then.
    return ()


def _require_no_clock(table: Table, time: str, name: str) -> None:
    """Refuse to take the times of a day for the names of series: they are half of a stamp."""
    text = as_text(table.frame[name]).dropna()
    if len(text) and text.str.fullmatch(_CLOCK).all():
        raise UserError(
            f"{table.name}: '{time}' has the days and '{name}' the time of the day, such as "
            f"'{text.iloc[0]}'; write both in one column, or pass -d series={name} if each is a "
            "series of its own"
        )


def _guess_values(
    table: Table,
    guesses: Mapping[str, ColumnGuess],
    series: tuple[str, ...],
    seen: Mapping[str, str],
) -> tuple[str, ...]:
    free = [name for name in table.frame.columns if name not in seen]
    numeric = [name for name in free if guesses[name].kind == "numeric"]
    named = [name for name in numeric if name.strip().lower() in TARGET_NAMES]
    if not numeric:
        raise UserError(
            f"{table.name} has no column of numbers to forecast; name it with -d target=COLUMN"
        )
    if named or series:
        return ((named or numeric)[0 if named else -1],)
    return tuple(numeric)


def _counts(table: Table, name: str) -> bool:
    numbers, bad = table.read(name, "numeric")
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
        remedy = "-d past_covariates= or future_covariates="
        parts.append(f"ignored: {_list(passed)} (name them with {remedy})")
    return "; ".join(parts)


def _list(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
