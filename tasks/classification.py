"""What is asked: one of several classes. The other half of a task."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import softmax

from threefold.datasets.dataset import Source
from threefold.tasks.figure import Figure
from threefold.tasks.metrics.simple_methods import fit_classifiers
from threefold.tasks.signature import Output
from threefold.tasks.task import Arrays, Task

CALIBRATION_BINS = 15


class Classification(Task):
    """One label an example; the model's outputs are one unscaled score (logit) a class."""

    losses = ("cross_entropy", "binary_cross_entropy", "focal")
    settings = ("label_smoothing", "class_weights")
    figures = (
        Figure(
            "classes.confusion_matrix",
            "Which classes were taken for which. A row is a true class.",
            ("label_index",),
            ("label",),
        ),
        Figure(
            "classes.reliability",
            "Whether the model is as often right as it is confident. Bars on the dashed line are "
            "perfect; a gap above a bar means too much confidence, a gap within it too little.",
            ("probabilities", "label_index"),
            ("label",),
        ),
        Figure(
            "classes.worst_mistakes",
            "The mistakes that the model was surest of.",
            ("probabilities", "label_index"),
            ("label",),
        ),
    )
    summary_metrics = ("accuracy", "f1", "loss")
    primary_metric = "accuracy"

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"num_outputs": len(self.facts.class_names)}

    def targets(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        # One-hot rather than indices: label smoothing and mixup need fractions of a class.
        return np.eye(len(self.facts.class_names), dtype=np.float32)[examples["label"]]

    def sample_weights(self, targets: np.ndarray) -> np.ndarray | None:
        if self.class_weights == "none":
            return None
        counts = np.array(self.facts.class_counts, np.float64)
        weights = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
        return (targets @ weights).astype(np.float32)

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {"label": examples["label"]}

    def compile_arguments(self) -> dict[str, Any]:
        import keras

        smoothing = self.label_smoothing
        losses = {
            "cross_entropy": keras.losses.CategoricalCrossentropy,
            "binary_cross_entropy": keras.losses.BinaryCrossentropy,
            "focal": keras.losses.CategoricalFocalCrossentropy,
        }
        return {
            "loss": losses[self.loss](from_logits=True, label_smoothing=smoothing),
            "metrics": [keras.metrics.CategoricalAccuracy(name="accuracy")],
        }

    def postprocess(self, outputs: np.ndarray) -> Arrays:
        """Return `probabilities` (batch, classes) and `label_index` (batch,)."""
        scores = np.asarray(outputs, np.float32)
        if self.loss == "binary_cross_entropy":  # one against the rest: a sigmoid for each class
            scores = -np.logaddexp(0, -scores)
        probabilities = softmax(scores, axis=-1)
        return {"probabilities": probabilities, "label_index": probabilities.argmax(axis=-1)}

    def output_fields(self) -> tuple[Output, ...]:
        names = self.facts.class_names
        return (
            Output.probability(
                "probabilities",
                ("batch", len(names)),
                "probability of each class, in the order of labels.txt",
            ),
            Output.index(
                "label_index",
                ("batch",),
                "position of the most probable class in labels.txt, from 0",
                len(names),
            ),
        )

    def postprocess_graph(self, outputs) -> dict[str, Any]:
        import tensorflow as tf

        if self.loss == "binary_cross_entropy":
            outputs = tf.math.log_sigmoid(outputs)
        probabilities = tf.nn.softmax(outputs)
        return {"probabilities": probabilities, "label_index": tf.argmax(probabilities, axis=-1)}

    def near_ties(self, predictions: Mapping[str, np.ndarray], limit: float) -> np.ndarray:
        best = np.sort(predictions["probabilities"], axis=-1)[:, -2:]
        return best[:, -1] - best[:, 0] <= 2 * limit

    def describe(
        self, predictions: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        names = self.facts.class_names
        return [
            {
                "label": names[index],
                "probability": float(row[index]),
                "probabilities": dict(zip(names, map(float, row), strict=True)),
            }
            for row, index in zip(
                predictions["probabilities"], predictions["label_index"], strict=True
            )
        ]

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        classes = len(self.facts.class_names)
        found = fit_classifiers(self.simple_methods(), train, classes)
        return {name: self.evaluated(probabilities) for name, probabilities in found}

    def evaluated(
        self, probabilities: Callable[[Arrays], np.ndarray]
    ) -> Callable[[Source], dict[str, float]]:
        """Return how well a method does, given how it answers a batch of examples."""

        def predict(examples: Arrays) -> Arrays:
            found = probabilities(examples)
            return {"probabilities": found, "label_index": found.argmax(axis=-1)}

        return self.evaluate_method(predict)

    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return accuracy, precision, recall and f1 (mean over classes and by class), log-loss
        under the name `loss`, and the expected calibration error (Guo et al. 2017).
        """
        from sklearn.metrics import precision_recall_fscore_support

        labels, predicted = truth["label"], predictions["label_index"]
        names, probabilities = self.facts.class_names, predictions["probabilities"]
        by_class = precision_recall_fscore_support(
            labels, predicted, labels=range(len(names)), zero_division=0
        )
        # A class that a split does not hold says nothing of the model: it is left out of the mean.
        seen = by_class[3] > 0
        chosen = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-7)
        return {
            "accuracy": float(np.mean(labels == predicted)),
            "precision": float(by_class[0][seen].mean()),
            "recall": float(by_class[1][seen].mean()),
            "f1": float(by_class[2][seen].mean()),
            "loss": float(-np.log(chosen).mean(dtype=np.float64)),
            "calibration_error": calibration_error(probabilities, labels),
            "by_class": {
                name: {
                    "precision": float(by_class[0][i]),
                    "recall": float(by_class[1][i]),
                    "f1": float(by_class[2][i]),
                    "count": int(by_class[3][i]),
                }
                for i, name in enumerate(names)
            },
        }


def calibration_bins(
    probabilities: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort predictions into equal bins of confidence.

    Args:
        probabilities: float array of shape (examples, classes).
        labels: int array of shape (examples,).

    Returns:
        Three arrays, one entry for each bin that is not empty: mean confidence, accuracy, count.
    """
    confidence = probabilities.max(axis=-1)
    correct = probabilities.argmax(axis=-1) == labels
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    full = counts > 0
    mean = [
        np.bincount(bins, weights=values, minlength=CALIBRATION_BINS)[full] / counts[full]
        for values in (confidence, correct)
    ]
    return mean[0], mean[1], counts[full]


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean distance of confidence from accuracy, weighted by the size of the bins."""
    confidence, accuracy, counts = calibration_bins(probabilities, labels)
    return float(np.average(np.abs(confidence - accuracy), weights=counts))
