"""What of a network is trained, where it starts from weights that were trained before.

Source: Hu et al. 2021, "LoRA: low-rank adaptation of large language models".
"""

import random
from typing import Annotated, Literal

import keras
from pydantic import Field

from threefold.blueprints.parts.layers import leaf_layers

Blocks = Annotated[int, Field(ge=0)] | Literal["all"]

ADAPTED = ("_query", "_value")  # what the paper adapts, section 7.1


def freeze_and_adapt(
    model: keras.Model,
    freeze: int | str,
    lora_rank: int | None,
    *,
    count: int,
    block: str,
    bottom: tuple[str, ...],
    heads: tuple[str, ...],
) -> keras.Model:
    """Leave the first blocks of a model as they are, or adapt all of them by low-rank matrices.

    Args:
        model: keras.Model. Changed in place.
        freeze: int or str. Blocks, from the first, that are not trained, nor is what lies below
            them then; `all` for the heads alone.
        lora_rank: int. Rank of the matrices; None for none.
        count: int. Blocks.
        block: str. What the names of their layers begin with, before the number.
        bottom: tuple of str. What the names of the layers below them begin with.
        heads: tuple of str. What the names of the layers above them begin with.

    Returns:
        keras.Model. The same.
    """
    if freeze != "all" and freeze > count:
        raise ValueError(f"freeze must be at most {count}, the number of blocks, or all")
    numbers = range(1, (count if freeze == "all" else freeze) + 1)
    frozen = (*bottom, *(f"{block}_{number}_" for number in numbers))
    for layer in leaf_layers(model) if freeze else ():
        if layer.name.startswith(frozen):
            layer.trainable = False
    return _adapt(model, lora_rank, heads) if lora_rank else model


def _adapt(model: keras.Model, rank: int, heads: tuple[str, ...]) -> keras.Model:
    for layer in leaf_layers(model):
        if layer.name.startswith(heads):
            continue
        if layer.name.endswith(ADAPTED) and isinstance(layer, keras.layers.Dense):
            seed = random.getrandbits(31)  # of Python's generator, which the run seeds
            initializer = keras.initializers.HeUniform(seed)
            layer.enable_lora(rank, a_initializer=initializer)
            layer.bias.trainable = False
        else:
            layer.trainable = False
    return model
