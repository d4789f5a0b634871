"""Preprocessing that TensorFlow draws, against NumPy's that the trained network saw."""

import numpy as np
import pytest

from threefold.datasets.images.letterbox import letterbox, scale_and_offset
from threefold.datasets.images.resizing import resize
from threefold.tasks import graph

pytestmark = pytest.mark.once

SIZES = [(1, 1), (1, 7), (2, 3), (5, 8), (8, 8), (9, 8), (8, 31), (16, 16), (37, 53), (200, 131)]


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("target", [(8, 8), (7, 5), (1, 1), (64, 33)])
def test_images_are_resized_as_numpy_does(target, channels):
    """Up, down, both, by odd factors, from and to a single pixel."""
    for size in SIZES:
        images = noise(3, *size, channels)
        found = graph.fit_images(images, *target, channels).numpy()
        wanted = np.stack([resize(image, *target) for image in images])
        assert found.dtype == np.float32
        # Of 255 gray levels.
        np.testing.assert_allclose(found, wanted, rtol=0, atol=5e-4, err_msg=f"{size}")


def test_a_photograph_is_resized_as_numpy_does():
    for size, target in (((1500, 2003), (96, 128)), ((1999, 1201), (224, 224))):
        image = noise(*size, 3)
        found = graph.fit_images(image[None], *target, 3).numpy()[0]
        np.testing.assert_allclose(found, resize(image, *target), rtol=0, atol=2e-3)


def test_images_that_fit_are_untouched():
    images = noise(2, 9, 7, 3)
    np.testing.assert_array_equal(graph.fit_images(images, 9, 7, 3).numpy(), images)


def test_one_traced_graph_serves_every_size():
    import tensorflow as tf

    fit = tf.function(
        lambda images: graph.fit_images(images, 8, 6, 1),
        input_signature=[tf.TensorSpec((None, None, None, 1), tf.uint8)],
    )
    for size in SIZES:
        images = noise(2, *size, 1)
        wanted = np.stack([resize(image, 8, 6) for image in images])
        np.testing.assert_allclose(fit(images).numpy(), wanted, rtol=0, atol=5e-4)
    assert fit.experimental_get_tracing_count() == 1
    assert fit(noise(0, 9, 9, 1)).shape == (0, 8, 6, 1)


def test_images_are_letterboxed_as_numpy_does():
    import tensorflow as tf

    for network in ((8, 6), (48, 64), (1, 1), (64, 33)):
        fit = tf.function(
            lambda images, network=network: graph.letterbox(images, network),
            input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)],
        )
        for size in SIZES:
            images = noise(2, *size, 3)
            found, scale, offset, sides = (part.numpy() for part in fit(images))
            wanted = np.stack([letterbox(image, network) for image in images])
            np.testing.assert_allclose(found, wanted, rtol=0, atol=5e-4, err_msg=f"{size}")
            np.testing.assert_allclose([scale, offset], scale_and_offset(size, network), rtol=1e-6)
            assert sides.tolist() == [*size[::-1]] * 2


def test_a_word_has_its_place_and_any_other_none():
    import tensorflow as tf

    table = graph.word_table(("b", "a", "größer", "🙂", " x"))
    words = np.array(["a", "b", "größer", "🙂", " x", "x", "", "A", "unknown"])
    assert table.lookup(tf.constant(words)).numpy().tolist() == [2, 1, 3, 4, 5, 0, 0, 0, 0]
