"""What a forecast must beat: the last season again, and a linear model of the window."""

from collections.abc import Callable, Sequence

import numpy as np

from threefold.datasets.dataset import Source
from threefold.datasets.facts import ForecastFacts, NumericColumn
from threefold.datasets.series.time_steps import encode_cycles

Examples = dict[str, np.ndarray]
Forecaster = Callable[[Examples], np.ndarray]  # from windows to one number a step, (batch, horizon)

MOST_WINDOWS = 10_000  # that a linear model is fitted to
PENALTIES = np.logspace(-3, 3, 7)


def fit_baselines(
    train: Source, facts: ForecastFacts, quantiles: Sequence[float]
) -> dict[str, Forecaster]:
    """Fit the baselines.

    Args:
        train: Source. Windows of the training split; of many, `MOST_WINDOWS` at equal distances.
        facts: ForecastFacts. Of the windows.
        quantiles: sequence of float. What is predicted of each step; 0.5 is the forecast itself.

    Returns:
        dict of str to function. From windows to forecasts (batch, horizon, quantiles). Around a
        forecast the quantiles lie as the errors in training did, in units of each series.
    """
    rows = np.unique(np.linspace(0, len(train) - 1, MOST_WINDOWS).astype(np.int64))
    examples = train[rows]
    forecasters: dict[str, Forecaster] = {
        "seasonal_naive": lambda windows: predict_seasonal_naive(windows, facts),
        "linear": _fit_linear(examples, facts),
    }
    return {
        name: _with_quantiles(forecast, examples, quantiles)
        for name, forecast in forecasters.items()
    }


def predict_seasonal_naive(examples: Examples, facts: ForecastFacts) -> np.ndarray:
    """Return the last season of each history again and again, (batch, horizon)."""
    places = np.arange(facts.horizon) % facts.season_length - facts.season_length
    return examples["history"][:, places]


def _with_quantiles(
    forecast: Forecaster, train: Examples, quantiles: Sequence[float]
) -> Forecaster:
    errors = (train["future"] - forecast(train)) / train["scale"][:, None]
    spread = np.quantile(errors, quantiles, axis=0).T.astype(np.float32)  # (horizon, quantiles)
    spread[:, list(quantiles).index(0.5)] = 0.0

    def predict_quantiles(examples: Examples) -> np.ndarray:
        scale = examples["scale"][:, None, None]
        return forecast(examples)[:, :, None] + scale * spread

    return predict_quantiles


def _fit_linear(train: Examples, facts: ForecastFacts) -> Forecaster:
    """Fit ridge regressions, one a step, from all that the network is given."""
    from sklearn.linear_model import RidgeCV

    middle, scale = _measure(train["history"], facts)
    model = RidgeCV(alphas=PENALTIES)
    model.fit(_features(train, facts), (train["future"] - middle) / scale)

    def forecast(examples: Examples) -> np.ndarray:
        middle, scale = _measure(examples["history"], facts)
        stated = model.predict(_features(examples, facts)).reshape(len(middle), -1)
        return (middle + scale * stated).astype(examples["history"].dtype)

    return forecast


def _features(examples: Examples, facts: ForecastFacts) -> np.ndarray:
    """Return one row a window, the history in units of the window."""
    middle, scale = _measure(examples["history"], facts)
    parts = [(examples["history"] - middle) / scale]
    for name, columns in (
        ("past_covariates", facts.past_covariates),
        ("future_covariates", facts.future_covariates),
    ):
        if columns:
            parts.append(_standardise(examples[name], columns))
    if facts.cycles:
        parts.append(encode_cycles(examples["time"], facts.cycles))
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def _measure(history: np.ndarray, facts: ForecastFacts) -> tuple[np.ndarray, np.ndarray]:
    spread = history.std(axis=1, keepdims=True)
    return history.mean(axis=1, keepdims=True), np.maximum(spread, facts.floor)


def _standardise(values: np.ndarray, columns: Sequence[NumericColumn]) -> np.ndarray:
    means, scales = zip(*((column.mean, column.scale) for column in columns), strict=True)
    return (values - np.asarray(means, values.dtype)) / np.asarray(scales, values.dtype)
