"""Raw histories of series that are to be forecast."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.facts import ForecastFacts
from threefold.datasets.raw_inputs import STDIN, Given, Inputs
from threefold.datasets.series.series_columns import columns_of
from threefold.datasets.series.series_files import Read, fill_series, read_series
from threefold.datasets.series.time_steps import Step
from threefold.datasets.series.windows import Fill, Series, SplitBoundaries, Windows
from threefold.datasets.tables.table_files import SUFFIXES, read_table

READS = ("forecast",)


def read(
    given: Given,
    facts: ForecastFacts,
    batch_size: int,
    *,
    encoding: str = "utf-8",
    fill: Fill | None = None,
) -> Iterator[Inputs]:
    """Read histories.

    Args:
        given: Given. Tables, or `-` for one as CSV.
        facts: ForecastFacts. The columns and steps of the run.
        batch_size: int. Not heeded: a table is read at once.
        encoding: str. Of the characters of a CSV.
        fill: str. What fills gaps in series: interpolate, previous or zero; None refuses them.

    Returns:
        iterator of Inputs. One window for each series of one table each.
    """
    files = given.files(SUFFIXES)
    sources = (given.stdin if file == STDIN else file for file in files)
    return (_read_histories(one, facts, encoding=encoding, fill=fill) for one in sources)


def _read_histories(
    source: str | Path | IO, facts: ForecastFacts, *, encoding: str, fill: Fill | None
) -> Inputs:
    """Read series that are to be forecast.

    Args:
        source: str, Path or file. A CSV, TSV or Parquet file, or an open file that holds a CSV:
            recent history, and, where the run knows columns ahead, rows after it without the
            quantity.
        facts: ForecastFacts. Those of the run.
        encoding: str. Of the characters of a CSV.
        fill: str. What fills gaps; with None they are refused.

    Returns:
        Inputs. One window a series, and an error for each that is too short or has gaps.
    """
    try:
        table = read_table(
            source,
            encoding=encoding,
            header=facts.header,
            keep_all_rows=facts.keep_all_rows,
        )
        table = replace(table, notations=facts.notations)
        step = Step(facts.unit, facts.step, facts.time_zone)
        read = read_series(table, columns_of(facts, table), step)
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
    recent, _ = fill_series(read, recent, SplitBoundaries(never, never), fill)
    stamps = read.step.grid(series.stamps, steps + facts.horizon)[steps:]
    future_covariates = ahead.future_covariates[: facts.horizon]
    if facts.future_covariates and (
        len(future_covariates) < facts.horizon or np.isnan(future_covariates).any()
    ):
        names = ", ".join(column.name for column in facts.future_covariates)
        raise UserError(
            f"{read.table.name}: series '{series.name}' needs {names} for {facts.horizon} steps "
            f"after {read.step.format(series.stamps[-1])}, from {read.step.format(stamps[0])} to "
            f"{read.step.format(stamps[-1])}"
        )
    whole = Series(
        series.name,
        np.concatenate([recent.stamps, stamps]),
        np.concatenate([recent.values, np.zeros(facts.horizon)]),
        np.concatenate(
            [recent.past_covariates, np.zeros((facts.horizon, len(facts.past_covariates)))]
        ),
        np.concatenate(
            [
                recent.future_covariates,
                future_covariates if facts.future_covariates else np.zeros((facts.horizon, 0)),
            ]
        ),
        np.concatenate([recent.rows, np.full(facts.horizon, -1)]),
    )
    origins = [np.array([facts.context])]
    windows = Windows([whole], np.ones(1), facts.context, facts.horizon, origins)
    examples = windows[np.array([0])]
    return {
        name: array
        for name, array in examples.items()
        if name not in ("future", "scale", "observed")
    }
