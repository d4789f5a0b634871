"""What was where the hole is? Asked of images of which a part is missing."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import Dataset, Source
from threefold.datasets.images.image_files import stack_images
from threefold.datasets.images.masks.holes import TOUCHED, fit_hole, sample_holes
from threefold.datasets.images.numbered_images import number_examples
from threefold.datasets.images.resizing import resize
from threefold.tasks import graph
from threefold.tasks.figure import Figure
from threefold.tasks.inputs.adversarial_images import AdversarialImages
from threefold.tasks.metrics.images.inpainting_scores import SIMPLE_FILLS, score_holes
from threefold.tasks.signature import Field, Output
from threefold.tasks.task import Arrays

SEED = 0  # of the holes by which a model is evaluated


class ImageInpainting(AdversarialImages):
    """An image and where its hole is in; the completed image out, values 0 to 255.

    What is in the hole is not looked at, and what is outside of it stays as it is. Holes are made
    at random: anew for each epoch of a training, always the same ones of an evaluation.
    """

    name = "image_inpainting"
    settings = ("augment",)  # mixed images are none to learn from
    input_reader = "images.masks.masked_inputs"
    image_output = "write_completed"
    keeps_sizes = True
    figures = (
        Figure(
            "inpainting.completed_images",
            "Images with their holes, in colour, as they were completed, and as they really are.",
            ("completed",),
            ("image", "mask"),
        ),
    )
    prediction_figure = Figure(
        "inpainting.filled_holes", "Images with their holes, and completed.", ("completed",)
    )
    summary_metrics = ("psnr", "ssim", "l1")
    primary_metric = "psnr"

    @classmethod
    def adapt(cls, dataset: Dataset) -> Dataset:
        facts = dataset.facts
        if facts.kind != "image":
            raise UserError(
                f"dataset '{dataset.reference}' holds {facts.describe()}; {cls.name} takes images"
            )
        if facts.image_shape[:2] == (1, 1):
            raise UserError(f"images of 1 × 1 pixels have no room for a hole; {cls.name} needs two")
        return super().adapt(number_examples(dataset))

    def random_arrays(self, seed: int, epoch: int, indices: np.ndarray) -> Arrays:
        """Return `mask` (batch, height, width), 1 in a hole."""
        return {"mask": sample_holes(seed, epoch, indices, *self.facts.image_shape[:2])}

    def model_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        mask = self._find_holes(examples)[..., None].astype(np.float32)
        return super().model_inputs(examples) | {"mask": mask}

    def _find_holes(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the holes of examples, uint8 (batch, height, width) of the network's size: those
        that come with them, or those of an evaluation.
        """
        height, width, _ = self.facts.image_shape
        if "mask" not in examples:
            return sample_holes(SEED, 0, examples["row"], height, width)
        masks = [fit_hole(mask, height, width) for mask in examples["mask"]]
        return np.stack(masks) if masks else np.empty((0, height, width), np.uint8)

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {"image": self.targets(examples), "mask": self._find_holes(examples)}

    def postprocess(self, outputs: np.ndarray) -> Arrays:
        """Return `completed` (batch, height, width, channels), values 0 to 255."""
        return {"completed": np.asarray(outputs, np.float32)}

    def answer_inputs(
        self, answer: Callable[[Arrays], Arrays], examples: Arrays, batch_size: int
    ) -> Arrays:
        """Return completed images in their own sizes: what is in the hole is brought to them, and
        all else is what was given.
        """
        found = answer(examples)["completed"]
        whole = [
            np.where(mask[..., None] != 0, resize(made, *mask.shape), image).astype(np.float32)
            for made, image, mask in zip(found, examples["image"], examples["mask"], strict=True)
        ]
        return {"completed": stack_images(whole)}

    def describe(
        self, predictions: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        """Return the share of the pixels that are in the hole."""
        masks = examples["mask"] if "mask" in examples else self._find_holes(examples)
        return [{"share_in_hole": float(np.mean(mask != 0))} for mask in masks]

    def found_images(self, predictions: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        return [np.clip(np.rint(image), 0, 255).astype(np.uint8)
                for image in predictions["completed"]]  # fmt: skip

    def baselines(self, train: Source) -> dict[str, Callable[[Source], dict[str, float]]]:
        """Return methods that learn of the image alone; the training split is not looked at."""

        def answer_with(fill: Callable) -> Callable[[Arrays], Arrays]:
            def predict(examples: Arrays) -> Arrays:
                inputs = zip(self.targets(examples), self._find_holes(examples), strict=True)
                return {"completed": np.stack([fill(image, hole) for image, hole in inputs])}

            return predict

        return {name: self.evaluate_method(answer_with(f)) for name, f in SIMPLE_FILLS.items()}

    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return how alike completed and real images are inside the holes: see `score_holes`."""
        return score_holes(predictions["completed"], truth["image"], truth["mask"])

    def input_fields(self) -> tuple[Field, ...]:
        height, width, _ = self.facts.image_shape
        mask = Field(
            name="mask",
            dtype="uint8",
            shape=("batch", "mask_height", "mask_width"),
            meaning=f"any but 0 where the image has its hole; any size, brought to {height} × "
            f"{width} pixels inside, of which those that the hole touches belong to it",
            range=(0, 255),
        )
        return (*super().input_fields(), mask)

    def output_fields(self) -> tuple[Output, ...]:
        height, width, channels = self.facts.image_shape
        colour = "gray levels" if channels == 1 else "red, green, blue"
        return (
            Output(
                name="completed",
                dtype="float32",
                shape=("batch", height, width, channels),
                meaning=f"{colour} of the whole image, outside of the hole as they were; "
                "differences are counted in units of the whole range",
                range=(0, 255),
                limit=1e-4,
                scale=(255.0,),
            ),
        )

    def raw_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        mask = examples.get("mask")
        if mask is None or mask.dtype == object:  # images alone may be of mixed sizes
            mask = self._find_holes(examples)
        return super().raw_inputs(examples) | {"mask": mask}

    def probes(self, examples: Mapping[str, np.ndarray]) -> dict[str, Arrays]:
        height, width, _ = self.facts.image_shape
        larger = sample_holes(SEED, 1, examples["row"], 2 * height + 1, 3 * width)
        masks = {
            "of a hole of another size": larger,
            "without a hole": np.zeros_like(larger),
            "of nothing but a hole": np.full_like(larger, 255),
        }
        held = {name: {**examples, "mask": mask} for name, mask in masks.items()}
        return super().probes(examples) | held

    def preprocess_graph(self) -> tuple[Callable, list]:
        import tensorflow as tf

        height, width, channels = self.facts.image_shape

        def enter(raw):
            # As floats: LiteRT compares no other numbers.
            hole = tf.cast(tf.cast(raw["mask"], tf.float32) > 0, tf.float32)[..., None]
            touched = graph.fit_images(hole, height, width, 1) > TOUCHED
            image = graph.fit_images(raw["image"], height, width, channels)
            return {"image": image, "mask": tf.cast(touched, tf.float32)}

        return enter, []

    def postprocess_graph(self, outputs) -> dict[str, Any]:
        return {"completed": outputs}


TASK = ImageInpainting
