"""How large the images of a training are that grow, and the networks of each size.

A pure function of the step: a training that is cut and resumed goes on in the middle of a fade.
"""

import math
from typing import Any, NamedTuple

import keras
from keras import ops


class Part:
    """A network as a function of the weights of a whole that it is a part of.

    Args:
        network: keras.Model.
        whole: keras.layers.Layer. All of the network's weights are among its own.
    """

    def __init__(self, network: keras.Model, whole: keras.layers.Layer):
        self.network = network
        self.trainable = _find_places(network.trainable_variables, whole.trainable_variables)
        self.others = _find_places(network.non_trainable_variables, whole.non_trainable_variables)

    def __call__(self, weights: list, non_trainable: list, inputs: dict, training: bool):
        """Return the outputs, and all values of the whole that are not trained, as they are after.

        Args:
            weights: list of tensors. The trained weights of the whole.
            non_trainable: list of tensors. Those of the whole that are not trained.
            inputs: dict of str to tensor. The network's.
            training: bool. Whether it is trained.
        """
        found, after = self.network.stateless_call(
            [weights[place] for place in self.trainable],
            [non_trainable[place] for place in self.others],
            inputs,
            training=training,
        )
        values = list(non_trainable)
        for place, value in zip(self.others, after, strict=True):
            values[place] = value
        return found, values


class Scale(NamedTuple):
    """A batch at the size of a level, and the networks of that size."""

    generator: Part
    discriminator: Part
    images: Any  # (batch, height, width, channels), real ones
    fade: dict[str, Any]  # `fade` (batch, 1) of networks that grow, or nothing


def gather(networks: list[keras.Model], name: str) -> keras.layers.Layer:
    """Return the networks of all levels as one layer, which has the weights of all once."""
    whole = keras.layers.Layer(name=name)
    whole.networks = networks
    whole.built = True
    return whole


class Growth(NamedTuple):
    """When each level is due.

    Of the part of the training in which the networks grow, each level above the first takes twice
    the same time: in the first half the one below it is trained as it is, in the second it fades.
    """

    total_steps: int  # of the whole training
    share: float  # of it, in which the networks grow
    top: int  # the last level, counted from 0

    def find_level(self, step: int) -> int:
        """Return which level is due after so many steps of the generator."""
        if self.top == 0:
            return 0
        return min(math.floor((step / self._unit + 1) / 2), self.top)

    def find_fade(self, step, level: int):
        """Return how far a level has faded in, 0 to 1, after so many steps: a tensor, as these."""
        if level == 0:
            return 1.0
        return ops.clip(ops.cast(step, "float32") / self._unit - (2 * level - 1), 0.0, 1.0)

    @property
    def _unit(self) -> float:
        return self.share * self.total_steps / (2 * self.top)


def bring_to(images, halvings: int, fade=None):
    """Return images at the size of a level, faded in as the generated ones are.

    Args:
        images: tensor of shape (batch, height, width, channels).
        halvings: int. How often the whole images are halved at this level.
        fade: scalar tensor. How far the level has faded in; without, it is the smallest.
    """
    images = shrink(images, 2**halvings)
    if fade is None:
        return images
    old = ops.repeat(ops.repeat(shrink(images, 2), 2, axis=1), 2, axis=2)
    return old + (images - old) * fade


def shrink(images, factor: int):
    """Return images of so many times fewer pixels along both sides, by their means."""
    if factor == 1:
        return images
    _, height, width, channels = images.shape
    shape = (-1, height // factor, factor, width // factor, factor, channels)
    return ops.mean(ops.reshape(images, shape), axis=(2, 4))


def _find_places(variables: list, whole: list) -> list[int]:
    places = {id(variable): place for place, variable in enumerate(whole)}
    return [places[id(variable)] for variable in variables]
