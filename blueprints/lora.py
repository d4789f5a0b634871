"""Low-rank adaptation: a few weights beside those of attention, which stay as they are.

Source: Hu et al. 2021, "LoRA: low-rank adaptation of large language models".
"""

import random
from collections.abc import Sequence

import keras

from threefold.blueprints.layers import leaf_layers

ADAPTED = ("_query", "_value")  # what the paper adapts, section 7.1


def adapt(model: keras.Model, rank: int, heads: Sequence[str]) -> keras.Model:
    """Let a model learn by low-rank matrices beside its attention's, and by its heads alone.

    Args:
        model: keras.Model. Changed in place.
        rank: int. Of the matrices.
        heads: sequence of str. What the names of layers begin with that are trained as a whole.

    Returns:
        keras.Model. The same.
    """
    for layer in leaf_layers(model):
        if layer.name.startswith(tuple(heads)):
            continue
        if layer.name.endswith(ADAPTED) and isinstance(layer, keras.layers.Dense):
            seed = random.getrandbits(31)  # of Python's generator, which the run seeds
            initializer = keras.initializers.HeUniform(seed)
            layer.enable_lora(rank, a_initializer=initializer)
            layer.bias.trainable = False
        else:
            layer.trainable = False
    return model
