"""How real is such an image? Asked of the discriminator of a model that makes images.

No task to fit: a part of one of `image_generation`, which an export ships alone.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from threefold.core.errors import UserError
from threefold.tasks.inputs.image_inputs import ImageInputs
from threefold.tasks.signature import Field, Output
from threefold.tasks.task import Arrays

SCORES = {
    "standard": "the logit of its being real",
    "least_squares": "near 1 for real images and 0 for generated ones",
    "hinge": "above 1 for what is surely real, below -1 for what is surely generated",
    "wasserstein": "of the critic, of no unit of its own: differences alone mean something",
}


class ImageScoring(ImageInputs):
    """An image in, and its class if the model is conditional; a score out, higher for more real."""

    name = "image_scoring"
    losses = ("adversarial",)
    figures = ()
    summary_metrics = ("mean_score",)
    primary_metric = "mean_score"

    def model_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        image = super().model_inputs({"image": _to_whole(examples["image"])})["image"]
        labels = {"label": examples["label"].astype(np.int32)} if self._takes_class() else {}
        return {"image": image / np.float32(127.5) - 1, **labels}

    def _takes_class(self) -> bool:
        return self.options["conditional"]

    def targets(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.ones((len(examples["image"]), 1), np.float32)  # real, all of them

    def sample_weights(self, targets: np.ndarray) -> None:
        return None

    def truth(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {"real": self.targets(examples)}

    def compile_arguments(self) -> dict[str, Any]:
        return {}

    def predict_fn(self, model) -> Callable[[Arrays], np.ndarray]:
        discriminator = model.get_layer("discriminator")
        return lambda inputs: np.asarray(discriminator.predict_on_batch(inputs)["score"])

    def postprocess(self, outputs: np.ndarray) -> Arrays:
        """Return `score` (batch, 1)."""
        return {"score": np.asarray(outputs, np.float32)}

    def describe(
        self, predictions: Mapping[str, np.ndarray], examples: Mapping[str, np.ndarray]
    ) -> list[dict[str, Any]]:
        return [{"score": float(score)} for score in predictions["score"][:, 0]]

    def compute_metrics(
        self, predictions: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return the mean score of real images: a check, which says nothing of generated ones."""
        return {"mean_score": float(predictions["score"].mean())}

    def input_fields(self) -> tuple[Field, ...]:
        fields, count = super().input_fields(), len(self.facts.class_names)
        meaning = "position in labels.txt of the image's class, from 0"
        label = Field.index("label", ("batch",), meaning, count)
        return (*fields, label) if self._takes_class() else fields

    def output_fields(self) -> tuple[Output, ...]:
        loss = self.options["loss"]
        return (
            Output(
                name="score",
                dtype="float32",
                shape=("batch", 1),
                meaning=f"higher: more real; of the loss {loss}: {SCORES[loss]}",
                limit=1e-4,
            ),
        )

    def raw_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        image = {"image": _to_whole(examples["image"])}
        if not self._takes_class():
            return image
        if "label" not in examples:
            raise UserError(
                "this discriminator was fitted with -o conditional=true and takes the class of "
                "each image, too: ask the model file as example.py does"
            )
        return image | {"label": examples["label"].astype(np.int64)}

    def preprocess_graph(self) -> tuple[Callable, list]:
        import tensorflow as tf

        enter, tables = super().preprocess_graph()

        def scale(raw):
            labels = {"label": tf.cast(raw["label"], tf.int32)} if "label" in raw else {}
            return {"image": enter(raw)["image"] / 127.5 - 1.0, **labels}

        return scale, tables

    def postprocess_graph(self, outputs) -> dict[str, Any]:
        return {"score": outputs["score"]}

    def serving(self, model) -> tuple[Callable, list]:
        return super().serving(model.get_layer("discriminator"))


def _to_whole(images: np.ndarray) -> np.ndarray:
    """Return images as files hold them: bytes, also of points of a plane."""
    return np.rint(images).astype(np.uint8) if images.dtype.kind == "f" else images
