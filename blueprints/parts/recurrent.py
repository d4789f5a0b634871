"""Recurrent layers over sequences that are padded at their ends, and their state.

None gets a mask: with one, torch and jax fall back to a loop in Python or without the fused kernels
of a GPU. Forwards, padding comes too late to matter; backwards, each sequence is turned round
within its own length.
"""

import random
from collections.abc import Mapping

import keras
from keras import ops

from threefold.blueprints.parts.layers import make_dropout

CELLS = {"simple": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


def build_recurrent(
    x,
    lengths,
    units: tuple[int, ...],
    cell: str,
    *,
    bidirectional: bool,
    dropout: float,
    recurrent_dropout: float,
    name: str,
):
    """Build recurrent layers, one on the other, each with its dropout.

    Args:
        x: tensor of shape (batch, time, features).
        lengths: int tensor of shape (batch,). True steps of each sequence; `None` where all are
            true and none is read backwards.
        units: tuple of int. Of each layer, in each direction.
        cell: str. One of `CELLS`.
        bidirectional: bool. Whether to read backwards, too.
        dropout: float. Share dropped after each layer.
        recurrent_dropout: float. Share of the state that is dropped from step to step.
        name: str. What the layers' names begin with.

    Returns:
        tensor of shape (batch, time, the last of units), or twice that where bidirectional. Behind
        the end of a sequence it means nothing.
    """
    for step, width in enumerate(units, 1):
        layer = f"{name}_{step}"
        forwards = _make_cell(cell, width, recurrent_dropout, f"{layer}_forwards")(x)
        if bidirectional:
            turned = ReverseWithin(name=f"{layer}_turn")([x, lengths])
            turned = _make_cell(cell, width, recurrent_dropout, f"{layer}_backwards")(turned)
            backwards = ReverseWithin(name=f"{layer}_turn_back")([turned, lengths])
            both = keras.layers.Concatenate(name=f"{layer}_both")
            forwards = both([forwards, backwards])
        x = make_dropout(dropout, f"{layer}_dropout")(forwards)
    return x


def build_stateful_recurrent(
    x,
    state: Mapping,
    units: tuple[int, ...],
    cell: str,
    *,
    dropout: float,
    recurrent_dropout: float,
    name: str,
):
    """Build recurrent layers, one on the other, that go on from a given state.

    Args:
        x: tensor of shape (batch, time, features).
        state: mapping of str to tensor. At least the parts that `state_sizes` names.
        units: tuple of int. Of each layer.
        cell: str. One of `CELLS`.
        dropout: float. Share dropped after each layer.
        recurrent_dropout: float. Share of the state that is dropped from step to step.
        name: str. What the layers' names begin with.

    Returns:
        tensor of shape (batch, time, the last of units), and the state after the last step.
    """
    after = {}
    for step, width in enumerate(units, 1):
        parts = [part for part in state_sizes(cell, units) if part.startswith(f"state_{step}_")]
        layer = _make_cell(cell, width, recurrent_dropout, f"{name}_{step}", return_state=True)
        x, *values = layer(x, initial_state=[state[part] for part in parts])
        after |= dict(zip(parts, values, strict=True))
        x = make_dropout(dropout, f"{name}_{step}_dropout")(x)
    return x, after


def state_sizes(cell: str, units: tuple[int, ...]) -> dict[str, int]:
    """Return the width of each part of the state of recurrent layers: an LSTM has two a layer."""
    parts = ("hidden", "cell") if cell == "lstm" else ("hidden",)
    return {f"state_{step}_{part}": width for step, width in enumerate(units, 1) for part in parts}


@keras.saving.register_keras_serializable("threefold")
class InitialState(keras.layers.Layer):
    """Zeros: the state of recurrent layers that have read nothing.

    Args:
        sizes: mapping of str to int. The width of each part, from `state_sizes`.
    """

    def __init__(self, sizes: dict[str, int], **kwargs):
        super().__init__(**kwargs)
        self.sizes = dict(sizes)

    def call(self, tokens):
        """Return the state by name, (batch, width) each, for tokens (batch, time)."""
        batch = ops.shape(tokens)[0]
        return {
            name: ops.zeros((batch, width), self.compute_dtype)
            for name, width in self.sizes.items()
        }

    def compute_output_spec(self, tokens):
        """Return the shapes and the type."""
        return {
            name: keras.KerasTensor((tokens.shape[0], width), self.compute_dtype)
            for name, width in self.sizes.items()
        }

    def get_config(self):
        """Return the arguments."""
        return super().get_config() | {"sizes": self.sizes}


@keras.saving.register_keras_serializable("threefold")
class ReverseWithin(keras.layers.Layer):
    """Turn each sequence round within its own length; what lies after its end stays."""

    def call(self, inputs):
        """Turn round.

        Args:
            inputs: pair of tensors: sequences (batch, time, features), lengths (batch,) int.

        Returns:
            tensor of the shape of the sequences.
        """
        sequences, lengths = inputs
        steps = ops.arange(ops.shape(sequences)[1], dtype="int32")[None]  # (1, time)
        turned = ops.cast(lengths, "int32")[:, None] - 1 - steps  # (batch, time)
        places = ops.where(turned >= 0, turned, steps)
        return ops.take_along_axis(sequences, places[:, :, None], axis=1)

    def compute_output_shape(self, input_shape):
        """Return the shape of the sequences."""
        return input_shape[0]


def _make_cell(cell: str, units: int, recurrent_dropout: float, name: str, **options):
    layer = CELLS[cell](
        units,
        return_sequences=True,
        recurrent_dropout=recurrent_dropout,
        seed=random.getrandbits(31),  # see `make_dropout`
        name=name,
        **options,
    )
    if keras.config.backend() == "jax" and layer.compute_dtype != "float32":
        # JAX hands cuDNN float32 only ("Unknown output type bfloat16"), which shows when the step
        # is compiled: too late for Keras to fall back.
        layer.use_cudnn = False
    return layer
