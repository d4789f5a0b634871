"""What is asked: one number or several. The other half of a task."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from threefold.datasets.dataset import Source
from threefold.tasks.figure import Figure
from threefold.tasks.metrics.simple_methods import fit_regressors
from threefold.tasks.signature import Output
from threefold.tasks.task import Arrays, Task


class Regression(Task):
    """Numbers in their own units; the model learns and puts out standardised ones."""

    losses = ("mse", "mae", "huber")
    figures = (
        Figure(
            "numbers.residuals",
            "Predicted against true values, and the errors.",
            ("predictions",),
            ("target",),
        ),
        Figure(
            "classes.worst_mistakes",
            "The largest errors, each in units of its target's scale.",
            ("predictions",),
            ("target",),
        ),
    )
    summary_metrics = ("mae", "rmse", "r2")
    primary_metric = "r2"

    def __init__(self, facts, **settings):
        super().__init__(facts, **settings)
        self.offset = np.array([target.offset for target in facts.targets])  # float64
        means = np.array([target.mean for target in facts.targets]) - self.offset
        self.mean = means.astype(np.float32)
        self.scale = np.array([target.scale for target in facts.targets], np.float32)

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"num_outputs": len(self.facts.targets)}

    def targets(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        target = examples["target"]
        if self.offset.any():
            target = target - self.offset
        return (target.astype(np.float32) - self.mean) / self.scale

    def sample_weights(self, targets: np.ndarray) -> np.ndarray | None:
        return None

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {"target": examples["target"]}

    def compile_arguments(self) -> dict[str, Any]:
        import keras
        from keras import ops

        losses = {
            "mse": keras.losses.MeanSquaredError,
            "mae": keras.losses.MeanAbsoluteError,
            "huber": keras.losses.Huber,
        }
        scale = self.scale

        def absolute_error(targets, outputs):
            # torch cannot multiply its tensors by NumPy arrays while it follows gradients
            return ops.mean(ops.multiply(ops.abs(ops.subtract(targets, outputs)), scale), axis=-1)

        return {
            "loss": losses[self.loss](),
            "metrics": [keras.metrics.MeanMetricWrapper(absolute_error, name="mae")],
        }

    def postprocess(self, outputs: np.ndarray) -> Arrays:
        """Return `predictions` (batch, targets) in the targets' own units."""
        numbers = np.asarray(outputs, np.float32) * self.scale + self.mean
        return {"predictions": numbers + self.offset if self.offset.any() else numbers}

    def output_fields(self) -> tuple[Output, ...]:
        names = ", ".join(target.name for target in self.facts.targets)
        return (
            Output(
                name="predictions",
                dtype="float64" if self.offset.any() else "float32",
                shape=("batch", len(self.facts.targets)),
                meaning=f"{names}, in the units of the data",
                limit=1e-4,
                scale=tuple(map(float, self.scale)),
            ),
        )

    def postprocess_graph(self, outputs) -> dict[str, Any]:
        numbers = outputs * self.scale + self.mean
        if self.offset.any():
            import tensorflow as tf

            numbers = tf.cast(numbers, tf.float64) + self.offset
        return {"predictions": numbers}

    def describe(
        self, predictions: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        names = [target.name for target in self.facts.targets]
        return [
            dict(zip(names, map(float, row), strict=True)) for row in predictions["predictions"]
        ]

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        def predict(answer: Callable[[Arrays], np.ndarray], examples: Arrays) -> Arrays:
            return {"predictions": answer(examples)}

        found = fit_regressors(self.simple_methods(), train)
        return {name: self.evaluate_method(partial(predict, answer)) for name, answer in found}

    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return mae, rmse and r2: the mean over targets, and by target where there are several."""
        from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

        targets, predicted = truth["target"], predictions["predictions"]
        scores = {
            "mae": mean_absolute_error(targets, predicted, multioutput="raw_values"),
            "rmse": root_mean_squared_error(targets, predicted, multioutput="raw_values"),
        }
        if len(targets) > 1:  # R² of one example is not defined
            scores["r2"] = r2_score(targets, predicted, multioutput="raw_values")
        metrics = {name: float(np.mean(values)) for name, values in scores.items()}
        if len(self.facts.targets) > 1:
            metrics["by_target"] = {
                target.name: {name: float(values[i]) for name, values in scores.items()}
                for i, target in enumerate(self.facts.targets)
            }
        return metrics
