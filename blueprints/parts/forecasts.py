"""Parts of networks that forecast series.

What is scaled here stays in float32, whatever the layers around it compute in: half precision would
round a window's level to a thousandth of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops


@dataclass(frozen=True)
class Window:
    """What a network reads of a window.

    Args:
        inputs: dict of tensors. Of the network: `history` (batch, context), `past_covariates`
            (batch, context, columns), `future_covariates` (batch, context + horizon, columns) and
            `calendar` (batch, horizon, 2 × cycles), those that there are.
        read: tensor of shape (batch, context - season, features). By how much each step differs
            from that of a season before, and what is known alongside it.
        ahead: tensor of shape (batch, horizon, features). What is known ahead; `None` if nothing.
        last: tensor of shape (batch, horizon). The last season, again and again.
        unit: tensor of shape (batch, 1). In which the differences are counted.
    """

    inputs: dict[str, Any]
    read: Any
    ahead: Any
    last: Any
    unit: Any


def read_window(
    context: int,
    horizon: int,
    season_length: int,
    past_covariates: Sequence[tuple[float, float]],
    future_covariates: Sequence[tuple[float, float]],
    num_cycles: int,
    floor: float,
) -> Window:
    """Build how a window is read.

    Args:
        context: int. Steps of history, two seasons at least.
        horizon: int. Steps to predict.
        season_length: int. Steps of a period.
        past_covariates: sequence of (mean, scale). One pair for each column that is known up to
            now.
        future_covariates: sequence of (mean, scale). One pair for each column that is known ahead,
            too.
        num_cycles: int. Cycles of the calendar.
        floor: float. The least unit of a window, for one in which nothing changes.

    Returns:
        Window.
    """
    history = keras.Input((context,), name="history")
    inputs = {"history": history}
    differences, unit = scale_differences(
        history, season_length, floor
    )  # (batch, context - season), (batch, 1)
    read, ahead = [differences[:, :, None]], []
    if past_covariates:
        inputs["past_covariates"] = keras.Input(
            (context, len(past_covariates)), name="past_covariates"
        )
        read.append(
            standardise(inputs["past_covariates"], past_covariates, "past_covariates")[
                :, season_length:
            ]
        )
    if future_covariates:
        inputs["future_covariates"] = keras.Input(
            (context + horizon, len(future_covariates)), name="future_covariates"
        )
        columns = standardise(inputs["future_covariates"], future_covariates, "future_covariates")
        read.append(columns[:, season_length:context])
        # Plans count by how they differ from those of the season that is repeated.
        before = repeat_season(columns[:, :context], season_length, horizon)
        ahead += [columns[:, context:], columns[:, context:] - before]
    if num_cycles:
        inputs["calendar"] = keras.Input((horizon, 2 * num_cycles), name="calendar")
        ahead.append(inputs["calendar"])
    return Window(
        inputs=inputs,
        read=ops.concatenate(read, axis=-1),
        ahead=ops.concatenate(ahead, axis=-1) if ahead else None,
        last=repeat_season(history, season_length, horizon),
        unit=unit,
    )


def predict_steps(x, window: Window, step_units: int, num_quantiles: int, skip_connection: bool):
    """Build what is predicted, from a summary of what was read.

    Args:
        x: tensor of shape (batch, features).
        window: Window. What it sums up.
        step_units: int. Hidden units of each step.
        num_quantiles: int. Quantiles to predict of each.
        skip_connection: bool. Whether a linear part stands alongside it (Lai et al. 2018,
            "LSTNet").

    Returns:
        tensor of shape (batch, horizon, num_quantiles), in the units of the history.
    """
    horizon, ahead = window.last.shape[1], window.ahead
    x = layers.Dense(horizon * step_units, name="steps")(x)
    x = layers.Reshape((horizon, step_units), name="steps_apart")(x)
    if ahead is not None:
        x = x + layers.Dense(step_units, name="ahead")(ahead)
    # So the first forecast is close to the last season's: what is to be beaten, from the start.
    small = keras.initializers.RandomNormal(stddev=0.01)
    head = layers.Dense(num_quantiles, kernel_initializer=small, dtype="float32", name="head")
    predicted = monotone_quantiles(head(ops.relu(x)))
    if skip_connection:
        predicted = predicted + linear_forecast(window.read, ahead, horizon)
    if num_quantiles > 1:
        predicted = CalibrateQuantiles(dtype="float32", name="calibration")(predicted)
    return window.last[:, :, None] + window.unit[:, :, None] * predicted


def scale_differences(history, season_length: int, floor: float):
    """Return by how much each step differs from that of a season before, in a unit of the window.

    Args:
        history: tensor of shape (batch, context).
        season_length: int. Steps of a period; fewer than `context`.
        floor: float. The least unit, for a window in which nothing changes.

    Returns:
        (tensor of shape (batch, context - season), tensor of shape (batch, 1)): the changes, and
        their unit, the root of their mean square.
    """
    differences = history[:, season_length:] - history[:, :-season_length]
    unit = ops.sqrt(ops.mean(ops.square(differences), axis=1, keepdims=True) + floor**2)
    return differences / unit, unit


def repeat_season(history, season_length: int, horizon: int):
    """Return the last season of a history again and again.

    Args:
        history: tensor of shape (batch, context) or (batch, context, columns).
        season_length: int. Steps of a period.
        horizon: int. Steps of the result.

    Returns:
        tensor of shape (batch, horizon) or (batch, horizon, columns).
    """
    last = history[:, history.shape[1] - season_length :]
    return ops.concatenate([last] * -(-horizon // season_length), axis=1)[:, :horizon]


def standardise(columns, statistics: Sequence[tuple[float, float]], name: str):
    """Return ``(value - mean) / scale`` of columns.

    Args:
        columns: tensor of shape (batch, steps, columns).
        statistics: sequence of (mean, scale). One pair a column.
        name: str. The columns' name.

    Returns:
        tensor of the same shape.
    """
    means, scales = zip(*statistics, strict=True)
    layer = layers.Normalization(
        mean=list(means),
        variance=[scale**2 for scale in scales],
        dtype="float32",
        name=f"{name}_standardise",
    )
    return layer(columns)


def patchify(x, length: int):
    """Put steps together, so many at once, the latest of all.

    Args:
        x: tensor of shape (batch, steps, features).
        length: int. Steps of a segment.

    Returns:
        tensor of shape (batch, steps // length, length × features).

    Raises:
        ValueError: where no segment fits.
    """
    steps, features = x.shape[1:]
    count = steps // length
    if count == 0:
        raise ValueError(
            f"segment must be at most {steps}, the steps of the context less a season; got {length}"
        )
    latest = x[:, steps - count * length :]
    return layers.Reshape((count, length * features), name="segments_apart")(latest)


def linear_forecast(read, ahead, horizon: int):
    """Build a linear part: from all that is read, and for each step from what is known of it.

    It begins with zeros.

    Args:
        read: tensor of shape (batch, steps, features). The history.
        ahead: tensor of shape (batch, horizon, features), or None where nothing is known ahead.
        horizon: int. Steps to predict.

    Returns:
        tensor of shape (batch, horizon, 1).
    """
    flat = layers.Flatten(name="shortcut_flat")(read)
    line = layers.Dense(
        horizon, kernel_initializer="zeros", dtype="float32", name="skip_connection"
    )
    predicted = line(flat)[:, :, None]
    if ahead is None:
        return predicted
    each = layers.Dense(
        1, use_bias=False, kernel_initializer="zeros", dtype="float32", name="shortcut_ahead"
    )
    return predicted + each(ahead)


def monotone_quantiles(x):
    """Make rising numbers of any: a middle one, and how far apart the others lie.

    Args:
        x: tensor of shape (..., numbers).

    Returns:
        tensor of the same shape, rising along its last axis.
    """
    count = x.shape[-1]
    middle = middle_of(count)
    gaps = ops.softplus(x)
    found = [x[..., middle]]
    for place in range(middle - 1, -1, -1):
        found.insert(0, found[0] - gaps[..., place])
    for place in range(middle + 1, count):
        found.append(found[-1] + gaps[..., place])
    return ops.stack(found, axis=-1)


def middle_of(count: int) -> int:
    """Return the place of the middle one of some quantiles."""
    return (count - 1) // 2


@keras.saving.register_keras_serializable("threefold")
class CalibrateQuantiles(layers.Layer):
    """Move quantiles away from the middle one, or towards it, so that they hold what they promise.

    Its weight is not trained: it holds one factor for each step and quantile, by which the distance
    from the middle one is multiplied. They are 1 until the training has ended; its task then finds
    them (`Forecasting.calibrate`). The middle one stays where it is, and the others rise.
    """

    def build(self, input_shape):
        """Make the factors, (horizon, quantiles)."""
        self.middle = middle_of(input_shape[-1])
        self.factors = self.add_weight(
            shape=input_shape[1:], initializer="ones", trainable=False, name="factors"
        )

    def call(self, inputs):
        """Calibrate, shape (batch, horizon, quantiles) in and out."""
        count, middle = inputs.shape[-1], self.middle
        centre = inputs[..., middle : middle + 1]
        distances = (inputs - centre) * self.factors  # below the middle one they are negative
        found = [distances[..., place] for place in range(count)]
        for place in range(middle - 1, -1, -1):
            found[place] = ops.minimum(found[place], found[place + 1])
        for place in range(middle + 1, count):
            found[place] = ops.maximum(found[place], found[place - 1])
        return centre + ops.stack(found, axis=-1)

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape
