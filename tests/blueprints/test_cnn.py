"""The convolutional network, and the local response normalisation that Keras lacks."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from refusals import refused

from threefold.blueprints import cnn
from threefold.blueprints.parts.layers import LocalResponseNormalization, make_dropout
from threefold.core.options import options_of
from threefold.datasets.facts import ImageFacts
from threefold.tasks.task import find_task
from threefold.training.building import build_model

pytestmark = pytest.mark.each_backend

FACTS = ImageFacts(image_shape=(8, 8, 1), class_names=("a", "b", "c"), class_counts=(1, 1, 1))
OPTIONS = options_of(cnn.build)
NAMES = ("activation", "pooling", "padding", "normalization")
COMBINATIONS = list(itertools.product(*(OPTIONS[name].choices for name in NAMES)))


def build(facts=FACTS, precision="float32", **options):
    given = {"filters": "3", "convolutions": "1", "dense_units": "4"} | options
    return build_model("cnn", find_task("image_classification")(facts), given, precision)[0]


def answer(model, images):
    return np.asarray(model.predict_on_batch({"image": images}))


@pytest.mark.variant
@pytest.mark.parametrize("chosen", COMBINATIONS, ids="-".join)
def test_every_combination_builds(chosen):
    given = dict(zip(NAMES, chosen, strict=True))
    names = {layer.name: type(layer).__name__ for layer in build(**given).layers}
    kinds = {"batch": "BatchNormalization", "local_response": "LocalResponseNormalization"}
    assert names.get("stage_1_norm_1") == kinds.get(given["normalization"])
    pools = {"max": "MaxPooling2D", "average": "AveragePooling2D"}
    assert names.get("stage_1_pool") == pools.get(given["pooling"])


@pytest.mark.parametrize("options", [{"padding": "valid", "stride": "2"}, {"pool_size": "3"}, {}])
def test_the_image_shrinks_as_told(options):
    sizes = {layer.name: layer.output.shape[1:3] for layer in build(**options).layers[:-4]}
    wanted = {"padding": (3, 1), "pool_size": (8, 2)}.get(next(iter(options), ""), (8, 4))
    assert sizes["stage_1_conv_1"] == (wanted[0],) * 2
    assert sizes["stage_1_pool"] == (wanted[1],) * 2


def test_normalisation_stands_on_its_side_of_the_activation():
    def order(kind):
        names = [layer.name for layer in build(normalization=kind).layers]
        return names.index("stage_1_norm_1") - names.index("stage_1_activation_1")

    assert order("batch") == -1 and order("local_response") == 1


def test_raw_pixels_go_in():
    """Black and white become -1 and 1 inside the network."""
    model = build()
    scaled = keras.Model(model.inputs, model.get_layer("rescale").output)
    images = np.stack([np.full((8, 8, 1), value, np.float32) for value in (0, 127.5, 255)])
    np.testing.assert_allclose(answer(scaled, images)[:, 0, 0, 0], [-1, 0, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "stage"),
    [
        ({"filters": "2,2,2,2"}, "stage 4"),
        ({"kernel_size": "9", "padding": "valid"}, "stage 1"),
        ({"stride": "8"}, "stage 1"),
        ({"pool_size": "9"}, "stage 1"),
    ],
)
def test_a_image_too_small_for_the_stages_is_refused_in_one_line(options, stage):
    with refused(f"8 × 8 pixels are too small: {stage} receives"):
        build(**options)


def test_half_precision_ends_in_full_precision():
    model = build(precision="mixed_bfloat16")
    assert model.get_layer("stage_1_conv_1").compute_dtype == "bfloat16"
    assert answer(model, np.zeros((2, 8, 8, 1), np.float32)).dtype == np.float32


def reference_local_response(x, size, bias, alpha, beta):
    """AlexNet's equation, one value at a time, with the strength divided by the size."""
    result, channels = np.empty_like(x), x.shape[-1]
    for place in np.ndindex(*x.shape):
        channel = place[-1]
        first, last = max(0, channel - size // 2), min(channels - 1, channel + size // 2)
        activity = sum(x[(*place[:-1], j)] ** 2 for j in range(first, last + 1))
        result[place] = x[place] / (bias + alpha / size * activity) ** beta
    return result


@pytest.mark.parametrize(
    "settings",
    [
        {"size": 5, "bias": 1.0, "alpha": 1e-4, "beta": 0.75},
        {"size": 3, "bias": 2.0, "alpha": 0.5, "beta": 0.5},
        {"size": 7, "bias": 0.5, "alpha": 3.0, "beta": 1.5},  # wider than there are channels
    ],
)
def test_local_response_normalisation_is_the_papers(settings):
    x = np.random.default_rng(0).normal(0, 3, (2, 3, 2, 6)).astype(np.float32)
    layer = LocalResponseNormalization(**settings, dtype="float32")
    found = ops.convert_to_numpy(layer(x))
    wanted = reference_local_response(x.astype(np.float64), **settings)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert layer.compute_output_shape(x.shape) == x.shape
    again = LocalResponseNormalization.from_config(layer.get_config())
    np.testing.assert_array_equal(ops.convert_to_numpy(again(x)), found)


if keras.config.backend() == "tensorflow":

    def test_local_response_normalisation_is_that_of_tensorflow():
        import tensorflow as tf

        x = np.random.default_rng(0).normal(0, 3, (2, 3, 2, 8)).astype(np.float32)
        settings = {"bias": 1.5, "beta": 0.6}
        found = LocalResponseNormalization(size=5, alpha=0.2, dtype="float32", **settings)(x)
        # TensorFlow's strength is for each neighbour, its size the neighbours on one side.
        wanted = tf.nn.local_response_normalization(x, depth_radius=2, alpha=0.2 / 5, **settings)
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_local_response_normalisation_wants_an_odd_size():
    with pytest.raises(ValueError, match="size must be odd, got 4"):
        LocalResponseNormalization(size=4)


def test_dropout_drops_its_share_and_keeps_its_own_state():
    keras.config.set_dtype_policy("float32")
    ones = np.ones((100, 100), np.float32)
    layer = make_dropout(0.3, "some")
    once, again = (ops.convert_to_numpy(layer(ones, training=True)) for _ in range(2))
    assert abs(np.mean(once == 0) - 0.3) < 0.03 and once.max() == pytest.approx(1 / 0.7)
    assert not np.array_equal(once, again)
    assert [variable.path.rpartition("/")[2] for variable in layer.variables] == [
        "seed_generator_state"
    ]
    assert make_dropout(0.3, "one").seed != make_dropout(0.3, "other").seed
