"""Hourly temperatures of San Francisco through a year, °F (NOAA, by way of vega_datasets)."""

from pydantic import PositiveInt

from threefold.datasets.dataset import Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.series.forecasting_tables import from_table
from threefold.datasets.series.series_columns import Columns
from threefold.datasets.series.windows import QUANTILES, Quantile, WindowConfig
from threefold.datasets.tables.table_files import table_of

TASK = "forecasting"


def load(
    *,
    facts: Facts | None = None,
    context: PositiveInt = 168,
    horizon: PositiveInt = 24,
    quantiles: tuple[Quantile, ...] = QUANTILES,
    stride: PositiveInt = 1,
    validation_fraction: float = 0.15,
    test_fraction: float = 0.15,
) -> Dataset:
    """Load the temperatures: the normal ones of each hour, which NOAA rounds to tenths.

    Args:
        facts: Facts. Those of a run: its windows then rule.
        context: int. Hours of history that are looked at, two days at least.
        horizon: int. Hours to predict.
        quantiles: tuple of float. What is predicted of each hour; 0.5, the median, among them.
        stride: int. Hours between the windows of validation and test.
        validation_fraction: float. Share of the hours kept for validation, after those of train.
        test_fraction: float. Share of the hours kept for the test, the latest.

    Returns:
        Dataset. Windows of `temperature` by `time`.
    """
    from vega_datasets import local_data

    frame = local_data.sf_temps().rename(columns={"date": "time", "temp": "temperature"})
    # The hour that summer time takes away is missing. Of a normal year a week says nothing.
    window_config = WindowConfig(
        context, horizon, 24, quantiles, (), "interpolate", stride,
        validation_fraction, test_fraction,
    )  # fmt: skip
    explicit = Columns("time", values=("temperature",))
    return from_table(
        table_of(frame, "sf_temperatures"), "sf_temperatures", explicit, window_config, facts
    )
