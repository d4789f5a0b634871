"""U-Net: a class for each pixel, by an encoder, a decoder and connections between their stages.

The first choice for segmentation of a few dozen to some thousands of images. What it lacks are
weights from other images.

Sources: Ronneberger et al. 2015, "U-Net: convolutional networks for biomedical image segmentation",
with the padding and the batch normalisation (Ioffe and Szegedy 2015) that are common since; losses
of Milletari et al. 2016 (dice), Salehi et al. 2017 (Tversky) and Lin et al. 2017 (focal).
"""

import keras
from keras import layers

from threefold.blueprints.parts.layers import BATCH_NORM_MOMENTUM, make_dropout
from threefold.blueprints.parts.options import Activation, Count, Rate

DATASETS = {"image_segmentation": "digit_scenes"}
TRAINING = {"epochs": 40, "min_steps": 1500, "batch_size": 16, "optimizer": "adamw",
            "learning_rate": 2e-3, "weight_decay": 0.01, "ema": 0.95}  # fmt: skip


def build(
    image_shape: tuple[int, int, int],
    num_outputs: int,
    filters: tuple[Count, ...] = (16, 32, 64, 128),
    convolutions: Count = 2,
    activation: Activation = "relu",
    dropout: Rate = 0.1,
) -> keras.Model:
    """Build the network.

    Args:
        image_shape: tuple of int. Height, width, channels; values from 0 to 255. Any height and
            width: inside, images are padded to a multiple of what the stages halve.
        num_outputs: int. Classes of pixels.
        filters: tuple of int. Filters of each stage; every stage after the first halves the image.
        convolutions: int. Convolutions in a stage, on either side.
        activation: str. After every convolution.
        dropout: float. Share of the features dropped at the bottom.

    Returns:
        keras.Model. From `image` (batch, height, width, channels) to logits (batch, height, width,
        num_outputs).
    """
    height, width, _ = image_shape
    image = keras.Input(image_shape, name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(image)
    multiple = 2 ** (len(filters) - 1)
    below, beside = -height % multiple, -width % multiple
    if below or beside:
        x = layers.ZeroPadding2D(((0, below), (0, beside)), name="pad")(x)
    kept = []
    for stage, count in enumerate(filters, 1):
        if stage > 1:
            kept.append(x)
            x = layers.MaxPooling2D(2, name=f"down_{stage}_pool")(x)
        x = _convolve(x, count, convolutions, activation, f"down_{stage}")
    x = make_dropout(dropout, "bottom_dropout")(x)  # (batch, h / multiple, w / multiple, filters)
    for stage in range(len(filters) - 1, 0, -1):
        count = filters[stage - 1]
        x = layers.UpSampling2D(2, name=f"up_{stage}_enlarge")(x)
        x = layers.Conv2D(count, 2, padding="same", name=f"up_{stage}_narrow")(x)
        x = layers.Concatenate(name=f"up_{stage}_join")([kept.pop(), x])
        x = _convolve(x, count, convolutions, activation, f"up_{stage}")
    # The head stays in float32 under mixed precision: losses of half-precision logits are coarse.
    x = layers.Conv2D(num_outputs, 1, dtype="float32", name="head")(x)
    if below or beside:
        x = layers.Cropping2D(((0, below), (0, beside)), dtype="float32", name="crop")(x)
    return keras.Model({"image": image}, x, name="unet")


TASKS = {"image_segmentation": build}


def _convolve(x, filters: int, convolutions: int, activation: str, name: str):
    for step in range(1, convolutions + 1):
        x = layers.Conv2D(
            filters,
            3,
            padding="same",
            use_bias=False,  # the normalisation has a bias of its own
            kernel_initializer="he_normal",
            name=f"{name}_conv_{step}",
        )(x)
        norm = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_norm_{step}")
        x = layers.Activation(activation, name=f"{name}_activation_{step}")(norm(x))
    return x
