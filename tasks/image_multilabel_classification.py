"""Which labels does it have, none to all? Asked of images."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit, logit

from threefold.datasets.dataset import Source
from threefold.tasks.evaluation import evaluate, make_predict_fn
from threefold.tasks.figure import Figure
from threefold.tasks.inputs.image_inputs import ImageInputs
from threefold.tasks.metrics.label_decisions import USUAL, choose_thresholds, score_labels
from threefold.tasks.metrics.simple_methods import fit_multilabel_classifiers
from threefold.tasks.signature import Output
from threefold.tasks.task import Arrays

# Of the asymmetric loss (Ridnik et al. 2021): how little a label counts that is known to be absent
# already, and the probability up to which it counts for nothing.
FOCUS, SHIFT = 4.0, 0.05


class ImageMultilabelClassification(ImageInputs):
    """Any number of labels an image; the model's outputs are one logit a label, then as many
    distances of these from their thresholds.
    """

    name = "image_multilabel_classification"
    losses = ("binary_cross_entropy", "focal", "asymmetric")
    settings = ("label_smoothing", *ImageInputs.settings)
    augmentation = ("shift",)
    averages_views = True
    activation_maps = True
    figures = (
        Figure(
            "labels.precision_recall",
            "How many of the images that have a label are found, and how many of the found ones "
            "have it, as its threshold falls. The point is the threshold that decides.",
            ("probabilities", "labels"),
            ("labels",),
        ),
        Figure(
            "labels.average_precision_by_class",
            "How well the images that have each label come before those that have not.",
            ("probabilities", "labels"),
            ("labels",),
        ),
        Figure(
            "labels.worst_images",
            "The images with the most labels that were missed (−) or made up (+).",
            ("probabilities", "labels"),
            ("labels",),
        ),
    )
    summary_metrics = ("mean_average_precision", "f1", "exact_match", "loss")
    primary_metric = "mean_average_precision"

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"num_outputs": len(self.facts.class_names)}

    def targets(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        return examples["labels"].astype(np.float32)

    def sample_weights(self, targets: np.ndarray) -> np.ndarray | None:
        return None

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {"labels": examples["labels"]}

    def compile_arguments(self) -> dict[str, Any]:
        import keras
        from keras import ops

        count = len(self.facts.class_names)
        loss = _losses(self.label_smoothing)[self.loss]

        def of_logits(targets, outputs):
            return ops.mean(loss(targets, outputs[:, :count]), axis=-1)

        def label_accuracy(targets, outputs):
            right = ops.equal(targets > 0.5, outputs[:, :count] > 0)
            return ops.mean(ops.cast(right, outputs.dtype), axis=-1)

        metric = keras.metrics.MeanMetricWrapper(label_accuracy, name="label_accuracy")
        return {"loss": of_logits, "metrics": [metric]}

    def calibrate(self, model, splits: Mapping[str, Source], batch_size: int) -> str | None:
        """Let each label's threshold be the one with the best F1 on the validation split."""
        layer = next(layer for layer in model.layers if layer.name == "calibration")
        layer.thresholds.assign(np.zeros(layer.thresholds.shape, np.float32))
        if "validation" not in splits:
            return f"labels from a probability of {USUAL} on: there is no validation split"
        answer = make_predict_fn(self.predict_fn(model), self, batch_size)

        def look():
            return evaluate(answer, self, splits["validation"], "validation", batch_size)

        before = look()
        found = choose_thresholds(before.predictions["probabilities"], before.truth["labels"])
        layer.thresholds.assign(logit(found.values).astype(np.float32))
        kinds = [f"{found.own} labels have thresholds of their own"] if found.own else []
        if rest := len(found.values) - found.own:
            kinds.append(f"{rest} rare ones share one" if found.own else "all labels share one")
        return (
            f"thresholds chosen on {len(before.source):,} images of validation: "
            f"{', '.join(kinds)}; F1 of all decisions there {before.metrics['micro_f1']:.3f} "
            f"before, {look().metrics['micro_f1']:.3f} now"
        )

    def postprocess(self, outputs: np.ndarray) -> Arrays:
        """Return `probabilities` and `labels`, 0 or 1, both (batch, labels); and `margin` (batch,):
        how near the nearest probability lies to its threshold.
        """
        scores, distances = np.split(np.asarray(outputs, np.float32), 2, axis=-1)
        probabilities = expit(scores)
        thresholds = expit(scores.astype(np.float64) - distances)
        return {
            "probabilities": probabilities,
            "labels": (distances >= 0).astype(np.int64),
            "margin": np.abs(probabilities - thresholds).min(axis=-1),
        }

    def output_fields(self) -> tuple[Output, ...]:
        names = self.facts.class_names
        shape = ("batch", len(names))
        return (
            Output.probability(
                "probabilities", shape, "probability of each label, in the order of labels.txt"
            ),
            Output.index(
                "labels",
                shape,
                "1 of each label whose probability reaches its threshold, else 0, in the same "
                "order; any number of them",
                2,
            ),
        )

    def postprocess_graph(self, outputs) -> dict[str, Any]:
        import tensorflow as tf

        scores, distances = tf.split(outputs, 2, axis=-1)
        labels = tf.cast(distances >= 0, tf.int64)
        return {"probabilities": tf.sigmoid(scores), "labels": labels}

    def near_ties(self, predictions: Mapping[str, np.ndarray], limit: float) -> np.ndarray:
        return predictions["margin"] <= 2 * limit

    def describe(
        self, predictions: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        names = self.facts.class_names
        return [
            {
                "labels": [names[i] for i in np.flatnonzero(found)],
                "probabilities": dict(zip(names, map(float, row), strict=True)),
            }
            for row, found in zip(predictions["probabilities"], predictions["labels"], strict=True)
        ]

    def explained_outputs(self, predictions: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the most probable label of each image."""
        return predictions["probabilities"].argmax(axis=-1)

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        def predict(answer: Callable[[Arrays], np.ndarray], examples: Arrays) -> Arrays:
            found = answer(examples)
            return {"probabilities": found, "labels": found >= USUAL}

        found = fit_multilabel_classifiers(self.simple_methods(), train)
        return {name: self.evaluate_method(partial(predict, answer)) for name, answer in found}

    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return what `score_labels` does: of each label, and means over them."""
        found = np.asarray(predictions["labels"], bool)
        names = self.facts.class_names
        return score_labels(predictions["probabilities"], found, truth["labels"], names)


def _losses(smoothing: float) -> dict[str, Callable]:
    """Return the losses, each from targets and logits (batch, labels) to numbers of that shape."""
    from keras import ops

    def smooth(targets):
        return targets * (1 - smoothing) + smoothing / 2

    def weighted(targets, logits, present, absent):
        """Return the cross-entropy, weighted by what is given for either case."""
        found = targets * present * ops.log_sigmoid(logits)
        return -(found + (1 - targets) * absent * ops.log_sigmoid(-logits))

    def binary_cross_entropy(targets, logits):
        return weighted(smooth(targets), logits, 1.0, 1.0)

    def focal(targets, logits):
        probabilities = ops.sigmoid(logits)
        return weighted(smooth(targets), logits, (1 - probabilities) ** 2, probabilities**2)

    def asymmetric(targets, logits):
        targets = smooth(targets)
        shifted = ops.maximum(ops.sigmoid(logits) - SHIFT, 0.0)
        absent = shifted**FOCUS * ops.log(1 - shifted)
        return -(targets * ops.log_sigmoid(logits) + (1 - targets) * absent)

    found = (binary_cross_entropy, focal, asymmetric)
    return {loss.__name__: loss for loss in found}


TASK = ImageMultilabelClassification
