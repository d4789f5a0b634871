"""Which class is each pixel of? Asked of images."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from scipy.special import softmax

from threefold.datasets.dataset import Source
from threefold.datasets.images.augmentation import IGNORED
from threefold.datasets.images.image_files import stack_images
from threefold.datasets.images.masks.files import resize_mask
from threefold.datasets.images.tiling import blend_tiles
from threefold.tasks.figure import Figure
from threefold.tasks.inputs.image_inputs import ImageInputs
from threefold.tasks.metrics.mask_baselines import fit_pixel_methods
from threefold.tasks.metrics.mask_scores import score_masks
from threefold.tasks.signature import Output
from threefold.tasks.task import Arrays

SMOOTHING = 1.0  # pixels: what an overlap counts at least, so that an absent class has one
TVERSKY = (0.3, 0.7)  # weights of pixels that are taken wrongly, and that are missed
FOCUS = 2.0  # of the focal loss: how little a pixel counts that is known already


class ImageSegmentation(ImageInputs):
    """A class for each pixel; the model's outputs are one unscaled score (logit) a class."""

    name = "image_segmentation"
    losses = ("cross_entropy_dice", "cross_entropy", "dice", "tversky", "focal")
    settings = ("augment", "mosaic")  # of blended images a pixel would have two classes
    augmentation = ("shift", "scale", "rotate", "colour")
    image_output = "write_masks"
    figures = (
        Figure(
            "masks.worst_masks",
            "The images whose masks are the most wrong: the image, its true classes, and those "
            "that were found. Gray pixels count for nothing.",
            ("class_index",),
            ("mask",),
        ),
        Figure(
            "masks.overlap_by_class",
            "How well each class is found: what the true and the found pixels have in common, "
            "divided by all that are either.",
            ("class_index",),
            ("mask",),
        ),
    )
    prediction_figure = Figure(
        "masks.found_masks", "Images, and the classes that were found in them.", ("class_index",)
    )
    summary_metrics = ("mean_iou", "dice", "pixel_accuracy", "boundary_f1", "loss")
    primary_metric = "mean_iou"

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"num_outputs": len(self.facts.class_names)}

    def targets(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return one-hot classes (batch, height, width, classes); all 0 of an ignored pixel."""
        count = len(self.facts.class_names)
        known = np.zeros((IGNORED + 1, count), np.float32)
        known[:count] = np.eye(count, dtype=np.float32)
        return known[examples["mask"]]

    def sample_weights(self, targets: np.ndarray) -> np.ndarray | None:
        return None

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        height, width, _ = self.facts.image_shape
        # Those of images in their own sizes come in these.
        masks = [resize_mask(mask, height, width) for mask in examples["mask"]]
        return {"mask": np.stack(masks) if masks else np.empty((0, height, width), np.uint8)}

    def compile_arguments(self) -> dict[str, Any]:
        import keras
        from keras import ops

        def pixel_accuracy(targets, outputs):
            known = ops.sum(targets, axis=-1)  # (batch, height, width)
            right = ops.equal(ops.argmax(targets, axis=-1), ops.argmax(outputs, axis=-1))
            right = ops.cast(right, known.dtype) * known
            return ops.sum(right, axis=(1, 2)) / ops.maximum(ops.sum(known, axis=(1, 2)), 1)

        metric = keras.metrics.MeanMetricWrapper(pixel_accuracy, name="pixel_accuracy")
        return {"loss": _losses()[self.loss], "metrics": [metric]}

    def postprocess(self, outputs: np.ndarray) -> Arrays:
        """Return `probabilities` (batch, height, width, classes) and `class_index` without the
        last axis.
        """
        probabilities = softmax(np.asarray(outputs, np.float32), axis=-1)
        return {"probabilities": probabilities, "class_index": probabilities.argmax(axis=-1)}

    @property
    def keeps_sizes(self) -> bool:
        return self.facts.tile_size is not None

    def answer_inputs(
        self, answer: Callable[[Arrays], Arrays], examples: Arrays, batch_size: int
    ) -> Arrays:
        """Return answers; of a model of tiles `class_index` alone, in the images' own sizes."""
        if self.facts.tile_size is None:
            return answer(examples)

        def find_probabilities(tiles: np.ndarray) -> np.ndarray:
            return answer({"image": tiles})["probabilities"]

        def find_mask(image: np.ndarray) -> np.ndarray:
            found = blend_tiles(find_probabilities, image, self.facts.tile_size, batch_size)
            return found.argmax(axis=-1).astype(np.uint8)

        return {"class_index": stack_images([find_mask(image) for image in examples["image"]])}

    def output_fields(self) -> tuple[Output, ...]:
        names = self.facts.class_names
        height, width, _ = self.facts.image_shape
        return (
            Output.probability(
                "probabilities",
                ("batch", height, width, len(names)),
                f"probability of each class, in the order of labels.txt, in each pixel of the "
                f"{'tile' if self.facts.tile_size else 'image'} at {height} × {width} pixels",
            ),
            Output.index(
                "class_index",
                ("batch", height, width),
                "position of each pixel's most probable class in labels.txt, from 0"
                + (
                    ""
                    if self.facts.tile_size
                    else "; enlarge it to the image's own size by the nearest pixel"
                ),
                len(names),
            ),
        )

    def postprocess_graph(self, outputs) -> dict[str, Any]:
        import tensorflow as tf

        probabilities = tf.nn.softmax(outputs)
        return {"probabilities": probabilities, "class_index": tf.argmax(probabilities, axis=-1)}

    def near_ties(self, predictions: Mapping[str, np.ndarray], limit: float) -> np.ndarray:
        best = np.partition(predictions["probabilities"], -2, axis=-1)[..., -2:]
        return (best[..., 1] - best[..., 0] <= 2 * limit).any(axis=(1, 2))

    def describe(
        self, predictions: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        """Return the share of the pixels that each class has."""
        names = self.facts.class_names
        counts = [np.bincount(mask.ravel(), minlength=len(names)) / mask.size
                  for mask in predictions["class_index"]]  # fmt: skip
        return [{"shares": dict(zip(names, map(float, row), strict=True))} for row in counts]

    def found_images(self, predictions: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        return [mask.astype(np.uint8) for mask in predictions["class_index"]]

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        classes = len(self.facts.class_names)

        def predict(answer: Callable[[np.ndarray], np.ndarray], examples: Arrays) -> Arrays:
            found = answer(self.model_inputs(examples)["image"])
            return {"probabilities": found, "class_index": found.argmax(axis=-1)}

        def read(examples: Arrays) -> tuple[np.ndarray, np.ndarray]:
            return self.model_inputs(examples)["image"], self.truth(examples)["mask"]

        found = fit_pixel_methods(train, read, classes)
        return {
            name: self.evaluate_method(partial(predict, answer)) for name, answer in found.items()
        }

    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return mean IoU, dice and boundary F1 over the classes that the masks hold, and by class;
        the accuracy of pixels, and their log-loss under the name `loss`.
        """
        return score_masks(
            predictions["probabilities"],
            predictions["class_index"],
            truth["mask"],
            self.facts.class_names,
        )


def _losses() -> dict[str, Callable]:
    """Return the losses, each from (batch, height, width, classes) to one number an example."""
    from keras import ops

    def over_pixels(values, targets):
        """Return the mean over the pixels that count."""
        known = ops.sum(targets, axis=(1, 2, 3))
        return ops.sum(values, axis=(1, 2)) / ops.maximum(known, 1)

    def cross_entropy(targets, outputs):
        return over_pixels(-ops.sum(targets * ops.log_softmax(outputs), axis=-1), targets)

    def focal(targets, outputs):
        logs = ops.log_softmax(outputs)
        lost = targets * (1 - ops.exp(logs)) ** FOCUS * logs
        return over_pixels(-ops.sum(lost, axis=-1), targets)

    def overlap(targets, outputs, weights):
        known = ops.sum(targets, axis=-1, keepdims=True)
        found = ops.softmax(outputs) * known
        common = ops.sum(found * targets, axis=(1, 2))  # (batch, classes)
        wrong = ops.sum(found * (known - targets), axis=(1, 2))
        missed = ops.sum((known - found) * targets, axis=(1, 2))
        whole = common + weights[0] * wrong + weights[1] * missed
        return 1 - ops.mean((common + SMOOTHING) / (whole + SMOOTHING), axis=-1)

    def dice(targets, outputs):
        return overlap(targets, outputs, (0.5, 0.5))

    def tversky(targets, outputs):
        return overlap(targets, outputs, TVERSKY)

    def cross_entropy_dice(targets, outputs):
        return cross_entropy(targets, outputs) + dice(targets, outputs)

    found = (cross_entropy_dice, cross_entropy, dice, tversky, focal)
    return {loss.__name__: loss for loss in found}


TASK = ImageSegmentation
