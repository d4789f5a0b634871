"""Tables of series in time: CSV, TSV or Parquet, to be forecast.

A row is a time stamp. Several series stand one below the other, named by a column, or side by side,
one a column.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import (
    SPLITS,
    Dataset,
    Source,
    SubsetSource,
    fingerprint_arrays,
    numeric_targets,
)
from threefold.datasets.facts import Facts, ForecastFacts
from threefold.datasets.reader import Reader
from threefold.datasets.series.clocks import require_zone
from threefold.datasets.series.series_columns import Columns, columns_of, find_columns
from threefold.datasets.series.series_files import Read, fill_series, read_series
from threefold.datasets.series.time_steps import Step, guess_cycles, guess_season_length
from threefold.datasets.series.windows import (
    Series,
    SplitBoundaries,
    WindowConfig,
    Windows,
    cut_windows,
    find_split_boundaries,
    naive_error,
)
from threefold.datasets.tables.columns import describe_numbers, guess_columns
from threefold.datasets.tables.notations import PLAIN, NotationConfig
from threefold.datasets.tables.table_files import Table, read_table

READER = Reader(("forecasting",), only="a table of series, as .csv")
TASK_NAME = "forecasting"
MAX_HORIZON = 48  # steps that are predicted where no horizon is given
HORIZON = 6  # where there is no season either
MAX_SEASONS = 7  # of a context that is not given
FLOOR = 0.01  # of the usual error of the seasonal naive forecast: the least scale of a window


def load(
    path: str,
    *,
    facts: Facts | None = None,
    time: str | None = None,
    series: tuple[str, ...] = (),
    target: tuple[str, ...] = (),
    past_covariates: tuple[str, ...] = (),
    future_covariates: tuple[str, ...] = (),
    time_zone: str | None = None,
    encoding: str = "utf-8",
    notation_config: NotationConfig = NotationConfig(),
    window_config: WindowConfig = WindowConfig(),
) -> Dataset:
    """Load a table of series.

    Args:
        path: str. A `.csv`, `.tsv` or `.parquet` file.
        facts: Facts. Those of a run: columns and windows are then the run's.
        time: str. The column of time stamps, at equal steps; guessed if None.
        series: tuple of str. The columns that together name each row's series; guessed if empty.
        target: tuple of str. The column to forecast, or several, each a series of its own;
            guessed if empty.
        past_covariates: tuple of str. Columns of numbers that help and are known up to now.
        future_covariates: tuple of str. Columns of numbers that help and are known ahead: plans,
            holidays.
        time_zone: str. By whose clock the stamps are written, such as Europe/Berlin: the hour that
            it repeats or skips twice a year is then no error.
        encoding: str. Of the characters of a CSV.
        notation_config: NotationConfig. How numbers and dates are written.
        window_config: WindowConfig. Windows and splits.

    Returns:
        Dataset. As from `from_table`.

    Raises:
        UserError: for a file, a row, a stamp or a cell that cannot be read, with its place.
    """
    if time_zone:
        require_zone(time_zone)
    covariates = (past_covariates, future_covariates)
    explicit = Columns(time or "", series, target, *covariates, time_zone or "")
    run = facts if isinstance(facts, ForecastFacts) else None
    said = run or notation_config
    table = read_table(
        path, encoding=encoding, header=said.header, keep_all_rows=said.keep_all_rows
    )
    return from_table(table, path, explicit, window_config, facts, notation_config)


def from_table(
    table: Table,
    reference: str,
    explicit: Columns,
    window_config: WindowConfig,
    facts: Facts | None = None,
    notation_config: NotationConfig = NotationConfig(),
) -> Dataset:
    """Make a dataset of a table that was read.

    Args:
        table: Table. The cells.
        reference: str. The dataset's reference.
        explicit: Columns. What the user said of the columns.
        window_config: WindowConfig. What the user chose of windows and splits.
        facts: Facts. Those of a run, if there is one.
        notation_config: NotationConfig. How numbers and dates are written, where it is given.

    Returns:
        Dataset. Windows as `windows.Windows` gives them. Facts are taken from the training split
        alone.

    Raises:
        UserError: for what cannot be read, and where no window fits.
    """
    run = facts if isinstance(facts, ForecastFacts) else None
    if run is not None:
        table = replace(table, notations=run.notations)
        columns, remark = columns_of(run, table), ""
    else:
        notation_config.check()
        guesses = guess_columns(
            table.frame, notation_config, time=explicit.time, separator=table.separator
        )
        table = replace(table, notations={name: one.notation for name, one in guesses.items()})
        columns, remark = find_columns(table, explicit, guesses)
    read = read_series(table, columns, run and Step(run.unit, run.step, run.time_zone))
    boundaries = find_split_boundaries(
        read.series, window_config.validation_fraction, window_config.test_fraction
    )
    fixed = [fill_series(read, one, boundaries, window_config.fill) for one in read.series]
    series, notes = [one for one, _ in fixed], [*table.notes, *read.notes]
    if filled := sum(count for _, count in fixed):
        count = f"{filled} step{'s' if filled > 1 else ''}"
        notes.append(f"filled by {window_config.fill}: {count}, which the metrics do not count")
    found = run or _describe(columns, read.step, series, boundaries, window_config)
    if run is None:
        used = {n: one for n, one in table.notations.items() if one != PLAIN}
        said = {name: getattr(notation_config, name) for name in ("header", "keep_all_rows")}
        found = found.model_copy(update={"notations": used, **said})
    series, left_out = _keep_long(table, series, found)
    notes += left_out
    splits = _cut(series, boundaries, found, window_config.stride)
    if run is None and "train" not in splits or not splits:
        raise UserError(
            f"{table.name}: no window of {found.context} + {found.horizon} steps ends before "
            f"{read.step.format(boundaries.validation)}, where the training split does; give "
            "shorter ones with -d context= and -d horizon="
        )
    shares = (window_config.validation_fraction, window_config.test_fraction)
    for name, share in zip(SPLITS[1:], shares, strict=True):
        if run is None and share and name not in splits:
            notes.append(
                f"no window of {found.horizon} steps to predict fits into the {name} split: give a "
                f"shorter one with -d horizon=, or more with -d {name}_fraction="
            )
    about = _describe_tables(read, found, boundaries, remark)
    return Dataset(
        reference=reference,
        task=TASK_NAME,
        facts=found,
        splits=splits,
        fingerprint=_fingerprint(series),
        notes=[about, *notes],
    )


def _describe(
    columns: Columns,
    step: Step,
    series: Sequence[Series],
    boundaries: SplitBoundaries,
    window_config: WindowConfig,
) -> ForecastFacts:
    """Take facts from the training split: nothing of another split may reach the network."""
    train = [one.cut(0, int(np.searchsorted(one.stamps, boundaries.validation))) for one in series]
    train = [one for one in train if len(one)]
    if 0.5 not in window_config.quantiles or list(window_config.quantiles) != sorted(
        set(window_config.quantiles)
    ):
        explicit = ",".join(map(str, window_config.quantiles))
        raise UserError(f"-d quantiles={explicit}: they must rise, and 0.5 must be one of them")
    held = _count_held(series, boundaries)
    context, horizon, season_length = _choose_window(train, held, step, window_config)
    cycles = window_config.calendar
    if cycles is None:
        span = boundaries.validation - min(one.stamps[0] for one in train)
        cycles = guess_cycles(step, season_length, span)
    if cycles and step.unit == "number":
        raise UserError(f"-d calendar={','.join(cycles)}: plain numbers are no dates")
    values = np.concatenate([one.values for one in train])
    alongside = {
        kind: tuple(
            describe_numbers(
                name, "numeric", np.concatenate([getattr(s, kind)[:, i] for s in train])
            )
            for i, name in enumerate(getattr(columns, kind))
        )
        for kind in ("past_covariates", "future_covariates")
    }
    return ForecastFacts(
        targets=numeric_targets([columns.quantity], values[:, None]),
        time=columns.time,
        time_zone=step.zone,
        series=columns.series,
        columns=columns.values,
        unit=step.unit,
        step=step.size,
        context=context,
        horizon=horizon,
        season_length=season_length,
        cycles=cycles,
        quantiles=window_config.quantiles,
        floor=FLOOR * float(np.median(_scales(train, season_length))),
        **alongside,
    )


def _count_held(series: Sequence[Series], boundaries: SplitBoundaries) -> int:
    """Return how many steps the shorter of validation and test has in the middle series."""
    edges = (boundaries.validation, boundaries.test)
    places = [(*np.searchsorted(one.stamps, edges), len(one)) for one in series]
    lengths = np.median([np.diff(place) for place in places], axis=0)
    return int(min((n for n in lengths if n), default=0))


def _choose_window(
    train: Sequence[Series], held: int, step: Step, window_config: WindowConfig
) -> tuple[int, int, int]:
    """Return context, horizon and season, of a size that all splits allow."""
    length = int(np.median([len(one) for one in train]))
    season_length = window_config.season_length or guess_season_length(step)
    if window_config.season_length is None and 3 * season_length > length:
        season_length = 1
    horizon = window_config.horizon or (
        min(season_length, MAX_HORIZON) if season_length > 1 else HORIZON
    )
    if window_config.horizon is None and held:  # some windows for each split
        horizon = min(horizon, max(1, held - held // 3))
    context = window_config.context
    if context is None:
        room = length // 3 - horizon
        season_lengths = min(MAX_SEASONS, max(2, room // season_length))
        context = (
            max(2 * season_length, min(4 * horizon, room))
            if season_length == 1
            else season_lengths * season_length
        )
    if context < 2 * season_length:
        raise UserError(
            f"context={context} must be two seasons of {season_length} steps at least; give -d "
            "context= or -d season_length="
        )
    return context, horizon, season_length


def _keep_long(
    table: Table, series: list[Series], facts: ForecastFacts
) -> tuple[list[Series], list[str]]:
    """Return the series that a window fits into, and a note on the others."""
    length = facts.context + facts.horizon
    long = [one for one in series if len(one) >= length]
    short = [one for one in series if len(one) < length]
    if not long:
        most = max(series, key=len)
        raise UserError(
            f"{table.name}: series '{most.name}' has {len(most)} steps, fewer than a window "
            f"of context {facts.context} and horizon {facts.horizon}; give shorter ones with "
            "-d context= and -d horizon="
        )
    if not short:
        return long, []
    return long, [
        f"left out as shorter than {length} steps: {len(short)} series, such as '{short[0].name}'"
    ]


def _cut(
    series: Sequence[Series], boundaries: SplitBoundaries, facts: ForecastFacts, stride: int
) -> dict[str, Source]:
    """Return the windows of each split that has some."""
    train = [one.cut(0, int(np.searchsorted(one.stamps, boundaries.validation))) for one in series]
    scales = _scales(train, facts.season_length)
    cuts = [cut_windows(one.stamps, boundaries, facts.context, facts.horizon) for one in series]
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
    return {name: SubsetSource(windows, found) for name, found in rows.items() if len(found)}


def _scales(train: Sequence[Series], season_length: int) -> np.ndarray:
    """Return in which unit errors of each series count: the seasonal naive forecast's own.

    A series without such errors, too short or constant, takes the median of the others.
    """
    found = np.array([naive_error(one.values, season_length) for one in train])
    good = np.isfinite(found) & (found > 0)
    return np.where(good, found, np.median(found[good]) if good.any() else 1.0)


def _describe_tables(
    read: Read, facts: ForecastFacts, boundaries: SplitBoundaries, remark: str
) -> str:
    step, count = read.step, len(read.series)
    steps = sum(map(len, read.series))
    parts = [
        f"{read.table.name}: {count} series, {steps:,} steps of {step.describe()}",
        *([remark] if remark else []),
        f"horizon {facts.horizon}, context {facts.context}, season length {facts.season_length}",
        f"calendar inputs: {', '.join(facts.cycles)}" if facts.cycles else "",
        f"validation from {step.format(boundaries.validation)}, "
        f"test from {step.format(boundaries.test)}",
    ]
    return "; ".join(part for part in parts if part)


def _fingerprint(series: Sequence[Series]) -> str:
    names = ("stamps", "values", "past_covariates", "future_covariates")
    arrays = {name: np.concatenate([getattr(one, name) for one in series]) for name in names}
    lengths = np.array(list(map(len, series)))
    titles = np.array([one.name for one in series], object)
    return fingerprint_arrays(arrays | {"lengths": lengths, "names": titles})
