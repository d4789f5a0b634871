"""Class activation maps: those that a person can compute, those that must lie somewhere, and the
same on every backend.
"""

import keras
import numpy as np
import pytest
from keras import layers

from threefold.blueprints import cnn, resnet
from threefold.training.inspection.activation_maps import make_activation_maps

pytestmark = pytest.mark.each_backend

CORNERS = [(0, 0), (0, 1), (1, 0), (1, 1)]
SIDE = 16


def set_weights(model):
    """Give a network weights that are the same wherever it is built."""
    for number, weight in enumerate(model.weights):
        values = np.cos(np.arange(np.prod(weight.shape)) * 1.7 + number)
        if "variance" in weight.name:
            values = 1 + values**2
        weight.assign(values.reshape(weight.shape).astype("float32"))


def make_identity_network(*between, outputs=2):
    """Return a network whose two feature maps are the image and its negative."""
    image = keras.Input((4, 4, 1), name="image")
    convolution = layers.Conv2D(2, 1, use_bias=False)
    features = convolution(image)
    x = features
    for layer in between:
        x = layer(x)
    dense = layers.Dense(outputs)
    model = keras.Model({"image": image}, dense(layers.GlobalAveragePooling2D()(x)))
    convolution.set_weights([np.array([[[[1.0, -1.0]]]])])
    dense.set_weights([np.array([[3.0, -1.0], [1.0, 0.0]]), np.zeros(2)])
    return model


@pytest.mark.parametrize("pooled", [False, True])
def test_maps_of_known_weights_are_those_that_are_computed_by_hand(pooled):
    between = [layers.AveragePooling2D(2)] if pooled else []
    maps = make_activation_maps(make_identity_network(*between))
    image = np.arange(-8, 8, dtype=np.float32).reshape(1, 4, 4, 1)
    found = maps(np.concatenate([image, image, 0 * image]), np.array([0, 1, 0]))
    # Of the first output 3 and 1, of the other -1 and 0, each over 16 places.
    first, second = np.maximum((3 - 1) * image, 0), np.maximum(-image, 0)
    expected = np.stack([first[0, ..., 0] / first.max(), second[0, ..., 0] / second.max()])
    assert found.shape == (3, 4, 4)
    np.testing.assert_allclose(found[:2], expected, atol=1e-6)
    assert not found[2].any()  # nothing speaks for it: no division by zero


def test_what_has_no_feature_map_is_refused():
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(image)), name="flat")
    with pytest.raises(ValueError, match="'flat' has no feature map"):
        make_activation_maps(model)


def make_corners(count):
    """Return images of noise with a bright square in one corner, which is the class."""
    sample = np.random.default_rng(0)
    images = sample.uniform(0, 60, (count, SIDE, SIDE, 1)).astype(np.float32)
    labels = np.arange(count) % len(CORNERS)
    for image, label in zip(images, labels, strict=True):
        top, left = (8 * side + sample.integers(0, 4) for side in CORNERS[label])
        image[top : top + 4, left : left + 4] = 250
    return images, labels


def test_maps_of_a_fitted_network_lie_on_what_decides_the_class():
    images, labels = make_corners(64)
    keras.utils.set_random_seed(0)
    model = cnn.build((SIDE, SIDE, 1), len(CORNERS), filters=(4, 8), convolutions=1,
                      dense_units=(), dropout=0.0)  # fmt: skip
    model.compile(
        keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    model.fit({"image": images}, labels, batch_size=32, epochs=15, verbose=0)
    answers = model.predict({"image": images}, verbose=0).argmax(axis=-1)
    assert (answers == labels).mean() > 0.95
    weights = [np.array(weight) for weight in model.get_weights()]
    maps = make_activation_maps(model)(images, labels)
    right = 0
    for map_, label in zip(maps, labels, strict=True):
        places = np.indices(map_.shape) + 0.5
        centre = (places * map_).sum(axis=(1, 2)) / map_.sum() / map_.shape
        right += tuple(centre >= 0.5) == CORNERS[label]
    assert right / len(labels) > 0.8
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)  # a look changes nothing


EXPECTED = {
    "cnn": [
        [0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0],
        [0.522819, 1.0, 0.312337, 0.0],
        [0.0, 0.0, 0.71459, 0.0],
    ],
    "resnet": [[0.83417, 1.0], [0.85006, 0.80439]],
}


@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_maps_are_the_same_on_every_backend(name):
    if name == "cnn":
        model = cnn.build((8, 8, 1), 3, filters=(2, 3), dense_units=(4,))
    else:
        model = resnet.build((8, 8, 1), 3, width=2)
    set_weights(model)
    image = (127 + 127 * np.sin(np.arange(64.0))).astype(np.float32).reshape(1, 8, 8, 1)
    found = make_activation_maps(model)(image, np.array([2]))
    np.testing.assert_allclose(found[0], EXPECTED[name], atol=2e-4)
