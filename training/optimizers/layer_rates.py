"""Layers that learn at rates of their own: the nearer to the input, the slower.

Source: Howard and Ruder 2018, "Universal language model fine-tuning for text classification"
(discriminative fine-tuning); Clark et al. 2020, "ELECTRA", for one factor from layer to layer.
"""

import re
from collections.abc import Mapping

import keras

from threefold.blueprints.parts.layers import leaf_layers
from threefold.training.adversarial.gradients import without_gradients

NUMBER = re.compile(r"_(\d+)(?:_|$)")  # of a block, in the names of its layers


def find_depths(model: keras.Model) -> dict[str, int]:
    """Return how deep each weight of a model lies.

    Args:
        model: keras.Model. The first number in the name of a layer is that of its block.

    Returns:
        dict of str to int. For the path of each weight the number of its block; 0 before the first
        block, one more than the last after it.
    """
    layers = list(leaf_layers(model))
    numbers = [NUMBER.search(layer.name) for layer in layers]
    numbers = [int(found.group(1)) if found else None for found in numbers]
    top = 1 + max((number for number in numbers if number is not None), default=0)
    depths, begun = {}, False
    for layer, number in zip(layers, numbers, strict=True):
        begun = begun or number is not None
        depth = number if number is not None else (top if begun else 0)
        # A layer that is used twice, at the bottom and at the top, belongs to the bottom.
        depths |= {v.path: depth for v in layer.weights if v.path not in depths}
    return depths


def layer_factors(model: keras.Model, decay: float) -> dict[str, float]:
    """Return by what the learning rate of each weight is multiplied, by its path.

    Args:
        model: keras.Model. Built.
        decay: float. What each block's rate is multiplied by for the one below it.
    """
    depths = find_depths(model)
    top = max(depths.values(), default=0)
    return {path: decay ** (top - depth) for path, depth in depths.items()}


def with_factors(
    rule: type[keras.optimizers.Optimizer], factors: Mapping[str, float]
) -> type[keras.optimizers.Optimizer]:
    """Return an optimizer's class whose learning rate is multiplied for each variable.

    Gradients cannot be scaled instead: Adam and its kin would undo that.

    Args:
        rule: type. Of the optimizer.
        factors: mapping of str to float. By the paths of variables.
    """

    class LayerRates(rule):
        def _backend_update_step(self, grads, trainable_variables, learning_rate):
            groups: dict[float, list] = {}
            for pair in zip(grads, trainable_variables, strict=True):
                groups.setdefault(factors[pair[1].path], []).append(pair)
            for factor, pairs in groups.items():
                some, variables = map(list, zip(*pairs, strict=True))
                super()._backend_update_step(some, variables, learning_rate * factor)

        def _apply_weight_decay(self, variables):
            if self.weight_decay is None:
                return
            with without_gradients():
                for variable in filter(self._use_weight_decay, variables):
                    rate = self.learning_rate * factors[variable.path] * self.weight_decay
                    variable.assign(variable - variable * keras.ops.cast(rate, variable.dtype))

    return LayerRates
