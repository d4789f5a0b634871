"""How does it go on? Asked of series in time.

Errors are counted in units of the seasonal naive forecast's error on the training split of the same
series: so that series of all sizes weigh the same, and 1 is what a forecast must get below (Hyndman
and Koehler 2006, "Another look at measures of forecast accuracy").
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import numpy as np

from threefold.datasets.dataset import Source
from threefold.datasets.series.time_steps import CYCLES, Step, encode_cycles
from threefold.tasks.evaluation import evaluate, make_predict_fn
from threefold.tasks.figure import Figure
from threefold.tasks.metrics.conformal import fit_factors, suffices
from threefold.tasks.metrics.forecast_baselines import fit_baselines, predict_seasonal_naive
from threefold.tasks.signature import Field, Output
from threefold.tasks.task import Arrays, Task

BATCH = 1024  # windows that a baseline is asked for at once
MOST_STEPS = 30  # horizons whose errors are reported step by step
MOST_SERIES = 30  # series whose errors are reported one by one
# How much a window of validation counts where intervals are calibrated on those of training, too:
# what a network has learned by heart says little of how wrong it will be.
VALIDATION_WEIGHT = 2.0


class Forecasting(Task):
    """A window of history in, quantiles of each step to come out, in the quantity's own units.

    With the losses `mae` and `mse` there is a single forecast of each step, the median or the
    mean.
    """

    name = "forecasting"
    losses = ("quantile", "mae", "mse")
    figures = (
        Figure(
            "forecasts.forecasts",
            "Some forecasts with their interval, alongside the history that they were made from "
            "and what came; beneath each, the distances from the forecast. The last is the worst.",
            ("forecasts",),
            ("future", "naive", "scale", "series"),
        ),
        Figure(
            "forecasts.errors_by_step",
            "How the error grows with the distance (of the seasonal naive forecast in training it "
            "was 1), and whether the interval holds as much of the truth as it promises. It was "
            "calibrated on the validation split: the test split tells whether it does.",
            ("forecasts",),
            ("future", "naive", "scale"),
        ),
    )
    prediction_figure = Figure(
        "forecasts.predicted", "Forecasts alongside the latest history.", ("forecasts",)
    )
    summary_metrics = ("mase", "mae", "coverage", "skill")
    primary_metric = "skill"

    def __init__(self, facts, **settings):
        super().__init__(facts, **settings)
        self.quantiles = facts.quantiles if self.loss == "quantile" else (0.5,)
        self.middle = self.quantiles.index(0.5)
        self.offsets = {
            "history": np.array(facts.targets[0].offset),
            "past_covariates": np.array([c.offset for c in facts.past_covariates]),
            "future_covariates": np.array([c.offset for c in facts.future_covariates]),
        }
        self.step = Step(facts.unit, facts.step, facts.time_zone)

    def arguments(self) -> dict[str, Any]:
        facts = self.facts
        return {
            "context": facts.context,
            "horizon": facts.horizon,
            "season_length": facts.season_length,
            "past_covariates": tuple(
                (column.mean - column.offset, column.scale) for column in facts.past_covariates
            ),
            "future_covariates": tuple(
                (column.mean - column.offset, column.scale) for column in facts.future_covariates
            ),
            "num_cycles": len(facts.cycles),
            "num_quantiles": len(self.quantiles),
            "floor": facts.floor,
        }

    def model_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        found = {
            name: _centre(examples[name], offset)
            for name, offset in self.offsets.items()
            if name in examples
        }
        if self.facts.cycles:
            found["calendar"] = encode_cycles(examples["time"], self.facts.cycles)
        return found

    def targets(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return what came and in which unit errors count, (batch, horizon, 2)."""
        future = _centre(examples["future"], self.offsets["history"])
        return np.stack([future, np.broadcast_to(examples["scale"][:, None], future.shape)], -1)

    def sample_weights(self, targets: np.ndarray) -> np.ndarray | None:
        return None

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        future = examples["future"]
        if "observed" in examples:  # what was made up to fill a gap says nothing of a forecast
            future = np.where(examples["observed"], future, np.nan)
        return {
            "future": future,
            "naive": predict_seasonal_naive(examples, self.facts),
            "scale": examples["scale"],
            "series": examples["series"],
        }

    def compile_arguments(self) -> dict[str, Any]:
        import keras
        from keras import ops

        middle, single = self.middle, self.loss
        # NumPy's float64 would make the whole loss one.
        levels = np.array(self.quantiles, np.float32)

        def errors(targets, outputs):
            return (targets[..., :1] - outputs) / targets[..., 1:]  # (batch, horizon, quantiles)

        def quantile(targets, outputs):
            """Weigh errors so that a share of the truth is beneath (Koenker and Bassett 1978)."""
            error = errors(targets, outputs)
            weights = ops.convert_to_tensor(levels, dtype=error.dtype)
            return ops.mean(ops.maximum(weights * error, (weights - 1) * error), axis=-1)

        def point(targets, outputs):
            error = errors(targets, outputs)[..., 0]
            return ops.square(error) if single == "mse" else ops.abs(error)

        def mase(targets, outputs):
            return ops.abs(errors(targets, outputs)[..., middle])

        return {
            "loss": quantile if self.loss == "quantile" else point,
            "metrics": [keras.metrics.MeanMetricWrapper(mase, name="mase")],
        }

    def calibrate(self, model, splits: Mapping[str, Source], batch_size: int) -> str | None:
        """Let the intervals be as wide as errors on the validation split ask for, step by step.

        Windows overlap: those within a horizon count as one. Where they are too few for the
        outermost quantile, the windows of training stand alongside: a network's errors on them are
        a little too small, but those of a single year say even less of the next.
        """
        layer = next((layer for layer in model.layers if layer.name == "calibration"), None)
        if layer is None:  # a single forecast of each step, or a network that cannot
            return None
        layer.factors.assign(np.ones(layer.factors.shape, np.float32))
        if "validation" not in splits:
            return "intervals as trained: there is no validation split to calibrate them on"
        if layer.middle != self.middle:
            return "intervals as trained: there must be as many quantiles below 0.5 as above"
        answer = make_predict_fn(self.predict_fn(model), self, batch_size)
        names = ["validation"]
        if not suffices(len(splits["validation"]) // self.facts.horizon, self.quantiles):
            names += ["train"] if "train" in splits else []
        found = [evaluate(answer, self, splits[name], name, batch_size) for name in names]
        weights = [1.0 if name == "train" else VALIDATION_WEIGHT for name in names]
        factors = fit_factors(
            np.concatenate([one.predictions["forecasts"] for one in found]).astype(np.float64),
            np.concatenate([one.truth["future"] for one in found]).astype(np.float64),
            np.repeat(weights, [len(one.source) for one in found]),
            self.quantiles,
            self.middle,
        )
        counts = " and ".join(f"{len(one.source):,} windows of {one.split}" for one in found)
        if factors is None:
            return f"intervals as trained: {counts} are too few to calibrate them on"
        layer.factors.assign(factors)
        after = evaluate(answer, self, splits["validation"], "validation", batch_size).metrics
        promised = self.quantiles[-1] - self.quantiles[0]
        return (
            f"intervals calibrated on {counts}: that of {promised:.0%} "
            f"held {found[0].metrics['coverage']:.0%} of the validation split before, "
            f"{after['coverage']:.0%} now"
        )

    def postprocess(self, outputs: np.ndarray) -> Arrays:
        """Return `forecasts` (batch, horizon, quantiles) in the quantity's own units."""
        forecasts, offset = np.asarray(outputs, np.float32), self.offsets["history"]
        return {"forecasts": forecasts + offset if offset.any() else forecasts}

    def input_fields(self) -> tuple[Field, ...]:
        facts, quantity = self.facts, self.facts.targets[0].name
        fields = [
            Field(
                name="history",
                dtype=self._dtype("history"),
                shape=("batch", facts.context),
                meaning=f"{quantity} at the last {facts.context} steps of {self.step.describe()}",
            )
        ]
        for name, columns, steps in (
            ("past_covariates", facts.past_covariates, facts.context),
            ("future_covariates", facts.future_covariates, facts.context + facts.horizon),
        ):
            if columns:
                names = ", ".join(column.name for column in columns)
                ahead = (
                    f", then at the {facts.horizon} to come" if name == "future_covariates" else ""
                )
                fields.append(
                    Field(
                        name=name,
                        dtype=self._dtype(name),
                        shape=("batch", steps, len(columns)),
                        meaning=f"{names} at the steps of the history{ahead}",
                    )
                )
        if facts.cycles:
            fields.append(
                Field(
                    name="time",
                    dtype="int64",
                    shape=("batch", facts.horizon),
                    meaning="seconds since 1970-01-01 of each step to come",
                )
            )
        return tuple(fields)

    def output_fields(self) -> tuple[Output, ...]:
        target = self.facts.targets[0]
        levels = ", ".join(f"{level:g}" for level in self.quantiles)
        stated = f"quantiles {levels}" if self.loss == "quantile" else "forecast"
        return (
            Output(
                name="forecasts",
                dtype=self._dtype("history"),
                shape=("batch", self.facts.horizon, len(self.quantiles)),
                meaning=f"{stated} of {target.name} at each step to come, in the units of the data",
                limit=1e-4,
                scale=(target.scale,) * len(self.quantiles),
            ),
        )

    def _dtype(self, name: str) -> Literal["float32", "float64"]:
        return "float64" if self.offsets[name].any() else "float32"

    def raw_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {f.name: examples[f.name].astype(f.dtype) for f in self.input_fields()}

    def probes(self, examples: Mapping[str, np.ndarray]) -> dict[str, Arrays]:
        history = examples["history"]
        target = self.facts.targets[0]
        return {
            "of a constant": {**examples, "history": np.full_like(history, target.mean)},
            "of zeros": {**examples, "history": np.zeros_like(history)},
            "of large numbers": {**examples, "history": history + 1000 * target.scale},
        }

    def preprocess_graph(self) -> tuple[Callable, list]:
        import tensorflow as tf

        lengths = [CYCLES[name] for name in self.facts.cycles]

        def enter(raw):
            found = {
                name: tf.cast(raw[name] - offset, tf.float32) if offset.any() else raw[name]
                for name, offset in self.offsets.items()
                if name in raw
            }
            if lengths:
                angles = [
                    tf.cast(tf.math.floormod(raw["time"], length), tf.float32)
                    * (2 * np.pi / length)
                    for length in lengths
                ]
                waves = [wave(angle) for angle in angles for wave in (tf.sin, tf.cos)]
                found["calendar"] = tf.stack(waves, axis=-1)
            return found

        return enter, []

    def postprocess_graph(self, outputs) -> dict[str, Any]:
        import tensorflow as tf

        offset = self.offsets["history"]
        return {"forecasts": tf.cast(outputs, tf.float64) + offset if offset.any() else outputs}

    def describe(
        self, predictions: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        records = []
        rows = zip(examples["series"], examples["time"], predictions["forecasts"], strict=True)
        for name, stamps, forecasts in rows:
            record = {
                "series": str(name),
                "time": [self.step.format(int(stamp)) for stamp in stamps],
                "forecast": forecasts[:, self.middle].tolist(),
            }
            if len(self.quantiles) > 1:
                pairs = zip(self.quantiles, forecasts.T, strict=True)
                record["quantiles"] = {f"{level:g}": values.tolist() for level, values in pairs}
            records.append(record)
        return records

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        def compute_baseline_metrics(
            forecast: Callable[[Arrays], np.ndarray], source: Source
        ) -> dict[str, float]:
            def answer(examples: Arrays) -> Arrays:
                return {"forecasts": forecast(examples)}

            metrics = evaluate(answer, self, source, "", BATCH).metrics
            return {name: value for name, value in metrics.items() if not isinstance(value, dict)}

        fitted = fit_baselines(train, self.facts, self.quantiles)
        return {
            name: partial(compute_baseline_metrics, forecast) for name, forecast in fitted.items()
        }

    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return mase, mae, rmse, the mean quantile loss under the name `loss`, in units of the
        series, the `coverage` of the outermost quantiles, and the `skill`: by which share the error
        is smaller than that of the seasonal naive forecast at the same steps.
        """
        errors = self._errors(predictions["forecasts"], truth)
        metrics = _sum_up(errors)
        steps = self.facts.horizon
        if 1 < steps <= MOST_STEPS:
            metrics["by_step"] = {
                str(step + 1): _sum_up({name: array[:, step] for name, array in errors.items()})
                for step in range(steps)
            }
        names = np.unique(truth["series"])
        if 1 < len(names) <= MOST_SERIES:
            rows = {str(name): truth["series"] == name for name in names}
            metrics["by_series"] = {
                name: _sum_up({key: array[chosen] for key, array in errors.items()})
                for name, chosen in rows.items()
            }
        return metrics

    def _errors(
        self, forecasts: np.ndarray, truth: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Return the errors of each step, (batch, horizon)."""
        future, scale = truth["future"].astype(np.float64), truth["scale"][:, None]
        error = future[:, :, None] - forecasts  # (batch, horizon, quantiles)
        levels = np.array(self.quantiles)
        found = {
            "absolute": np.abs(error[:, :, self.middle]),
            "scaled": np.abs(error[:, :, self.middle]) / scale,
            "naive": np.abs(future - truth["naive"]) / scale,
            "loss": np.maximum(levels * error, (levels - 1) * error).mean(axis=-1) / scale,
        }
        if len(levels) > 1:
            inside = (error[:, :, 0] >= 0) & (error[:, :, -1] <= 0)
            found["inside"] = np.where(np.isnan(future), np.nan, inside)
        return found


def _centre(numbers: np.ndarray, offset: np.ndarray) -> np.ndarray:
    return (numbers - offset if offset.any() else numbers).astype(np.float32)


def _sum_up(errors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    errors = {name: array[~np.isnan(array)] for name, array in errors.items()}
    mase, naive = float(errors["scaled"].mean()), float(errors["naive"].mean())
    found = {
        "mase": mase,
        "mae": float(errors["absolute"].mean()),
        "rmse": float(np.sqrt(np.square(errors["absolute"]).mean())),
        "loss": float(errors["loss"].mean()),
    }
    if "inside" in errors:
        found["coverage"] = float(errors["inside"].mean())
    if naive > 0:
        found["skill"] = 1 - mase / naive
    return found


TASK = Forecasting
