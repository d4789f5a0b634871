"""Networks that complete images, and that tell completed ones from real.

Sources: Yu et al. 2019, "Free-form image inpainting with gated convolution", for the gates, the
dilated middle and the discriminator of patches; skip connections as in Ronneberger et al. 2015.
"""

import keras
from keras import layers

from threefold.blueprints.parts.adversarial.layers import SpectralNormConv2D

RANGE = 127.5  # pixels, 0 to 255, are -1 to 1 inside
SLOPE = 0.2  # of leaky units below 0
LEAST_SIDE = 4  # pixels of the smallest features
MOST_STAGES = 3  # of which each but the first halves the image


def make_generator(
    image_shape: tuple[int, int, int], filters: int, dilations: tuple[int, ...]
) -> keras.Model:
    """Build what completes images.

    Args:
        image_shape: tuple of int. Height, width, channels.
        filters: int. Filters at the full size, doubled wherever the image is halved.
        dilations: tuple of int. How far apart the convolutions in the middle look, one each.

    Returns:
        keras.Model. From `image` (batch, height, width, channels), 0 to 255, whatever is in its
        hole, and `mask` (batch, height, width, 1), 1 in the hole and 0 elsewhere, to the completed
        image, 0 to 255: outside of the hole the very image.
    """
    height, width, channels = image_shape
    image = keras.Input(image_shape, name="image")
    mask = keras.Input((height, width, 1), name="mask")
    known = layers.Rescaling(-1.0, offset=1.0, dtype="float32", name="known")(mask)
    scaled = layers.Rescaling(1 / RANGE, offset=-1.0, dtype="float32", name="rescale")(image)
    x = layers.Multiply(dtype="float32", name="emptied")([scaled, known])
    x = layers.Concatenate(name="generator_input")([x, mask])
    stages = count_stages(height, width)
    multiple = 2 ** (stages - 1)
    below, beside = -height % multiple, -width % multiple
    if below or beside:
        x = layers.ZeroPadding2D(((0, below), (0, beside)), name="pad")(x)
    kept = []
    for stage in range(stages):
        if stage:
            x = _gate(x, filters << stage, f"down_{stage}", strides=2)
        x = _gate(x, filters << stage, f"encode_{stage}")
        kept.append(x)
    for step, dilation in enumerate(dilations, 1):
        seen = _gate(x, filters << (stages - 1), f"middle_{step}", dilation_rate=dilation)
        x = layers.Add(name=f"middle_{step}_sum")([x, seen])
    for stage in reversed(range(stages - 1)):
        x = layers.UpSampling2D(2, name=f"up_{stage}")(x)
        x = layers.Concatenate(name=f"join_{stage}")([kept[stage], x])
        x = _gate(x, filters << stage, f"decode_{stage}")
    if below or beside:
        x = layers.Cropping2D(((0, below), (0, beside)), name="crop")(x)
    # One pixel wide: torch has no gradient of a larger kernel of one filter for a batch of one.
    x = layers.Conv2D(channels, 1, dtype="float32", name="pixels")(x)
    x = layers.Activation("tanh", dtype="float32", name="made")(x)
    made = layers.Rescaling(RANGE, offset=RANGE, dtype="float32", name="levels")(x)
    inside = layers.Multiply(dtype="float32", name="inside")([made, mask])
    outside = layers.Multiply(dtype="float32", name="outside")([image, known])
    completed = layers.Add(dtype="float32", name="completed")([outside, inside])
    return keras.Model({"image": image, "mask": mask}, completed, name="generator")


def make_discriminator(image_shape: tuple[int, int, int], filters: int) -> keras.Model:
    """Build what looks at the patches of an image, under spectral normalisation.

    Args:
        image_shape: tuple of int. Height, width, channels.
        filters: int. Filters of the first convolution, doubled wherever the image is halved.

    Returns:
        keras.Model. From `image` (batch, height, width, channels), -1 to 1, and `mask` (batch,
        height, width, 1), where its hole is or was, to `score` (batch, patches).
    """
    height, width, _ = image_shape
    image = keras.Input(image_shape, name="image")
    mask = keras.Input((height, width, 1), name="mask")
    x = layers.Concatenate(name="discriminator_input")([image, mask])
    for stage in range(count_stages(height, width)):
        x = SpectralNormConv2D(
            filters << stage, 4, strides=2 if stage else 1, padding="same",
            name=f"discriminator_conv_{stage}",
        )(x)  # fmt: skip
        x = layers.LeakyReLU(SLOPE, name=f"discriminator_activation_{stage}")(x)
    x = SpectralNormConv2D(1, 1, dtype="float32", name="discriminator_head")(x)
    score = layers.Flatten(dtype="float32", name="discriminator_score")(x)
    return keras.Model({"image": image, "mask": mask}, {"score": score}, name="discriminator")


def count_stages(height: int, width: int) -> int:
    """Return how many stages a network has: each after the first halves the image, down to a side
    of `LEAST_SIDE`.
    """
    stages = 1
    while stages < MOST_STAGES and min(height, width) >> stages >= LEAST_SIDE:
        stages += 1
    return stages


def _gate(x, filters: int, name: str, **kwargs):
    """Convolve; a second convolution says of each number how much of it counts."""
    features, gate = (
        layers.Conv2D(
            filters, 3, padding="same", activation=activation, name=f"{name}_{part}", **kwargs
        )(x)
        for part, activation in (("features", "elu"), ("gate", "sigmoid"))
    )
    return layers.Multiply(name=f"{name}_gated")([features, gate])
