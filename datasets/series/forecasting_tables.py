"""Tables of series in time: CSV, TSV or Parquet, to tell how they go on.

A row is a time stamp. Several series stand one below the other, named by a column, or side by side,
one a column.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated

import numpy as np
from pydantic import Field, PositiveInt

from threefold.core.errors import UserError
from threefold.datasets.dataset import (
    Dataset,
    Source,
    Subset,
    fingerprint_arrays,
    numeric_targets,
)
from threefold.datasets.facts import Facts, ForecastFacts
from threefold.datasets.raw_inputs import Inputs
from threefold.datasets.series.series_columns import Columns, columns_of, find_columns
from threefold.datasets.series.series_files import Read, mend_series, read_series
from threefold.datasets.series.time_steps import Cycle, Step, guess_cycles, guess_season
from threefold.datasets.series.windows import (
    Borders,
    Fill,
    Series,
    Windows,
    cut_windows,
    find_borders,
    naive_error,
)
from threefold.datasets.tables.columns import describe_numbers
from threefold.datasets.tables.table_files import Table, read_table

TASK_NAME = "forecasting"
QUANTILES = (0.1, 0.5, 0.9)
LONGEST_HORIZON = 48  # steps that are told where no horizon is
HORIZON = 6  # where there is no season either
MOST_SEASONS = 7  # of a context that is not told
FLOOR = 0.01  # of the usual error of the seasonal naive forecast: the least scale of a window

Quantile = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True)
class Wishes:
    """What a user told of windows and splits; `load` explains the fields."""

    context: int | None = None
    horizon: int | None = None
    season: int | None = None
    quantiles: tuple[float, ...] = QUANTILES
    calendar: tuple[Cycle, ...] | None = None
    fill: Fill | None = None
    stride: int = 1
    validation_fraction: float = 0.15
    test_fraction: float = 0.15


def load(
    path: str,
    *,
    facts: Facts | None = None,
    time: str | None = None,
    series: tuple[str, ...] = (),
    target: tuple[str, ...] = (),
    past: tuple[str, ...] = (),
    known: tuple[str, ...] = (),
    context: PositiveInt | None = None,
    horizon: PositiveInt | None = None,
    season: PositiveInt | None = None,
    quantiles: tuple[Quantile, ...] = QUANTILES,
    calendar: tuple[Cycle, ...] | None = None,
    fill: Fill | None = None,
    stride: PositiveInt = 1,
    encoding: str = "utf-8",
    validation_fraction: float = 0.15,
    test_fraction: float = 0.15,
) -> Dataset:
    """Load a table of series.

    Args:
        path: str. A `.csv`, `.tsv` or `.parquet` file.
        facts: Facts. Those of a run: columns and windows are then the run's.
        time: str. The column of time stamps, at equal steps; guessed if None.
        series: tuple of str. The columns that together name each row's series; guessed if empty.
        target: tuple of str. The column to tell ahead, or several, each a series of its own;
            guessed if empty.
        past: tuple of str. Columns of numbers that help and are known up to now.
        known: tuple of str. Columns of numbers that help and are known ahead: plans, holidays.
        context: int. Steps of history that are looked at; guessed if None.
        horizon: int. Steps to tell; guessed if None.
        season: int. Steps of a period, 1 for none; guessed from the step if None.
        quantiles: tuple of float. What is told of each step; 0.5, the median, among them.
        calendar: tuple of str. Cycles that the network is told: day, week, year; guessed if None.
        fill: str. What fills gaps: interpolate, previous or zero; with None they are refused.
        stride: int. Steps between the windows of validation and test.
        encoding: str. Of the characters of a CSV.
        validation_fraction: float. Share of the steps kept for validation, behind those of train.
        test_fraction: float. Share of the steps kept for the test, the latest.

    Returns:
        Dataset. As from `from_table`.

    Raises:
        UserError: for a file, a row, a stamp or a cell that cannot be read, with its place.
    """
    told = Columns(time or "", series, target, past, known)
    wishes = Wishes(
        context, horizon, season, quantiles, calendar, fill, stride,
        validation_fraction, test_fraction,
    )  # fmt: skip
    return from_table(read_table(path, encoding=encoding), path, told, wishes, facts)


def from_table(
    table: Table, reference: str, told: Columns, wishes: Wishes, facts: Facts | None = None
) -> Dataset:
    """Make a dataset of a table that was read.

    Args:
        table: Table. The cells.
        reference: str. The dataset's reference.
        told: Columns. What was told of the columns.
        wishes: Wishes. What was told of windows and splits.
        facts: Facts. Those of a run, if there is one.

    Returns:
        Dataset. Windows as `windows.Windows` gives them. Facts are drawn from the training split
        alone.

    Raises:
        UserError: for what cannot be read, and where no window fits.
    """
    run = facts if isinstance(facts, ForecastFacts) else None
    if run is not None:
        columns, remark = columns_of(run, table), ""
    else:
        columns, remark = find_columns(table, told)
    read = read_series(table, columns, run and Step(run.unit, run.step))
    borders = find_borders(read.series, wishes.validation_fraction, wishes.test_fraction)
    mended = [mend_series(read, one, borders, wishes.fill) for one in read.series]
    series, notes = [one for one, _ in mended], list(read.notes)
    if filled := sum(count for _, count in mended):
        count = f"{filled} step{'s' if filled > 1 else ''}"
        notes.append(f"filled by {wishes.fill}: {count}, which the metrics count like any other")
    found = run or _describe(columns, read.step, series, borders, wishes)
    series, left_out = _keep_long(table, series, found)
    notes += left_out
    splits = _cut(series, borders, found, wishes.stride)
    if run is None and "train" not in splits or not splits:
        raise UserError(
            f"{table.name}: no window of {found.context} + {found.horizon} steps ends before "
            f"{read.step.tell(borders.validation)}, where the training split does; give shorter "
            "ones with -d context= and -d horizon="
        )
    about = _tell(read, found, borders, remark)
    return Dataset(
        reference=reference,
        task=TASK_NAME,
        facts=found,
        splits=splits,
        fingerprint=_fingerprint(series),
        notes=[about, *notes],
    )


def read_histories(
    source: str | Path | IO, facts: ForecastFacts, *, encoding: str, fill: Fill | None
) -> Inputs:
    """Read series that are to be told ahead.

    Args:
        source: str, Path or file. A CSV, TSV or Parquet file, or an open file that holds a CSV:
            recent history, and, where the run knows columns ahead, rows behind it without the
            quantity.
        facts: ForecastFacts. Those of the run.
        encoding: str. Of the characters of a CSV.
        fill: str. What fills gaps; with None they are refused.

    Returns:
        Inputs. One window a series, and an error for each that is too short or has gaps.
    """
    try:
        table = read_table(source, encoding=encoding)
        read = read_series(table, columns_of(facts, table), Step(facts.unit, facts.step))
    except UserError as error:
        return Inputs([], {}, [error])
    alone = len(read.series) == 1 and not facts.series
    names, windows, errors = [], [], []
    for one, ahead in zip(read.series, read.ahead, strict=True):
        try:
            windows.append(_last_window(read, one, ahead, facts, fill))
            names.append(table.name if alone else f"{table.name}, series '{one.name}'")
        except UserError as error:
            errors.append(error)
    keys = windows[0] if windows else ()
    examples = {key: np.concatenate([window[key] for window in windows]) for key in keys}
    return Inputs(names, examples, errors)


def _last_window(
    read: Read, series: Series, ahead: Series, facts: ForecastFacts, fill: Fill | None
) -> dict[str, np.ndarray]:
    """Return the window whose history ends where a series does."""
    steps = len(series)
    if steps < facts.context:
        raise UserError(
            f"{read.table.name}: series '{series.name}' has {steps} steps; the run looks at "
            f"{facts.context}"
        )
    recent = series.cut(steps - facts.context, steps)
    never = int(recent.stamps[-1]) + 1
    recent, _ = mend_series(read, recent, Borders(never, never), fill)
    stamps = read.step.grid(series.stamps, steps + facts.horizon)[steps:]
    known = ahead.known[: facts.horizon]
    if facts.known and (len(known) < facts.horizon or np.isnan(known).any()):
        names = ", ".join(column.name for column in facts.known)
        raise UserError(
            f"{read.table.name}: series '{series.name}' needs {names} for {facts.horizon} steps "
            f"behind {read.step.tell(series.stamps[-1])}, from {read.step.tell(stamps[0])} to "
            f"{read.step.tell(stamps[-1])}"
        )
    whole = Series(
        series.name,
        np.concatenate([recent.stamps, stamps]),
        np.concatenate([recent.values, np.zeros(facts.horizon)]),
        np.concatenate([recent.past, np.zeros((facts.horizon, len(facts.past)))]),
        np.concatenate([recent.known, known if facts.known else np.zeros((facts.horizon, 0))]),
        np.concatenate([recent.rows, np.full(facts.horizon, -1)]),
    )
    origins = [np.array([facts.context])]
    windows = Windows([whole], np.ones(1), facts.context, facts.horizon, origins)
    examples = windows[np.array([0])]
    return {name: array for name, array in examples.items() if name not in ("future", "scale")}


def _describe(
    columns: Columns, step: Step, series: Sequence[Series], borders: Borders, wishes: Wishes
) -> ForecastFacts:
    """Draw facts from the training split: nothing of another split may reach the network."""
    train = [one.cut(0, int(np.searchsorted(one.stamps, borders.validation))) for one in series]
    train = [one for one in train if len(one)]
    if 0.5 not in wishes.quantiles or list(wishes.quantiles) != sorted(set(wishes.quantiles)):
        told = ",".join(map(str, wishes.quantiles))
        raise UserError(f"-d quantiles={told}: they must rise, and 0.5 must be one of them")
    context, horizon, season = _choose_window(train, step, wishes)
    cycles = wishes.calendar
    if cycles is None:
        span = borders.validation - min(one.stamps[0] for one in train)
        cycles = guess_cycles(step, season, span)
    if cycles and step.unit == "number":
        raise UserError(f"-d calendar={','.join(cycles)}: plain numbers are no dates")
    values = np.concatenate([one.values for one in train])
    beside = {
        kind: tuple(
            describe_numbers(
                name, "numeric", np.concatenate([getattr(s, kind)[:, i] for s in train])
            )
            for i, name in enumerate(getattr(columns, kind))
        )
        for kind in ("past", "known")
    }
    return ForecastFacts(
        targets=numeric_targets([columns.quantity], values[:, None]),
        time=columns.time,
        series=columns.series,
        columns=columns.values,
        unit=step.unit,
        step=step.size,
        context=context,
        horizon=horizon,
        season=season,
        cycles=cycles,
        quantiles=wishes.quantiles,
        floor=FLOOR * float(np.median(_scales(train, season))),
        **beside,
    )


def _choose_window(train: Sequence[Series], step: Step, wishes: Wishes) -> tuple[int, int, int]:
    """Return context, horizon and season, of a size that the training split allows."""
    length = int(np.median([len(one) for one in train]))
    season = wishes.season or guess_season(step)
    if wishes.season is None and 3 * season > length:
        season = 1
    horizon = wishes.horizon or (min(season, LONGEST_HORIZON) if season > 1 else HORIZON)
    context = wishes.context
    if context is None:
        room = length // 3 - horizon
        seasons = min(MOST_SEASONS, max(2, room // season))
        context = max(2 * season, min(4 * horizon, room)) if season == 1 else seasons * season
    if context < 2 * season:
        raise UserError(
            f"context={context} must be two seasons of {season} steps at least; give -d context= "
            "or -d season="
        )
    return context, horizon, season


def _keep_long(
    table: Table, series: list[Series], facts: ForecastFacts
) -> tuple[list[Series], list[str]]:
    """Return the series that a window fits into, and a note on the others."""
    length = facts.context + facts.horizon
    long = [one for one in series if len(one) >= length]
    short = [one for one in series if len(one) < length]
    if not long:
        longest = max(series, key=len)
        raise UserError(
            f"{table.name}: series '{longest.name}' has {len(longest)} steps, fewer than a window "
            f"of context {facts.context} and horizon {facts.horizon}; give shorter ones with "
            "-d context= and -d horizon="
        )
    if not short:
        return long, []
    return long, [
        f"left out as shorter than {length} steps: {len(short)} series, such as '{short[0].name}'"
    ]


def _cut(
    series: Sequence[Series], borders: Borders, facts: ForecastFacts, stride: int
) -> dict[str, Source]:
    """Return the windows of each split that has some."""
    train = [one.cut(0, int(np.searchsorted(one.stamps, borders.validation))) for one in series]
    scales = _scales(train, facts.season)
    cuts = [cut_windows(one.stamps, borders, facts.context, facts.horizon) for one in series]
    kept = [
        [places if name == "train" else places[::stride] for name, places in cut.items()]
        for cut in cuts
    ]
    windows = Windows(
        series, scales, facts.context, facts.horizon, [np.concatenate(parts) for parts in kept]
    )
    # All splits gather from the same arrays.
    owner = np.concatenate([np.repeat(range(len(parts)), list(map(len, parts))) for parts in kept])
    rows = {name: np.flatnonzero(owner == place) for place, name in enumerate(cuts[0])}
    return {name: Subset(windows, found) for name, found in rows.items() if len(found)}


def _scales(train: Sequence[Series], season: int) -> np.ndarray:
    """Return in which unit errors of each series count: the seasonal naive forecast's own.

    A series without such errors, too short or constant, takes the median of the others.
    """
    found = np.array([naive_error(one.values, season) for one in train])
    good = np.isfinite(found) & (found > 0)
    return np.where(good, found, np.median(found[good]) if good.any() else 1.0)


def _tell(read: Read, facts: ForecastFacts, borders: Borders, remark: str) -> str:
    step, count = read.step, len(read.series)
    steps = sum(map(len, read.series))
    parts = [
        f"{read.table.name}: {count} series, {steps:,} steps of {step.describe()}",
        *([remark] if remark else []),
        f"tells {facts.horizon} steps from {facts.context}, a season is {facts.season}",
        f"the network is told the {' and the '.join(facts.cycles)}" if facts.cycles else "",
        f"validation from {step.tell(borders.validation)}, test from {step.tell(borders.test)}",
    ]
    return "; ".join(part for part in parts if part)


def _fingerprint(series: Sequence[Series]) -> str:
    names = ("stamps", "values", "past", "known")
    arrays = {name: np.concatenate([getattr(one, name) for one in series]) for name in names}
    lengths = np.array(list(map(len, series)))
    titles = np.array([one.name for one in series], object)
    return fingerprint_arrays(arrays | {"lengths": lengths, "names": titles})
