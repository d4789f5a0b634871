"""Images that one network makes and another tells from real ones."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from threefold.tasks.inputs.image_inputs import ImageInputs
from threefold.tasks.task import Arrays


class AdversarialImages(ImageInputs):
    """A task whose model has the layers `generator`, which answers, and `discriminator`."""

    losses = ("adversarial",)
    training_loop = "adversarial"
    dataset_task = "image_classification"

    def targets(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        return ImageInputs.model_inputs(self, examples)["image"]

    def sample_weights(self, targets: np.ndarray) -> None:
        return None

    def compile_arguments(self) -> dict[str, Any]:
        return {}  # the two networks of the model are trained against each other

    def predict_fn(self, model) -> Callable[[Arrays], np.ndarray]:
        """Return the generator."""
        generator = model.get_layer("generator")
        return lambda inputs: np.asarray(generator.predict_on_batch(inputs))

    def serving(self, model) -> tuple[Callable, list]:
        return super().serving(model.get_layer("generator"))
