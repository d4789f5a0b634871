"""Layers that more than two blueprints need, or that Keras lacks."""

import random

import keras
from keras import ops

# Keras's own 0.99 takes some 500 steps to know the data, which is more than a small set trains for.
BATCH_NORM_MOMENTUM = 0.9


def draw_dropout(rate: float, name: str) -> keras.layers.Dropout:
    """Draw a dropout layer that can be resumed exactly.

    An unseeded layer takes torch's global generator, which no checkpoint holds; the seed given
    here makes the layer keep its own state. It comes from Python's generator, which the run seeds.

    Args:
        rate: float. Share of the units that are dropped.
        name: str. The layer's name.

    Returns:
        keras.layers.Dropout.
    """
    return keras.layers.Dropout(rate, seed=random.getrandbits(31), name=name)


@keras.saving.register_keras_serializable("threefold")
class LocalResponseNormalization(keras.layers.Layer):
    """Divide every value by the activity of the neighbouring channels at its place.

    ``x / (bias + alpha / size * sum(x² over size channels)) ** beta``, after Krizhevsky et al.
    2012, "ImageNet classification with deep convolutional neural networks", section 3.3.

    Args:
        size: int. How many neighbouring channels count, odd.
        bias: float. Keeps the divisor from zero.
        alpha: float. Strength.
        beta: float. Exponent.
    """

    def __init__(
        self,
        size: int = 5,
        bias: float = 1.0,
        alpha: float = 1e-4,
        beta: float = 0.75,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if size % 2 == 0:
            raise ValueError(f"size must be odd, got {size}")
        self.size, self.bias, self.alpha, self.beta = size, bias, alpha, beta

    def call(self, inputs):
        """Normalise, shape (batch, ..., channels) in and out."""
        channels, half = inputs.shape[-1], self.size // 2
        padding = [[0, 0]] * (len(inputs.shape) - 1) + [[half, half]]
        squares = ops.pad(ops.square(inputs), padding)
        activity = sum(squares[..., i : i + channels] for i in range(self.size))
        return inputs / ops.power(self.bias + self.alpha / self.size * activity, self.beta)

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape

    def get_config(self):
        """Return the arguments."""
        own = {"size": self.size, "bias": self.bias, "alpha": self.alpha, "beta": self.beta}
        return super().get_config() | own
