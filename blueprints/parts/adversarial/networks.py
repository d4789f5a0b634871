"""Generators and discriminators of one size."""

from keras import layers

from threefold.blueprints.parts.adversarial.layers import (
    MinibatchDeviation,
    SelfAttention,
    SpectralNormConv2D,
    SpectralNormDense,
)
from threefold.blueprints.parts.layers import BATCH_NORM_MOMENTUM

SLOPE = 0.2  # of leaky units below 0
DENSE_LAYERS = (1, 2, 3)
# Of dense layers: of few inputs, as points have, Glorot's kernels are so small that the network
# begins as a plane, and takes thousands of steps to tell modes apart.
INITIAL = "he_normal"


def make_dense(x, image_shape: tuple[int, int, int], units: int):
    """Build the generator of small images and of points, of dense layers.

    Rectified units, unlike the discriminator's leaky ones: where noise crosses from one mode into
    the next they turn sharply, and fewer points are left on the way between the two.
    """
    for step in DENSE_LAYERS:
        x = layers.Dense(units, kernel_initializer=INITIAL, name=f"generator_dense_{step}")(x)
        x = layers.Activation("relu", name=f"generator_activation_{step}")(x)
    height, width, channels = image_shape
    x = layers.Dense(height * width * channels, name="generator_pixels")(x)
    x = layers.Reshape(image_shape, name="generator_reshape")(x)
    return layers.Activation("tanh", dtype="float32", name="generator_image")(x)


def see_dense(image, units: int, dense: type, minibatch_deviation: bool):
    """Build the discriminator of small images and of points, without its head.

    Args:
        image: keras.KerasTensor. Shape (batch, height, width, channels).
        units: int. Units of each layer.
        dense: type of layer. Plain or bounded.
        minibatch_deviation: bool. Whether it sees how different the images of a batch are.

    Returns:
        keras.KerasTensor. Features (batch, units).
    """
    x = layers.Flatten(name="discriminator_flatten")(image)
    for step in DENSE_LAYERS:
        x = dense(units, kernel_initializer=INITIAL, name=f"discriminator_dense_{step}")(x)
        x = layers.LeakyReLU(SLOPE, name=f"discriminator_activation_{step}")(x)
        if minibatch_deviation and step == 1:
            x = MinibatchDeviation(name="discriminator_deviation")(x)
    return x


def make_convolutional(x, image_shape: tuple[int, int, int], widths: list[int], attend: bool):
    """Build the generator, from the smallest image, of `widths[-1]` channels, to the whole.

    Args:
        x: keras.KerasTensor. What an image is made of, (batch, numbers).
        image_shape: tuple of int. Height, width, channels of the whole.
        widths: list of int. Filters of each stage, those of half the size first.
        attend: bool. Whether kernels are bounded and places look at all others, as in SAGAN.

    Returns:
        keras.KerasTensor. Images (batch, height, width, channels), -1 to 1.
    """
    height, width, channels = image_shape
    start = (height >> len(widths), width >> len(widths), widths[-1])
    dense = SpectralNormDense if attend else layers.Dense
    x = dense(start[0] * start[1] * start[2], name="generator_start")(x)
    x = layers.Reshape(start, name="generator_reshape")(x)
    x = _normalize(x, "generator", 0)
    for stage, filters in enumerate(reversed([channels, *widths[:-1]]), 1):
        last = stage == len(widths)
        if attend:  # no kernel of a transposed convolution is bounded: larger, then convolved
            x = layers.UpSampling2D(name=f"generator_larger_{stage}")(x)
            x = SpectralNormConv2D(filters, 3, padding="same", name=f"generator_conv_{stage}")(x)
        else:
            x = layers.Conv2DTranspose(
                filters, 4, strides=2, padding="same", use_bias=last, name=f"generator_conv_{stage}"
            )(x)  # (batch, 2 × height, 2 × width, filters)
        if not last:
            x = _normalize(x, "generator", stage)
        if attend and stage == len(widths) - 1:
            x = SelfAttention(name="generator_attention")(x)
    return layers.Activation("tanh", dtype="float32", name="generator_image")(x)


def see_convolutional(
    image, widths: list[int], use_spectral_norm: bool, normalized: bool, attend: bool,
    minibatch_deviation: bool,
):  # fmt: skip
    """Build the discriminator, without its head.

    Args:
        image: keras.KerasTensor. Shape (batch, height, width, channels).
        widths: list of int. As for `make_convolutional`.
        use_spectral_norm: bool. Whether kernels are bounded.
        normalized: bool. Whether features are, over the batch.
        attend: bool. Whether places look at all others.
        minibatch_deviation: bool. As for `see_dense`.

    Returns:
        keras.KerasTensor. Features (batch, numbers).
    """
    x = image
    for stage, filters in enumerate(widths, 1):
        layer = SpectralNormConv2D if use_spectral_norm else layers.Conv2D
        if minibatch_deviation and stage == len(widths):
            x = MinibatchDeviation(name="discriminator_deviation")(x)
        x = layer(filters, 4, strides=2, padding="same", name=f"discriminator_conv_{stage}")(x)
        if normalized and stage > 1:
            x = layers.BatchNormalization(
                momentum=BATCH_NORM_MOMENTUM, name=f"discriminator_norm_{stage}"
            )(x)
        x = layers.LeakyReLU(SLOPE, name=f"discriminator_activation_{stage}")(x)
        if attend and stage == 1:
            x = SelfAttention(name="discriminator_attention")(x)
    return layers.Flatten(name="discriminator_features")(x)


def _normalize(x, network: str, stage: int):
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{network}_norm_{stage}")(x)
    return layers.Activation("relu", name=f"{network}_activation_{stage}")(x)
