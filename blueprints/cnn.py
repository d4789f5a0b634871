"""A convolutional network: stages of convolutions, each ending in a smaller image.

The first choice for images when speed counts, when there are a few hundred to a few hundred
thousand of them, or when the network must be small. `resnet` is the stronger and slower choice.

Sources: LeCun et al. 1998, "Gradient-based learning applied to document recognition"; Simonyan and
Zisserman 2015 for stages of 3 × 3 convolutions; Krizhevsky et al. 2012 for local response
normalisation; Ioffe and Szegedy 2015 for batch normalisation.
"""

from typing import Literal

import keras
from keras import layers

from threefold.blueprints.parts.labels import with_thresholds
from threefold.blueprints.parts.layers import (
    BATCH_NORM_MOMENTUM,
    LocalResponseNormalization,
    make_dropout,
    subsample,
)
from threefold.blueprints.parts.options import Activation, Count, Rate

DATASETS = {
    "image_classification": "digits",
    "image_multilabel_classification": "digit_grids",
    "image_regression": "digit_angles",
}
TRAINING = {"epochs": 40, "batch_size": 64, "optimizer": "adamw", "learning_rate": 2e-3,
            "weight_decay": 0.05, "ema": 0.95}  # fmt: skip


def build(
    image_shape: tuple[int, int, int],
    num_outputs: int,
    filters: tuple[Count, ...] = (32, 64),
    convolutions: Count = 2,
    kernel_size: Count = 3,
    stride: Count = 1,
    padding: Literal["same", "valid"] = "same",
    pooling: Literal["max", "average", "none"] = "max",
    pool_size: Count = 2,
    activation: Activation = "relu",
    normalization: Literal["batch", "local_response", "none"] = "batch",
    dense_units: tuple[Count, ...] = (128,),
    dropout: Rate = 0.3,
) -> keras.Model:
    """Build the network.

    Args:
        image_shape: tuple of int. Height, width, channels; values from 0 to 255.
        num_outputs: int. Classes, or numbers to predict.
        filters: tuple of int. Filters of each stage; as many stages as there are numbers.
        convolutions: int. Convolutions in a stage.
        kernel_size: int. Side of a convolution's window, in pixels.
        stride: int. Step of the last convolution of each stage.
        padding: str. `same` keeps the image's size, `valid` shrinks it by the window.
        pooling: str. What ends a stage: `max`, `average` or `none`.
        pool_size: int. Side and step of the pooling window.
        activation: str. After every convolution and hidden dense layer.
        normalization: str. `batch` before or `local_response` after the activation, or `none`.
        dense_units: tuple of int. Hidden dense layers before the output; empty for none.
        dropout: float. Share of the units dropped after the stages and after each dense layer.

    Returns:
        keras.Model. From `image` (batch, height, width, channels) to (batch, num_outputs): one
        logit a class, or one standardised number a target.

    Raises:
        ValueError: where the image is too small for the stages.
    """
    image = keras.Input(image_shape, name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(image)
    for stage, width in enumerate(filters, 1):
        for step in range(1, convolutions + 1):
            _require_room(x, kernel_size if padding == "valid" else 1, stage, image_shape)
            step_stride = stride if step == convolutions else 1
            if kernel_size == 1:
                x, step_stride = subsample(x, step_stride, f"stage_{stage}_pixels"), 1
            x = layers.Conv2D(
                width,
                kernel_size,
                strides=step_stride,
                padding=padding,
                use_bias=normalization != "batch",  # the normalisation has a bias of its own
                kernel_initializer="he_normal",
                name=f"stage_{stage}_conv_{step}",
            )(x)
            x = _activate(x, activation, normalization, f"stage_{stage}", step)
        if pooling != "none":
            _require_room(x, pool_size, stage, image_shape)
            pool = layers.MaxPooling2D if pooling == "max" else layers.AveragePooling2D
            x = pool(pool_size, name=f"stage_{stage}_pool")(x)  # (batch, h / pool, w / pool, width)
    x = layers.Flatten(name="flatten")(x)
    x = make_dropout(dropout, "stages_dropout")(x)
    for step, units in enumerate(dense_units, 1):
        x = layers.Dense(units, kernel_initializer="he_normal", name=f"dense_{step}")(x)
        x = layers.Activation(activation, name=f"dense_{step}_activation")(x)
        x = make_dropout(dropout, f"dense_{step}_dropout")(x)
    # The head stays in float32 under mixed precision: losses of half-precision logits are coarse.
    outputs = layers.Dense(num_outputs, dtype="float32", name="head")(x)  # (batch, num_outputs)
    return keras.Model({"image": image}, outputs, name="cnn")


TASKS = {
    "image_classification": build,
    "image_multilabel_classification": with_thresholds(build),
    "image_regression": build,
}


def _activate(x, activation: str, normalization: str, stage: str, step: int):
    if normalization == "batch":
        x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{stage}_norm_{step}")(x)
    x = layers.Activation(activation, name=f"{stage}_activation_{step}")(x)
    if normalization == "local_response":
        x = LocalResponseNormalization(name=f"{stage}_norm_{step}")(x)
    return x


def _require_room(x, window: int, stage: int, image_shape: tuple[int, int, int]) -> None:
    height, width = x.shape[1:3]
    if min(height, width) < window:
        raise ValueError(
            f"images of {image_shape[0]} × {image_shape[1]} pixels are too small: stage {stage} "
            f"receives {height} × {width} and its window is {window} wide; "
            "use fewer filters (stages), a smaller stride, pool_size or kernel_size, or "
            "padding=same"
        )
