"""Tables of series, read onto a grid of equal steps."""

from dataclasses import dataclass, replace

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.series.clocks import DAY, may_be_clock_change
from threefold.datasets.series.series_columns import (
    Columns,
    name_series,
    read_quantities,
    read_stamps,
)
from threefold.datasets.series.time_steps import Step, find_step
from threefold.datasets.series.windows import Fill, Series, SplitBoundaries, fill_gaps
from threefold.datasets.tables.table_files import Table

CLOCKS = "; if clocks were set then, say where with -d time_zone=, such as Europe/Berlin"
SPARSEST = 100  # steps a row: with more, most of a series would be made up


@dataclass(frozen=True)
class Read:
    """What a table of series holds.

    Args:
        table: Table. To say where something stands.
        columns: Columns. What its columns are.
        step: Step. Between two stamps.
        series: list of Series. From the first to the last step that has a value of the quantity,
            NaN where one is missing between; each goes on in `ahead`.
        ahead: list of Series. The steps after the last value, of which only `future_covariates` is
            known.
        notes: list of str. What was decided.
    """

    table: Table
    columns: Columns
    step: Step
    series: list[Series]
    ahead: list[Series]
    notes: list[str]


def read_series(table: Table, columns: Columns, step: Step | None = None) -> Read:
    """Read the series of a table.

    Args:
        table: Table. The cells.
        columns: Columns. What its columns are.
        step: Step. That of a run; found if None.

    Returns:
        Read.

    Raises:
        UserError: for stamps that cannot be read, that repeat, or that stand between two steps;
            with file and row.
    """
    stamps, plain = read_stamps(table, columns)
    cells, slips = read_quantities(
        table, (*columns.values, *columns.past_covariates, *columns.future_covariates)
    )
    groups, notes = _group(table, columns, stamps)
    notes += slips
    if step is None:
        step = find_step([stamps[rows] for rows in groups.values()], numbers=plain)
        by_clock = columns.time_zone and step.unit == "second" and step.size % DAY
        step = replace(step, zone=columns.time_zone) if by_clock else step
    if plain != (step.unit == "number"):
        kinds = ("dates", "plain numbers")
        raise UserError(
            f"{table.name}: column '{columns.time}' holds {kinds[plain]}; the run was fitted on "
            f"{kinds[not plain]}"
        )
    width, alongside = len(columns.values), len(columns.values) + len(columns.past_covariates)
    series, ahead, empty, ends = [], [], [], [0, 0]
    for group, rows in groups.items():
        places = _locate(table, columns.time, group, rows, stamps, step)
        filled = np.full(places[-1] + 1, -1)
        filled[places] = rows
        on_grid = np.full((len(filled), cells.shape[1]), np.nan)
        on_grid[places] = cells[rows]
        regular = step.grid(stamps[rows], len(filled))
        for place, column in enumerate(columns.values):
            name = column if width > 1 else group or columns.quantity
            values = on_grid[:, place]
            whole = Series(
                name, regular, values, on_grid[:, width:alongside], on_grid[:, alongside:], filled
            )
            there = np.flatnonzero(~np.isnan(values))
            if not len(there):
                empty.append(name)
                continue
            ends[0] += int(np.count_nonzero(filled[: there[0]] >= 0))
            ends[1] += int(np.count_nonzero(filled[there[-1] + 1 :] >= 0))
            series.append(whole.cut(there[0], there[-1] + 1))
            ahead.append(whole.cut(there[-1] + 1, len(filled)))
    if not series:
        raise UserError(f"{table.name}: column '{columns.values[0]}' is empty in every row")
    if empty:
        notes.append(f"left out as empty: {len(empty)} series, such as '{empty[0]}'")
    return Read(table, columns, step, series, ahead, [*notes, *_describe_ends(columns, ends)])


def fill_series(
    read: Read, series: Series, boundaries: SplitBoundaries, fill: Fill | None
) -> tuple[Series, int]:
    """Fill what is missing in a series, or refuse it.

    Args:
        read: Read. Where the series comes from.
        series: Series. One of it.
        boundaries: SplitBoundaries. Between the splits.
        fill: str. How to fill; `None` to refuse.

    Returns:
        (Series, int): without missing numbers, and how many steps were filled.

    Raises:
        UserError: for something missing that is not to be filled, with file and row.
    """
    arrays = {
        "past_covariates": series.past_covariates,
        "future_covariates": series.future_covariates,
    }
    alongside = {name: array for name, array in arrays.items() if array.shape[1]}
    missing = np.isnan(np.column_stack([series.values, *alongside.values()]))
    if not missing.any():
        return series, 0
    if fill is None or missing[0].any():  # at the begin there is nothing to fill with
        raise UserError(_describe_missing(read, series, missing, fill))
    filled = {
        name: np.column_stack([fill_gaps(c, series.stamps, boundaries, fill) for c in array.T])
        for name, array in alongside.items()
    }
    values = fill_gaps(series.values, series.stamps, boundaries, fill)
    fixed = Series(
        series.name,
        series.stamps,
        values,
        rows=series.rows,
        observed=~np.isnan(series.values),
        **(arrays | filled),
    )
    return fixed, int(missing.any(axis=1).sum())


def _describe_ends(columns: Columns, ends: list[int]) -> list[str]:
    """Say how many rows without a value stand before the first and after the last one."""
    if not any(ends):
        return []
    before, after = ends
    count = f"{before} before the first and {after} after the last value"
    use = "; the last ones are steps to predict" if after and columns.future_covariates else ""
    return [f"left out: rows without '{columns.quantity}', {count} of the series{use}"]


def _group(
    table: Table, columns: Columns, stamps: np.ndarray
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the rows of each series by its name, in order of time, and a note on their order."""
    groups = {"": np.arange(len(stamps))}
    if columns.series:
        names = name_series(table, columns.series)
        groups = {
            str(name): rows for name, rows in names.groupby(names, sort=False).indices.items()
        }
    notes, moved = [], None
    for name, rows in groups.items():
        back = np.flatnonzero(np.diff(stamps[rows]) < 0)
        if len(back):
            moved = moved if moved is not None else rows[back[0] + 1]
            groups[name] = rows[np.argsort(stamps[rows], kind="stable")]
        _require_once(table, columns, name, groups[name], stamps)
    if moved is not None:
        notes.append(f"sorted by time: {table.where(moved)} is earlier than the row before it")
    return groups, notes


def _require_once(
    table: Table, columns: Columns, name: str, rows: np.ndarray, stamps: np.ndarray
) -> None:
    twice = np.flatnonzero(np.diff(stamps[rows]) == 0)
    if not len(twice):
        return
    first, second = rows[twice[0]], rows[twice[0] + 1]
    more = f" (the first of {len(twice)} such rows)" if len(twice) > 1 else ""
    remedy = "keep one of them"
    if not columns.series:
        remedy += ", or say which column names the series with -d series=COLUMN"
    if may_be_clock_change(int(stamps[second])) and not columns.time_zone:
        remedy += CLOCKS
    raise UserError(
        f"{table.where(second)}: the time stamp '{table.show(second, columns.time)}'{_of(name)} "
        f"stands in {table.unit} {table.numbers[first]} already{more}; {remedy}"
    )


def _locate(
    table: Table, time: str, name: str, rows: np.ndarray, stamps: np.ndarray, step: Step
) -> np.ndarray:
    """Return at which step of the grid, from the series' first, each row stands."""
    places = step.locate(stamps[rows])
    off = np.flatnonzero(places != np.rint(places))
    if len(off):
        row = rows[off[0]]
        raise UserError(
            f"{table.where(row)}: the time stamp '{table.show(row, time)}'{_of(name)} stands "
            f"between two steps: a step is {step.describe()} and the first stamp "
            f"{step.format(stamps[rows[0]])}; fix it, or bring the series to equal steps"
        )
    if places[-1] > SPARSEST * len(rows):
        raise UserError(
            f"{table.name}: {len(rows):,} rows{_of(name)} span {places[-1]:,.0f} steps of "
            f"{step.describe()}: too few to fill the gaps; fix the stamps, or sum the rows up by "
            "a longer step"
        )
    return places.astype(np.int64)


def _describe_missing(read: Read, series: Series, missing: np.ndarray, fill: Fill | None) -> str:
    table, columns, step = read.table, read.columns, read.step
    count = int(missing.any(axis=1).sum())
    at = int(np.flatnonzero(missing.any(axis=1))[0])
    more = f" (the first of {count} such steps)" if count > 1 else ""
    remedy = "fill such gaps with -d fill=interpolate, previous or zero"
    if 2 * count > len(missing):
        remedy = (
            f"{count} of {len(missing)} steps would be made up: stamps do not stand every "
            f"{step.describe()}; sum the rows up by a longer step, or choose the rows of equal ones"
        )
    elif may_be_clock_change(int(series.stamps[at])) and not columns.time_zone:
        remedy += CLOCKS
    if series.rows[at] < 0:
        after = at + int(np.flatnonzero(series.rows[at:] >= 0)[0])
        row = series.rows[after]
        steps = step.describe(after - at)
        return (
            f"{table.where(row)}: a gap{_of(series.name)}: {steps} missing between "
            f"{step.format(series.stamps[at - 1])} and {step.format(series.stamps[after])}{more}; "
            f"{remedy}"
        )
    explicit = (columns.quantity, *columns.past_covariates, *columns.future_covariates)
    if len(columns.values) > 1:
        explicit = (series.name, *explicit[1:])
    column = explicit[int(np.flatnonzero(missing[at])[0])]
    if fill is not None:
        remedy = "there is nothing before it to fill it with: give it, or leave the row out"
    return f"{table.where(series.rows[at])}: column '{column}' is empty{more}; {remedy}"


def _of(name: str) -> str:
    return f" of series '{name}'" if name else ""
