"""Windows of series, cut when they are asked for, and divided by time.

A window is some steps of history and the steps after it that are to be predicted. To which split it
belongs is decided by what is to be predicted, so that nothing of a later split can be learned in an
earlier one; its history may reach back into an earlier split, as it will when a forecast is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt

from threefold.core.errors import UserError
from threefold.datasets.dataset import SPLITS, narrow
from threefold.datasets.series.time_steps import Cycle

Fill = Literal["interpolate", "previous", "zero"]
QUANTILES = (0.1, 0.5, 0.9)
Quantile = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True)
class WindowConfig:
    """What a user chose of windows and splits.

    Args:
        context: int. Steps of history that are looked at; guessed if None.
        horizon: int. Steps to predict; guessed if None.
        season_length: int. Steps of a period, 1 for none; guessed from the step if None.
        quantiles: tuple of float. What is predicted of each step; 0.5, the median, among them.
        calendar: tuple of str. Cycles that the network gets as inputs: day, week, year; guessed if
            None.
        fill: str. What fills gaps: interpolate, previous or zero; with None they are refused.
        stride: int. Steps between the windows of validation and test.
        validation_fraction: float. Share of the steps kept for validation, after those of train.
        test_fraction: float. Share of the steps kept for the test, the latest.
    """

    context: PositiveInt | None = None
    horizon: PositiveInt | None = None
    season_length: PositiveInt | None = None
    quantiles: tuple[Quantile, ...] = QUANTILES
    calendar: tuple[Cycle, ...] | None = None
    fill: Fill | None = None
    stride: PositiveInt = 1
    validation_fraction: float = 0.15
    test_fraction: float = 0.15


@dataclass(frozen=True)
class Series:
    """One quantity at equal steps, and what stands alongside it.

    Args:
        name: str. What it is called.
        stamps: int64 array of shape (steps,). As in `time_steps`, without gaps.
        values: float64 array of shape (steps,). The quantity, NaN where it is missing.
        past_covariates: float64 array of shape (steps, columns). What is known up to now.
        future_covariates: float64 array of shape (steps, columns). What is known ahead, too.
        rows: int array of shape (steps,). Where each step stands in its table; -1 for one that
            was put into a gap.
        observed: bool array of shape (steps,). Which values were there before gaps were filled;
            all with None.
    """

    name: str
    stamps: np.ndarray
    values: np.ndarray
    past_covariates: np.ndarray
    future_covariates: np.ndarray
    rows: np.ndarray
    observed: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.stamps)

    def cut(self, start: int, stop: int) -> "Series":
        """Return the steps from `start` to before `stop`."""
        arrays = {
            name: getattr(self, name)[start:stop]
            for name in ("stamps", "values", "past_covariates", "future_covariates", "rows")
        }
        observed = None if self.observed is None else self.observed[start:stop]
        return replace(self, **arrays, observed=observed)


@dataclass(frozen=True)
class SplitBoundaries:
    """The first stamps that are no more of `train` and no more of `validation`."""

    validation: int
    test: int


class Windows:
    """Windows of series; source of examples.

    Args:
        series: sequence of Series. Without missing values in any window.
        scales: float array of shape (series,). What errors of each series are counted in.
        context: int. Steps of history.
        horizon: int. Steps to predict.
        origins: sequence of int array. For each series the steps at which something is to be
            predicted first.
    """

    def __init__(
        self,
        series: Sequence[Series],
        scales: np.ndarray,
        context: int,
        horizon: int,
        origins: Sequence[np.ndarray],
    ):
        self.context, self.horizon, self.scales = context, horizon, scales
        self.names = np.array([one.name for one in series], str)
        self.stamps = np.concatenate([one.stamps for one in series])
        self.values = narrow(np.concatenate([one.values for one in series])[:, None])[:, 0]
        self.past_covariates = narrow(np.concatenate([one.past_covariates for one in series]))
        self.future_covariates = narrow(np.concatenate([one.future_covariates for one in series]))
        self.observed = np.concatenate(
            [np.ones(len(one), bool) if one.observed is None else one.observed for one in series]
        )
        starts = np.cumsum([0, *map(len, series)])[:-1]
        pairs = list(zip(origins, starts, strict=True))
        self.origins = np.concatenate([found + start for found, start in pairs])
        self.owners = np.repeat(np.arange(len(series)), [len(found) for found in origins])

    def __len__(self) -> int:
        return len(self.origins)

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Return windows.

        Args:
            indices: int array of shape (batch,). Which.

        Returns:
            dict of str to array. `history` (batch, context) and `future` (batch, horizon), the
            quantity, float32; `time` (batch, horizon) int64, the stamps of what is to be predicted;
            where there are such columns `past_covariates` (batch, context, columns) and
            `future_covariates` (batch, context + horizon, columns) float32; `scale` (batch,)
            float32, and `series` (batch,), names. Where gaps were filled, `observed` (batch,
            horizon) bool says which of `future` was there.
        """
        origins, owners = self.origins[indices], self.owners[indices]
        before = origins[:, None] + np.arange(-self.context, 0)
        ahead = origins[:, None] + np.arange(self.horizon)
        found = {
            "history": self.values[before],
            "future": self.values[ahead],
            "time": self.stamps[ahead],
            "scale": self.scales[owners].astype(np.float32),
            "series": self.names[owners],
        }
        if not self.observed.all():
            found["observed"] = self.observed[ahead]
        if self.past_covariates.shape[1]:
            found["past_covariates"] = self.past_covariates[before]
        if self.future_covariates.shape[1]:
            found["future_covariates"] = self.future_covariates[
                np.concatenate([before, ahead], axis=1)
            ]
        return found


def find_split_boundaries(
    series: Sequence[Series], validation_fraction: float, test_fraction: float
) -> SplitBoundaries:
    """Divide time so that each split has its share of all steps, the latest for the test.

    Args:
        series: sequence of Series. Time is divided at the same stamps for all of them: what one
            did later must not reveal what another did before.
        validation_fraction: float. Share of the steps for validation, 0 to below 1.
        test_fraction: float. Share of the steps for the test, 0 to below 1.

    Returns:
        SplitBoundaries.

    Raises:
        UserError: where the fractions leave nothing to train on.
    """
    train = 1 - validation_fraction - test_fraction
    if min(validation_fraction, test_fraction) < 0 or train < 1e-6:
        raise UserError(
            "validation_fraction and test_fraction must be 0 or more and below 1 together, "
            f"got {validation_fraction} and {test_fraction}"
        )
    stamps = np.sort(np.concatenate([one.stamps for one in series]))
    places = [round(share * len(stamps)) for share in (train, train + validation_fraction)]
    beyond = stamps[-1] + 1
    return SplitBoundaries(*(int(stamps[i]) if i < len(stamps) else int(beyond) for i in places))


def cut_windows(
    stamps: np.ndarray, boundaries: SplitBoundaries, context: int, horizon: int
) -> dict[str, np.ndarray]:
    """Return at which steps of a series the windows of each split begin to predict.

    Args:
        stamps: int64 array of shape (steps,). Those of the series.
        boundaries: SplitBoundaries. Between the splits. A window that reaches across one belongs to
            neither.
        context: int. Steps of history.
        horizon: int. Steps to predict.

    Returns:
        dict of str to int array. For each of the three splits, maybe empty.
    """
    origins = np.arange(context, len(stamps) - horizon + 1)
    first, last = stamps[origins], stamps[origins + horizon - 1]
    places = {
        "train": last < boundaries.validation,
        "validation": (first >= boundaries.validation) & (last < boundaries.test),
        "test": first >= boundaries.test,
    }
    return {name: origins[places[name]] for name in SPLITS}


def fill_gaps(
    values: np.ndarray, stamps: np.ndarray, boundaries: SplitBoundaries, fill: Fill
) -> np.ndarray:
    """Fill what is missing, without a look into a later split.

    Args:
        values: float64 array of shape (steps,). NaN where missing, but for the first.
        stamps: int64 array of shape (steps,).
        boundaries: SplitBoundaries. Between the splits: a gap that reaches one is filled with the
            last value before it, up to there.
        fill: str. `interpolate` between the neighbours, `previous` value, or `zero`.

    Returns:
        float64 array of shape (steps,).
    """
    values = values.copy()
    steps = np.arange(len(values))
    for stop in (*np.searchsorted(stamps, (boundaries.validation, boundaries.test)), len(values)):
        part = values[:stop]
        missing = np.isnan(part)
        there = steps[:stop][~missing]
        if not missing.any() or not len(there):
            continue
        if fill == "zero":
            part[missing] = 0.0
        elif fill == "previous":
            places = np.searchsorted(there, steps[:stop][missing], side="right") - 1
            part[missing] = part[there[np.maximum(places, 0)]]
        else:
            part[missing] = np.interp(steps[:stop][missing], there, part[there])
    return values


def naive_error(values: np.ndarray, season_length: int) -> float:
    """Return the mean error of telling each value by that of one period before; NaN for none."""
    errors = np.abs(values[season_length:] - values[:-season_length])
    return float(errors.mean()) if len(errors) else float("nan")
