"""What comes in: images. One half of a task."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from threefold.datasets.images.image_files import fit_image, stack_images
from threefold.tasks import graph
from threefold.tasks.metrics.simple_methods import SimpleMethod
from threefold.tasks.signature import Field
from threefold.tasks.task import Arrays, Task

SMALL = 16  # pixels: the sides of images as the simple method sees them
EXTREME_SIZES = ((1, 1), (3, 257), (129, 2), (7, 5))  # height, width: a pixel, oblong, odd
LARGE = 64  # pixels: from this side on, an image is varied by leaving pixels out


class ImageInputs(Task):
    """Images of one shape, values 0 to 255, under the name `image`."""

    settings = ("augment", "mixup")

    def model_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        images = examples["image"]
        if images.shape[1:] != self.facts.image_shape:  # of any size, as they were read
            images = np.stack([fit_image(image, self.facts.image_shape) for image in images])
        return {"image": images.astype(np.float32, copy=False)}

    def simple_methods(self) -> dict[str, SimpleMethod]:
        """Return what a network must beat: a weight for each pixel."""
        return {"linear, of pixels": SimpleMethod("linear", self._pixels)}

    def _pixels(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return images as rows of numbers, the larger ones made small."""
        height, width, channels = self.facts.image_shape
        shape = (min(height, SMALL), min(width, SMALL), channels)
        whole = (np.rint(image).astype(np.uint8) for image in examples["image"])
        return np.stack([fit_image(image, shape).ravel() for image in whole])

    def arguments(self) -> dict[str, Any]:
        return {"image_shape": self.facts.image_shape}

    def input_fields(self) -> tuple[Field, ...]:
        height, width, channels = self.facts.image_shape
        colour = "gray levels" if channels == 1 else "red, green, blue"
        if self.facts.levels:
            low, high = self.facts.levels
            colour += f" (of files of more than 8 bits: {low:g} to {high:g}, scaled to 0 to 255)"
        size = f"any size, resized to {height} × {width} pixels inside"
        if self.facts.tile_size:
            size = f"a tile of {height} × {width} pixels of an image; another size is resized to it"
        return (
            Field(
                name="image",
                dtype="uint8",
                shape=("batch", "height", "width", channels),
                meaning=f"{colour}; {size}",
                range=(0, 255),
            ),
        )

    def raw_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {"image": examples["image"]}

    def probes(self, examples: Mapping[str, np.ndarray]) -> dict[str, Arrays]:
        images = examples["image"]
        some = images[: len(EXTREME_SIZES)]
        black_or_white = [np.full_like(image, 255 * (i % 2)) for i, image in enumerate(images)]
        found = {
            "of another size": [_vary_size(image) for image in images],
            "of extreme sizes": [
                np.resize(image, (*size, image.shape[-1]))
                for image, size in zip(some, EXTREME_SIZES, strict=False)
            ],
            "all black or all white": black_or_white,
        }
        return {
            name: {key: array[: len(changed)] for key, array in examples.items()}
            | {"image": stack_images(changed)}
            for name, changed in found.items()
        }

    def preprocess_graph(self) -> tuple[Callable, list]:
        return lambda raw: {"image": graph.fit_images(raw["image"], *self.facts.image_shape)}, []


def _vary_size(image: np.ndarray) -> np.ndarray:
    """Return an image of another height and width, by other factors."""
    if min(image.shape[:2]) >= LARGE:
        return image[::2, ::3]
    return image.repeat(2, axis=0).repeat(3, axis=1)
