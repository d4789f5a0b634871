"""Networks that grow: images of a few pixels first, then twice as large, and so on.

Karras et al. 2018, "Progressive growing of GANs for improved quality, stability, and variation".
Every level has a generator and a discriminator of its own size; they share the layers of the levels
below. A new level fades in: `fade` goes from 0, where its image is the enlarged one of the level
below, to 1, where nothing is left of that.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import layers, ops

from threefold.blueprints.parts.adversarial.layers import (
    EqualizedConv2D,
    EqualizedDense,
    MinibatchDeviation,
    PixelNormalization,
)

FADE = "fade"
Head = Callable[[Any], Any]


class Level(NamedTuple):
    """The two networks of one size, from `noise`, `label` and `fade`, and from `image`, `label` and
    `fade`.
    """

    generator: keras.Model
    discriminator: keras.Model


class Growing:
    """The layers of networks that grow, and the networks of every level.

    Args:
        image_shape: tuple of int. Height, width, channels of the whole images.
        widths: list of int. Filters at each size, that of whole images first, each size half of the
            one before.
        slope: float. Of leaky units below 0.
    """

    def __init__(self, image_shape: tuple[int, int, int], widths: list[int], slope: float):
        self.image_shape, self.widths, self.slope = image_shape, widths, slope
        self.top = len(widths) - 1
        self.layers: dict[str, layers.Layer] = {}

    def make_levels(
        self, noise: dict[str, Any], made_of, labels: dict[str, Any], head: Head
    ) -> tuple[Level, ...]:
        """Return the networks, the smallest first.

        Args:
            noise: dict of str to keras.KerasTensor. The generator's inputs.
            made_of: keras.KerasTensor. What an image is made of, (batch, numbers).
            labels: dict of str to keras.KerasTensor. The discriminator's inputs but `image`.
            head: function. From features (batch, numbers) to scores (batch, 1); its layers are the
                same at every level.
        """
        levels = []
        fade = keras.Input((1,), name=FADE)
        for level in range(self.top + 1):
            made = self.generate(made_of, level, fade)
            image = keras.Input(self.shape_at(level), name="image")
            features = self.see(image, level, fade)
            found = {"score": head(features), "features": features}
            levels.append(
                Level(
                    keras.Model({**noise, FADE: fade}, made, name=f"generator_{level}"),
                    keras.Model(
                        {"image": image, **labels, FADE: fade}, found, name=f"discriminator_{level}"
                    ),
                )
            )
        return tuple(levels)

    def shape_at(self, level: int) -> tuple[int, int, int]:
        """Return the shape of a level's images."""
        height, width, channels = self.image_shape
        halvings = self.top - level
        return height >> halvings, width >> halvings, channels

    def generate(self, x, level: int, fade=None):
        """Return the image that a level makes; without `fade` that of the level alone."""
        height, width, _ = self.shape_at(0)
        count = self._width(0)
        x = self._layer(PixelNormalization, "generator_noise_norm")(x)
        x = self._layer(EqualizedDense, "generator_start", height * width * count)(x)
        x = self._layer(layers.Reshape, "generator_reshape", (height, width, count))(x)
        x = self._activate(x, "generator_start", normalize=True)
        x = self._convolve(x, count, "generator_0_conv", normalize=True)
        before = None
        for stage in range(1, level + 1):
            before = x
            x = self._layer(layers.UpSampling2D, f"generator_{stage}_larger")(x)
            for step in (1, 2):
                name = f"generator_{stage}_conv_{step}"
                x = self._convolve(x, self._width(stage), name, normalize=True)
        image = self._to_image(x, level)
        if before is None or fade is None:
            return image
        old = self._to_image(before, level - 1)
        old = self._layer(layers.UpSampling2D, f"generator_{level}_old", dtype="float32")(old)
        blend = self._layer(Blend, f"generator_{level}_blend", dtype="float32")
        return blend([old, image, fade])  # (batch, height, width, channels), -1 to 1

    def see(self, image, level: int, fade=None):
        """Return what the discriminator of a level finds in its images, (batch, features)."""
        x = self._from_image(image, level)
        for stage in range(level, 0, -1):
            x = self._convolve(x, self._width(stage), f"discriminator_{stage}_conv_1")
            x = self._convolve(x, self._width(stage - 1), f"discriminator_{stage}_conv_2")
            x = self._layer(layers.AveragePooling2D, f"discriminator_{stage}_pool", 2)(x)
            if stage == level and fade is not None:
                old = self._layer(layers.AveragePooling2D, f"discriminator_{level}_old", 2)(image)
                old = self._from_image(old, level - 1)
                x = self._layer(Blend, f"discriminator_{level}_blend")([old, x, fade])
        x = self._layer(MinibatchDeviation, "discriminator_deviation")(x)
        x = self._convolve(x, self._width(0), "discriminator_0_conv")
        x = self._layer(layers.Flatten, "discriminator_flatten")(x)
        x = self._layer(EqualizedDense, "discriminator_dense", self._width(0))(x)
        return self._activate(x, "discriminator_dense")

    def _width(self, level: int) -> int:
        return self.widths[self.top - level]

    def _to_image(self, x, level: int):
        name, channels = f"generator_image_{level}", self.image_shape[-1]
        x = self._layer(EqualizedConv2D, name, channels, 1, gain=1.0, dtype="float32")(x)
        return self._layer(layers.Activation, f"{name}_range", "tanh", dtype="float32")(x)

    def _from_image(self, image, level: int):
        name = f"discriminator_image_{level}"
        return self._activate(
            self._layer(EqualizedConv2D, name, self._width(level), 1)(image), name
        )

    def _convolve(self, x, count: int, name: str, normalize: bool = False):
        x = self._layer(EqualizedConv2D, name, count, 3, padding="same")(x)
        return self._activate(x, name, normalize)

    def _activate(self, x, name: str, normalize: bool = False):
        x = self._layer(layers.LeakyReLU, f"{name}_activation", self.slope)(x)
        return self._layer(PixelNormalization, f"{name}_norm")(x) if normalize else x

    def _layer(self, kind: type, name: str, *args, **kwargs):
        """Return the layer of a name, which all levels share."""
        if name not in self.layers:
            self.layers[name] = kind(*args, name=name, **kwargs)
        return self.layers[name]


@keras.saving.register_keras_serializable("threefold")
class Blend(layers.Layer):
    """Go from one tensor to another: (1 - fade) · old + fade · new."""

    def call(self, inputs):
        """Blend (batch, height, width, channels) by a fade of shape (batch, 1)."""
        old, new, fade = inputs
        return old + (new - old) * ops.reshape(ops.cast(fade, new.dtype), (-1, 1, 1, 1))

    def compute_output_shape(self, input_shape):
        """Return the shape of either."""
        return input_shape[0]
