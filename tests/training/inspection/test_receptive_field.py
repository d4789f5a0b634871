"""The claimed receptive fields against what networks do when one pixel changes."""

import keras
import numpy as np
import pytest
from keras import layers

from threefold.blueprints import cnn, resnet
from threefold.training.inspection.receptive_field import receptive_fields

pytestmark = pytest.mark.once

NUDGE = 1e3


def make_transparent(model):
    """Give a network weights under which no change can cancel: all of them positive."""
    generator = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in ("kernel", "depthwise_kernel", "pointwise_kernel"):
            size = np.prod(weight.shape[:-1])
            weight.assign(generator.uniform(0.5, 1.5, weight.shape).astype("float32") / size)


def seen_pixels(model):
    """Return, by layer, which pixels change which outputs: bool (h, w, out h, out w)."""
    height, width, channels = model.inputs[0].shape[1:]
    # The output of a nested network is its place in this graph, not in its own.
    outputs = {layer.name: layer._inbound_nodes[-1].outputs[0] for layer in model.layers[1:]}
    probe = keras.Model(model.inputs, outputs)
    changed = np.full((height * width + 1, height, width, channels), 200, np.float32)
    for pixel in range(height * width):
        changed[pixel, pixel // width, pixel % width] += NUDGE
    found = {}
    for name, values in probe.predict(changed, batch_size=len(changed), verbose=0).items():
        unchanged = values[-1]
        different = np.abs(values[:-1] - unchanged) > 1e-6 * np.abs(unchanged).max()
        if different.ndim == 2:
            different = different[:, None, None, :]
        found[name] = different.any(axis=-1).reshape(height, width, *different.shape[1:3])
    return found


def check_every_layer(model):
    """Compare claim and experiment at the middle position of every layer.

    Returns how many of the fields, along either axis, lay wholly within the image.
    """
    make_transparent(model)
    fields = receptive_fields(model)
    inside = 0
    for name, seen in seen_pixels(model).items():
        field = fields[name]
        assert seen.shape[2:] == (field.height.positions, field.width.positions) or field.collapsed
        middle = seen[:, :, seen.shape[2] // 2, seen.shape[3] // 2]
        for axis, others in ((field.height, 1), (field.width, 0)):
            touched = np.flatnonzero(middle.any(axis=others))
            place = axis.positions // 2
            first, last = axis.first + axis.step * place, axis.last + axis.step * place
            claimed = max(first, axis.low), min(last, axis.high)
            assert (touched[0], touched[-1]) == claimed, name
            inside += claimed == (first, last) and not field.collapsed
            everything = np.flatnonzero(seen.any(axis=(others, 2, 3)))
            assert (everything[0], everything[-1]) == (axis.low, axis.high), name
    return inside


SMOOTH = {"activation": "elu", "dense_units": (), "num_outputs": 2}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"normalization": "none", "stride": 2, "pooling": "none"},
        {"padding": "valid", "kernel_size": 3, "pooling": "average", "normalization": "none"},
        {"kernel_size": 5, "filters": (2, 2), "convolutions": 1, "pool_size": 3},
        {"kernel_size": 4, "stride": 3, "convolutions": 1, "padding": "valid", "pooling": "none"},
        {"kernel_size": 2, "pooling": "average", "pool_size": 3, "normalization": "local_response"},
        {"kernel_size": 1, "stride": 3, "convolutions": 1, "pooling": "none", "filters": (2, 2, 2)},
    ],
)
def test_the_fields_of_a_cnn_are_those_that_its_pixels_show(options):
    model = cnn.build((25, 22, 1), **SMOOTH | {"filters": (2, 3)} | options)
    assert check_every_layer(model) > 10


def test_the_fields_of_a_resnet_are_those_that_its_pixels_show():
    model = resnet.build((26, 23, 1), 2, width=1, activation="elu")
    assert check_every_layer(model) > 20


def test_the_wide_stem_of_a_resnet_for_large_images_too(monkeypatch):
    monkeypatch.setattr(resnet, "SMALL_IMAGE", 16)
    assert check_every_layer(resnet.build((33, 30, 1), 2, width=1, activation="elu")) > 10


def test_a_textbook_network_has_its_textbook_fields():
    model = cnn.build((32, 32, 3), 10)
    found = receptive_fields(model)
    sizes = {name: (f.height.size, f.height.step) for name, f in found.items() if f is not None}
    assert [sizes[name] for name in (
        "stage_1_conv_1", "stage_1_conv_2", "stage_1_pool",
        "stage_2_conv_1", "stage_2_conv_2", "stage_2_pool", "head",
    )] == [(3, 1), (5, 1), (6, 2), (10, 2), (14, 2), (16, 4), (32, 0)]  # fmt: skip


def test_odd_layers_branches_of_unlike_centres_and_nested_networks():
    inner_input = keras.Input((None, None, 2))  # as pretrained backbones: of any size
    inner = keras.Model(
        inner_input, layers.Conv2D(2, 3, strides=2, padding="same")(inner_input), name="inner"
    )
    image = keras.Input((29, 30, 1))
    x = layers.ZeroPadding2D(((2, 0), (1, 3)))(image)
    even = layers.Conv2D(2, 2, padding="same", name="even")(x)
    dilated = layers.SeparableConv2D(2, (1, 3), dilation_rate=(1, 2), padding="same")(x)
    x = layers.Concatenate()([even, dilated])
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Conv2D(2, (3, 5), padding="same")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = inner(x)
    tail = keras.Sequential([layers.Conv2D(2, 2), layers.Conv2D(2, 1)], name="tail")
    x = tail(x)
    x = layers.Dense(2)(x)  # at each place, of the channels
    outputs = layers.Dense(1)(layers.GlobalMaxPooling2D()(x))
    assert check_every_layer(keras.Model(image, outputs)) > 15


def test_a_stride_that_skips_the_last_pixels_is_not_said_to_see_them():
    model = cnn.build((8, 8, 1), 2, filters=(2,), convolutions=1, stride=2, padding="valid",
                      pooling="none", dense_units=())  # fmt: skip
    assert receptive_fields(model)["head"].height.size == 7
    assert check_every_layer(model) > 0


def test_what_is_not_known_is_said_to_be_unknown():
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(1, 3, name="known")(image)
    x = layers.UpSampling2D(name="up")(x)
    x = layers.Conv2D(1, 3, name="after")(x)
    fields = receptive_fields(keras.Model(image, x))
    assert fields["known"].height.size == 3
    assert fields["up"] is None and fields["after"] is None


def test_branches_that_move_at_different_steps_are_unknown():
    image = keras.Input((8, 8, 1))
    fine = layers.Conv2D(1, 5)(image)  # 4 × 4, step 1
    coarse = layers.MaxPooling2D(2)(image)  # 4 × 4, step 2
    model = keras.Model(image, layers.Add(name="sum")([fine, coarse]))
    assert receptive_fields(model)["sum"] is None


def test_a_network_without_a_image_has_no_fields():
    numbers = keras.Input((4,))
    assert receptive_fields(keras.Model(numbers, layers.Dense(1)(numbers))) == {}
    image = keras.Input((None, None, 1))
    assert receptive_fields(keras.Model(image, layers.Conv2D(1, 3)(image))) == {}
