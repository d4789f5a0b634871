"""U-Net: a class for each pixel, by an encoder, a decoder and connections between their stages.

The first choice for segmentation of a few dozen to some thousands of images. With `-o
backbone=PRESET` its encoder is a network pretrained on ImageNet, for photos with few masks.

Sources: Ronneberger et al. 2015, "U-Net: convolutional networks for biomedical image segmentation",
with the padding and the batch normalisation (Ioffe and Szegedy 2015) that are common since; losses
of Milletari et al. 2016 (dice), Salehi et al. 2017 (Tversky) and Lin et al. 2017 (focal).
"""

import math

import keras
from keras import layers

from threefold.blueprints.parts.backbones import (
    Backbone,
    make_encoder,
    open_backbone,
    scale_pixels,
)
from threefold.blueprints.parts.layers import BATCH_NORM_MOMENTUM, make_dropout
from threefold.blueprints.parts.options import Activation, Count, Rate

DATASETS = {"image_segmentation": "digit_scenes"}
TRAINING = {"epochs": 40, "min_steps": 1500, "batch_size": 16, "optimizer": "adamw",
            "learning_rate": 2e-3, "weight_decay": 0.01, "ema": 0.95}  # fmt: skip

FILTERS = (16, 32, 64, 128)
SIDE = 512  # pixels of an image that shows how much smaller each feature map is


def build(
    image_shape: tuple[int, int, int],
    num_outputs: int,
    filters: tuple[Count, ...] | None = None,
    convolutions: Count = 2,
    activation: Activation = "relu",
    dropout: Rate = 0.1,
    backbone: Backbone | None = None,
    freeze: bool = False,
) -> keras.Model:
    """Build the network.

    Args:
        image_shape: tuple of int. Height, width, channels; values from 0 to 255. Any height and
            width: inside, images are padded to a multiple of what the stages halve.
        num_outputs: int. Classes of pixels.
        filters: tuple of int. Filters of each stage; every stage after the first halves the image.
            By default 16,32,64,128. With a backbone those of the decoder alone, of a stage for each
            time that the backbone halves the image: by default 16,32,64,128,256 for five.
        convolutions: int. Convolutions in a stage, on either side.
        activation: str. After every convolution.
        dropout: float. Share of the features dropped at the bottom.
        backbone: str. A preset of keras-hub with feature maps of several sizes (ResNet, such as
            resnet_18_imagenet, EfficientNet, DenseNet, CSPNet) or a preset's folder, in place of
            the encoder. A preset is downloaded once.
        freeze: bool. Whether the backbone is left as it is, and the decoder alone is trained.

    Returns:
        keras.Model. From `image` (batch, height, width, channels) to logits (batch, height, width,
        num_outputs).

    Raises:
        ValueError: for a backbone that cannot be had or has no such maps, for filters of another
            number of stages, or freeze without a backbone.
    """
    if backbone is None and freeze:
        raise ValueError("freeze=true leaves a backbone as it is, and there is none")
    height, width, _ = image_shape
    image = keras.Input(image_shape, name="image")
    if backbone is None:
        filters = filters or FILTERS
        multiple = 2 ** (len(filters) - 1)
        x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(image)
        x = _pad(x, multiple)
        x, kept = _encode(x, filters, convolutions, activation)
    else:
        encoder, strides = _open_encoder(backbone, freeze)
        multiple = strides[-1]
        filters = _decoder_filters(filters, multiple)
        # What is padded is of the mean colour.
        x = _pad(scale_pixels(image), multiple)
        # Without training, also what is dropped inside of it is not.
        maps = encoder(x, training=False) if freeze else encoder(x)
        kept = dict(zip(strides, maps, strict=True)) | {1: x}
        x = kept.pop(multiple)
    x = make_dropout(dropout, "bottom_dropout")(x)  # (batch, h / multiple, w / multiple, filters)
    for stage in range(int(math.log2(multiple)), 0, -1):
        count = filters[stage - 1]
        x = layers.UpSampling2D(2, name=f"up_{stage}_enlarge")(x)
        x = layers.Conv2D(count, 2, padding="same", name=f"up_{stage}_narrow")(x)
        if 2 ** (stage - 1) in kept:
            x = layers.Concatenate(name=f"up_{stage}_join")([kept[2 ** (stage - 1)], x])
        x = _convolve(x, count, convolutions, activation, f"up_{stage}")
    # The head stays in float32 under mixed precision: losses of half-precision logits are coarse.
    x = layers.Conv2D(num_outputs, 1, dtype="float32", name="head")(x)
    below, beside = -height % multiple, -width % multiple
    if below or beside:
        x = layers.Cropping2D(((0, below), (0, beside)), dtype="float32", name="crop")(x)
    return keras.Model({"image": image}, x, name="unet")


TASKS = {"image_segmentation": build}


def _open_encoder(backbone: Backbone, freeze: bool) -> tuple[keras.Model, list[int]]:
    """Return a network of feature maps, and how much smaller than the image each of them is."""
    network = open_backbone(backbone, "FeaturePyramidBackbone")
    maps = list(network.pyramid_outputs.values())
    shapes = keras.Model(network.input, maps).compute_output_shape((1, SIDE, SIDE, 3))
    # Of maps of one size, the last: it has seen the most.
    by_stride = dict(zip((SIDE / shape[1] for shape in shapes), maps, strict=True))
    strides = sorted(by_stride)
    if len(strides) < 2 or any(math.log2(stride) % 1 for stride in strides):
        raise ValueError(
            f"the backbone is a {type(network).__name__} whose feature maps are smaller than the "
            f"image by {strides}; expected several powers of 2"
        )
    network.trainable = not freeze
    encoder = make_encoder(network, [by_stride[stride] for stride in strides])
    return encoder, [int(stride) for stride in strides]


def _decoder_filters(filters: tuple[int, ...] | None, multiple: int) -> tuple[int, ...]:
    """Return the filters of a decoder whose stages, from features this much smaller, double."""
    stages = int(math.log2(multiple))
    if filters is None:
        return tuple(FILTERS[0] * 2**stage for stage in range(stages))
    if len(filters) != stages:
        raise ValueError(
            f"filters must be {stages} numbers, one for each stage of the decoder: the backbone "
            f"makes images {multiple} times smaller; got {len(filters)}"
        )
    return filters


def _pad(x, multiple: int):
    below, beside = (-side % multiple for side in x.shape[1:3])
    if below or beside:
        x = layers.ZeroPadding2D(((0, below), (0, beside)), name="pad")(x)
    return x


def _encode(x, filters: tuple[int, ...], convolutions: int, activation: str):
    """Return the features at the bottom, and those of each stage above, by how much smaller than
    the image they are.
    """
    kept = {}
    for stage, count in enumerate(filters, 1):
        if stage > 1:
            kept[2 ** (stage - 2)] = x
            x = layers.MaxPooling2D(2, name=f"down_{stage}_pool")(x)
        x = _convolve(x, count, convolutions, activation, f"down_{stage}")
    return x, kept


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
