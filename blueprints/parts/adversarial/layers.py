"""The layers that generators and discriminators are made of, and that Keras lacks."""

import math
import random

import keras
from keras import layers, ops

BOUND_EPSILON = 1e-12


@keras.saving.register_keras_serializable("threefold")
class ClassEmbedding(layers.Layer):
    """Look up a vector for each class, as a product with its one-hot code.

    TensorFlow would update only the rows of a batch's own classes (see `TokenEmbedding`).

    Args:
        num_classes: int. Classes.
        dimension: int. Length of a vector.
    """

    def __init__(self, num_classes: int, dimension: int, **kwargs):
        super().__init__(**kwargs)
        self.num_classes, self.dimension = num_classes, dimension

    def build(self, input_shape):
        """Make the table."""
        self.embeddings = self.add_weight(
            (self.num_classes, self.dimension),
            initializer=keras.initializers.RandomNormal(
                stddev=self.dimension**-0.5, seed=random.getrandbits(31)
            ),
            name="embeddings",
        )

    def call(self, labels):
        """Return the vectors, shape (batch,) in and (batch, dimension) out."""
        return ops.matmul(
            ops.one_hot(labels, self.num_classes, dtype=self.compute_dtype), self.embeddings
        )

    def compute_output_shape(self, input_shape):
        """Return the shape of the vectors."""
        return (*input_shape, self.dimension)

    def get_config(self):
        """Return the arguments."""
        own = {"num_classes": self.num_classes, "dimension": self.dimension}
        return super().get_config() | own


class _SpectralNorm:
    """A layer whose kernel is divided by its largest singular value whenever it is used.

    Miyato et al. 2018, "Spectral normalization for generative adversarial networks". The kernel
    itself stays as it is and the gradient goes through the division; the vector of the power
    iteration is a weight that training moves and evaluation only reads. (Keras's own wrapper writes
    the divided kernel back, which a step without state would lose.)
    """

    def build(self, input_shape):
        """Make the kernel, and the vector of the power iteration."""
        super().build(input_shape)
        self.vector = self.add_weight(
            (self.kernel.shape[-1],),
            initializer=keras.initializers.RandomNormal(seed=random.getrandbits(31)),
            trainable=False,
            name="vector",
        )

    def normalize_kernel(self, training: bool | None):
        """Return the kernel with a largest singular value of about 1."""
        matrix = ops.reshape(self.kernel, (-1, self.kernel.shape[-1]))  # (inputs, outputs)
        still = ops.stop_gradient(matrix)
        left = _unit(ops.matmul(still, self.vector))
        right = self.vector
        if training:
            right = _unit(ops.matmul(ops.transpose(still), left))
            self.vector.assign(right)
            left = _unit(ops.matmul(still, right))
        largest = ops.sum(left * ops.matmul(matrix, _unit(right)))
        return self.kernel / largest


@keras.saving.register_keras_serializable("threefold")
class SpectralNormDense(_SpectralNorm, layers.Dense):
    """A dense layer under spectral normalisation."""

    def call(self, inputs, training=None):
        """Multiply."""
        x = ops.matmul(inputs, self.normalize_kernel(training))
        return x if self.bias is None else x + self.bias


@keras.saving.register_keras_serializable("threefold")
class SpectralNormConv2D(_SpectralNorm, layers.Conv2D):
    """A convolution under spectral normalisation."""

    def call(self, inputs, training=None):
        """Convolve."""
        kernel = self.normalize_kernel(training)
        x = _convolve(inputs, kernel, self.padding, list(self.strides))
        return x if self.bias is None else x + self.bias


@keras.saving.register_keras_serializable("threefold")
class SelfAttention(layers.Layer):
    """Let every place of an image look at all others (Zhang et al. 2019, SAGAN, section 3).

    What is seen is added times a weight that starts at 0: the network begins with what is near.
    Plain products of matrices, which all backends differentiate twice.
    """

    def build(self, input_shape):
        """Make the projections."""
        channels = input_shape[-1]
        # Of one number, tf2onnx makes a reshape of the transposition below, and a wrong one.
        self.inner = max(channels // 8, 2)
        widths = {"query": self.inner, "key": self.inner, "value": channels}
        self.kernels = {
            name: self.add_weight(
                (channels, width),
                initializer=keras.initializers.GlorotUniform(seed=random.getrandbits(31)),
                name=name,
            )
            for name, width in widths.items()
        }
        self.gain = self.add_weight((), initializer="zeros", name="gain")

    def call(self, inputs):
        """Attend, shape (batch, height, width, channels) in and out."""
        _, height, width, channels = inputs.shape
        places = ops.reshape(inputs, (-1, height * width, channels))
        query, key, value = (ops.matmul(places, self.kernels[n]) for n in ("query", "key", "value"))
        attention_scores = ops.softmax(ops.matmul(query, ops.transpose(key, (0, 2, 1))))
        seen = ops.matmul(attention_scores, value)  # (batch, places, channels)
        return inputs + self.gain * ops.reshape(seen, (-1, height, width, channels))

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape


class _EqualizedRate:
    """A layer whose kernel is drawn with a deviation of 1, and scaled whenever it is used.

    Karras et al. 2018, "Progressive growing of GANs", section 4.1: Adam then moves all kernels at
    the same rate, whatever their size.

    Args:
        gain: float. Of the initialisation of He et al. 2015: the root of 2 before a leaky unit, 1
            before nothing.
    """

    def __init__(self, *args, gain: float = 2**0.5, **kwargs):
        kwargs.setdefault(
            "kernel_initializer", keras.initializers.RandomNormal(seed=random.getrandbits(31))
        )
        if isinstance(kwargs["kernel_initializer"], keras.initializers.RandomNormal):
            kwargs["kernel_initializer"].stddev = 1.0
        super().__init__(*args, **kwargs)
        self.gain = gain

    def scale_kernel(self):
        """Return the kernel as it is used."""
        return self.kernel * (self.gain / math.prod(self.kernel.shape[:-1]) ** 0.5)

    def get_config(self):
        """Return the arguments."""
        return super().get_config() | {"gain": self.gain}


@keras.saving.register_keras_serializable("threefold")
class EqualizedDense(_EqualizedRate, layers.Dense):
    """A dense layer of an equalised learning rate."""

    def call(self, inputs, training=None):
        """Multiply."""
        return ops.matmul(inputs, self.scale_kernel()) + self.bias


@keras.saving.register_keras_serializable("threefold")
class EqualizedConv2D(_EqualizedRate, layers.Conv2D):
    """A convolution of an equalised learning rate."""

    def call(self, inputs, training=None):
        """Convolve."""
        return _convolve(inputs, self.scale_kernel(), self.padding) + self.bias


@keras.saving.register_keras_serializable("threefold")
class PixelNormalization(layers.Layer):
    """Divide the features of each pixel by the root of their mean square (Karras et al. 2018)."""

    def call(self, inputs):
        """Normalise the last axis."""
        return inputs * ops.rsqrt(ops.mean(ops.square(inputs), axis=-1, keepdims=True) + 1e-8)

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape


@keras.saving.register_keras_serializable("threefold")
class MinibatchDeviation(layers.Layer):
    """Add a feature that is the same everywhere: how different the images of a batch are.

    The mean over all features of their standard deviation in the batch (Karras et al. 2018, section
    3): of images that are all alike a discriminator sees at once that they are generated.
    """

    def call(self, inputs):
        """Return the features and one more, shape (batch, ..., features + 1)."""
        deviations = ops.sqrt(ops.var(inputs, axis=0) + 1e-8)
        mean = ops.mean(deviations) * ops.ones_like(inputs[..., :1])
        return ops.concatenate([inputs, mean], axis=-1)

    def compute_output_shape(self, input_shape):
        """Return the shape with a feature more."""
        return (*input_shape[:-1], input_shape[-1] + 1)


def _unit(vector):
    return vector / ops.sqrt(ops.sum(ops.square(vector)) + BOUND_EPSILON)


def _convolve(inputs, kernel, padding: str, strides: list[int] | int = 1):
    """Convolve; a single filter on torch beside one of zeros, which is left out again.

    Torch on one thread has no gradient of a kernel of one filter where a batch holds one image, as
    the last of an epoch may: "slow_conv2d: grad_weight must be contiguous".
    """
    single = kernel.shape[-1] == 1 and keras.config.backend() == "torch"
    if single:
        kernel = ops.concatenate([kernel, ops.zeros_like(kernel)], axis=-1)
    x = ops.conv(inputs, kernel, strides=strides, padding=padding)
    return x[..., :1] if single else x
