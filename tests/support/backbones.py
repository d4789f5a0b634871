"""Presets of keras-hub, small, that need no network."""

from pathlib import Path

import keras
import numpy as np


def make_preset(folder: Path, stages: int = 2, seed: int = 1) -> dict[str, np.ndarray]:
    """Write a folder as keras-hub does, of the smallest residual network that it draws.

    Its statistics are random too: batch normalisations of a network that was trained are not as
    they begin.

    Returns:
        dict of str to array. Its weights.
    """
    import keras_hub

    keras.config.set_dtype_policy("float32")
    network = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64] * stages,
        stackwise_num_blocks=[1] * stages,
        stackwise_num_strides=[1, *[2] * (stages - 1)],
        block_type="basic_block",
        image_shape=(None, None, 3),
    )
    random = np.random.default_rng(seed)
    for weight in network.weights:
        low, high = (-0.1, 0.1) if weight.path.endswith("kernel") else (0.5, 1.5)
        weight.assign(random.uniform(low, high, weight.shape).astype(np.float32))
    network.save_to_preset(str(folder))
    return {weight.path: np.asarray(weight.numpy()) for weight in network.weights}
