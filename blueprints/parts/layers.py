"""Layers that more than two blueprints need, or that Keras lacks."""

import random
from collections.abc import Iterator

import keras
from keras import ops

# Keras's own 0.99 takes some 500 steps to know the data, which is more than a small set trains for.
BATCH_NORM_MOMENTUM = 0.9


def make_dropout(rate: float, name: str) -> keras.layers.Dropout:
    """Build a dropout layer that can be resumed exactly.

    An unseeded layer takes torch's global generator, which no checkpoint holds; the seed given
    here makes the layer keep its own state. It comes from Python's generator, which the run seeds.

    Args:
        rate: float. Share of the units that are dropped.
        name: str. The layer's name.

    Returns:
        keras.layers.Dropout.
    """
    return keras.layers.Dropout(rate, seed=random.getrandbits(31), name=name)


def leaf_layers(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """Yield the layers of a model, those of models inside it, too, in their order."""
    if isinstance(layer, keras.Model):
        for inner in layer.layers:
            yield from leaf_layers(inner)
    else:
        yield layer


def subsample(x, stride: int, name: str):
    """Keep every nth step, or every nth pixel along both sides.

    What a convolution with a window of 1 and a stride reads. With a stride of its own, its gradient
    on torch is wrong, or the process dies: oneDNN 3.12 writes past its workspace where there are
    fewer channels than a vector of the CPU holds (uxlfoundation/oneDNN#6035).

    Args:
        x: tensor. Shape (batch, steps, channels) or (batch, height, width, channels).
        stride: int. Which are kept; 1 keeps all.
        name: str. The layer's name.

    Returns:
        tensor. Like `x`, with sides of ceil(side / stride).
    """
    if stride == 1:
        return x
    pool = keras.layers.MaxPooling1D if len(x.shape) == 3 else keras.layers.MaxPooling2D
    return pool(1, strides=stride, name=name)(x)


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


@keras.saving.register_keras_serializable("threefold")
class TokenEmbedding(keras.layers.Layer):
    """Look up a vector for each token.

    TensorFlow would update only the rows that a batch holds, and so Adam's averages of the others
    would stand still where the other backends let them fade: weights differ by 0.03 after ten
    steps. Multiplying the table by one makes its gradient whole.

    Args:
        vocabulary_size: int. Tokens.
        dimension: int. Length of a vector.
        zero_padding: bool. Whether padding, the token 0, gets zeros.
    """

    def __init__(self, vocabulary_size: int, dimension: int, zero_padding: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_size, self.dimension = vocabulary_size, dimension
        self.zero_padding = zero_padding

    def build(self, input_shape):
        """Make the table."""
        self.embeddings = self.add_weight(
            (self.vocabulary_size, self.dimension),
            initializer=keras.initializers.RandomNormal(
                stddev=self.dimension**-0.5, seed=random.getrandbits(31)
            ),
            name="embeddings",
        )

    def call(self, inputs, reverse=False):
        """Look up, or the reverse, so that a network reads and writes by the same vectors.

        Args:
            inputs: int tensor of shape (batch, time), tokens; in reverse (batch, time, dimension).
            reverse: bool. Whether to predict tokens from vectors (Press and Wolf 2017, "Using the
                output embedding to improve language models").

        Returns:
            tensor of shape (batch, time, dimension); in reverse, one logit a token, float32.
        """
        if reverse:
            table = ops.cast(self.embeddings, "float32")
            return ops.matmul(ops.cast(inputs, "float32"), ops.transpose(table))
        table = ops.multiply(self.embeddings, ops.ones((), self.compute_dtype))
        vectors = ops.take(table, inputs, axis=0)
        if not self.zero_padding:
            return vectors
        return vectors * ops.cast(ops.not_equal(inputs, 0), vectors.dtype)[:, :, None]

    def compute_output_spec(self, inputs, reverse=False):
        """Return the shape and type of the vectors, or of the logits."""
        if reverse:
            return keras.KerasTensor((*inputs.shape[:-1], self.vocabulary_size), "float32")
        return keras.KerasTensor((*inputs.shape, self.dimension), self.compute_dtype)

    def get_config(self):
        """Return the arguments."""
        own = {"vocabulary_size": self.vocabulary_size, "dimension": self.dimension}
        return super().get_config() | own | {"zero_padding": self.zero_padding}


@keras.saving.register_keras_serializable("threefold")
class PoolSteps(keras.layers.Layer):
    """Sum up each sequence over its true steps.

    Args:
        kind: str. `last`: the last true step; `mean` or `max` over the true steps.
    """

    def __init__(self, kind: str, **kwargs):
        super().__init__(**kwargs)
        self.kind = kind

    def call(self, inputs):
        """Sum up.

        Args:
            inputs: pair of tensors: sequences (batch, time, features), lengths (batch,) int.

        Returns:
            tensor of shape (batch, features).
        """
        sequences, lengths = inputs
        lengths = ops.maximum(ops.cast(lengths, "int32"), 1)  # of nothing, the first step of it
        if self.kind == "last":
            places = (lengths - 1)[:, None, None]
            return ops.squeeze(ops.take_along_axis(sequences, places, axis=1), axis=1)
        true = true_steps(sequences, lengths)  # (batch, time, 1)
        if self.kind == "mean":
            total = ops.sum(sequences * ops.cast(true, sequences.dtype), axis=1)
            return total / ops.cast(lengths, sequences.dtype)[:, None]
        lowest = ops.full_like(sequences, -6e4)  # which half precision has, too
        return ops.max(ops.where(true, sequences, lowest), axis=1)

    def compute_output_shape(self, input_shape):
        """Return the shape without time."""
        return (input_shape[0][0], input_shape[0][-1])

    def get_config(self):
        """Return the arguments."""
        return super().get_config() | {"kind": self.kind}


@keras.saving.register_keras_serializable("threefold")
class ZeroPadding(keras.layers.Layer):
    """Set what lies after each sequence's end to zero, so that no convolution sees it."""

    def call(self, inputs):
        """Return the sequences (batch, time, features) with zeros after `lengths` (batch,)."""
        sequences, lengths = inputs
        return sequences * ops.cast(true_steps(sequences, lengths), sequences.dtype)

    def compute_output_shape(self, input_shape):
        """Return the shape of the sequences."""
        return input_shape[0]


@keras.saving.register_keras_serializable("threefold")
class CountTokens(keras.layers.Layer):
    """Count the tokens that are no padding, (batch, time) to (batch,) int32."""

    def call(self, tokens):
        """Return the lengths."""
        return ops.sum(ops.cast(ops.not_equal(tokens, 0), "int32"), axis=1)

    def compute_output_spec(self, tokens):
        """Return the lengths' shape and type."""
        return keras.KerasTensor(tokens.shape[:1], "int32")


def true_steps(sequences, lengths):
    """Return which steps are before each sequence's end, bool of shape (batch, time, 1)."""
    steps = ops.arange(ops.shape(sequences)[1], dtype="int32")
    return (steps[None] < ops.cast(lengths, "int32")[:, None])[:, :, None]
