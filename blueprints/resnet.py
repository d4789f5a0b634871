"""A residual network: the strong choice for images.

Residual blocks let depth help instead of hurt. Choose it over `cnn` when accuracy counts more than
time, or with `-o backbone=PRESET` to start from a network pretrained on ImageNet, which is the best
choice for a few hundred photos.

Sources: He et al. 2016, "Deep residual learning for image recognition" (its CIFAR networks of
6 n + 2 layers for small images) and "Identity mappings in deep residual networks" (the order
normalise, activate, convolve); Zagoruyko and Komodakis 2016 for the width.
"""

import keras
from keras import layers

from threefold.blueprints.parts.backbones import (
    Backbone,
    make_encoder,
    open_backbone,
    scale_pixels,
)
from threefold.blueprints.parts.labels import with_thresholds
from threefold.blueprints.parts.layers import BATCH_NORM_MOMENTUM, make_dropout, subsample
from threefold.blueprints.parts.options import Activation, Count, Rate

DATASETS = {
    "image_classification": "digits",
    "image_multilabel_classification": "digit_grids",
}
TRAINING = {"epochs": 30, "batch_size": 64, "optimizer": "adamw", "learning_rate": 4e-3,
            "weight_decay": 0.05, "ema": 0.95}  # fmt: skip

# Images wider than this enter through a wide, striding stem, as ImageNet's do.
SMALL_IMAGE = 64


def build(
    image_shape: tuple[int, int, int],
    num_outputs: int,
    depth: Count = 8,
    width: Count = 16,
    activation: Activation = "relu",
    dropout: Rate = 0.1,
    backbone: Backbone | None = None,
) -> keras.Model:
    """Build the network.

    Args:
        image_shape: tuple of int. Height, width, channels; values from 0 to 255.
        num_outputs: int. Number of classes.
        depth: int. Number of layers with weights, 6 n + 2: 8, 14, 20, 32, 44, 56, 110.
        width: int. Filters of the first stage; the second has twice, the third four times as many.
        activation: str. Before every convolution.
        dropout: float. Share of the pooled features dropped before the output.
        backbone: str. A ResNet preset of keras-hub (such as resnet_18_imagenet) or a preset's
            folder, in place of the network built here: `depth`, `width` and `activation` are then
            the preset's. A preset is downloaded once.

    Returns:
        keras.Model. From `image` (batch, height, width, channels) to logits (batch, num_outputs).

    Raises:
        ValueError: for a depth that is not 6 n + 2, or a preset that cannot be had.
    """
    image = keras.Input(image_shape, name="image")
    if backbone is not None:
        network = open_backbone(backbone, "ResNetBackbone")
        x = make_encoder(network, network.output)(scale_pixels(image))  # (batch, h, w, features)
    else:
        if depth < 8 or depth % 6 != 2:
            raise ValueError(f"depth must be 6 n + 2 (8, 14, 20, 32, ...), got {depth}")
        x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(image)
        x = _stem(x, width)
        for stage in range(1, 4):
            for block in range(1, (depth - 2) // 6 + 1):
                stride = 2 if stage > 1 and block == 1 else 1
                name = f"stage_{stage}_block_{block}"
                x = _residual_block(x, width * 2 ** (stage - 1), stride, activation, name)
        x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name="final_norm")(x)
        x = layers.Activation(activation, name="final_activation")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)  # (batch, features)
    x = make_dropout(dropout, "dropout")(x)
    # The head stays in float32 under mixed precision: losses of half-precision logits are coarse.
    outputs = layers.Dense(num_outputs, dtype="float32", name="head")(x)  # (batch, num_outputs)
    return keras.Model({"image": image}, outputs, name="resnet")


TASKS = {
    "image_classification": build,
    "image_multilabel_classification": with_thresholds(build),
}


def _stem(x, width: int):
    if min(x.shape[1:3]) <= SMALL_IMAGE:
        return _convolution(x, width, 3, 1, "stem_conv")
    x = _convolution(x, width, 7, 2, "stem_conv")
    return layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)


def _residual_block(x, width: int, stride: int, activation: str, name: str):
    """Normalise, activate, convolve, twice; added to what came in."""
    shortcut = x
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_norm_1")(x)
    x = layers.Activation(activation, name=f"{name}_activation_1")(x)
    if stride > 1 or shortcut.shape[-1] != width:
        shortcut = subsample(x, stride, f"{name}_pixels")
        shortcut = _convolution(shortcut, width, 1, 1, f"{name}_shortcut")
    x = _convolution(x, width, 3, stride, f"{name}_conv_1")
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_norm_2")(x)
    x = layers.Activation(activation, name=f"{name}_activation_2")(x)
    x = _convolution(x, width, 3, 1, f"{name}_conv_2")
    return layers.Add(name=f"{name}_add")([shortcut, x])  # (batch, h / stride, w / stride, width)


def _convolution(x, width: int, kernel_size: int, stride: int, name: str):
    return layers.Conv2D(
        width,
        kernel_size,
        strides=stride,
        padding="same",
        use_bias=False,  # a batch normalisation follows
        kernel_initializer="he_normal",
        name=name,
    )(x)
