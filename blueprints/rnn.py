"""A recurrent network: reads a sequence step by step and remembers what matters.

The choice for series and short texts, where order counts, data are modest, and answers must come
quickly on plain machines. For long texts and much data, `transformer` is the stronger choice.

Sources: Elman 1990 for the simple cell; Hochreiter and Schmidhuber 1997, "Long short-term memory";
Cho et al. 2014 for the gated recurrent unit; Schuster and Paliwal 1997 for reading both ways; Gal
and Ghahramani 2016 for recurrent dropout.
"""

from typing import Literal

import keras
from keras import layers, ops

from threefold.blueprints.layers import (
    CountTokens,
    PoolSteps,
    TokenEmbedding,
    ZeroPadding,
    draw_dropout,
    draw_recurrent,
)
from threefold.blueprints.options import Count, Rate

DATASETS = {
    "sequence_classification": "cylinder_bell_funnel",
}
TRAINING = {
    "epochs": 15,
    "batch_size": 64,
    "optimizer": "adamw",
    "learning_rate": 3e-3,
    "weight_decay": 0.05,
    "clip_norm": 1.0,
    "ema": 0.95,
}

Cell = Literal["simple", "lstm", "gru"]


def build_text_classifier(
    vocabulary_size: int,
    num_outputs: int,
    embedding_dim: Count = 64,
    convolutions: tuple[Count, ...] = (),
    kernel_size: Count = 5,
    units: tuple[Count, ...] = (64,),
    cell: Cell = "gru",
    bidirectional: bool = True,
    pooling: Literal["last", "mean", "max"] = "max",
    dropout: Rate = 0.3,
    recurrent_dropout: Rate = 0.0,
) -> keras.Model:
    """Draw a network that reads a text and says what it is.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        num_outputs: int. Classes.
        embedding_dim: int. Length of a token's vector.
        convolutions: tuple of int. Filters of each convolution before the recurrent layers.
        kernel_size: int. Steps that a convolution sees.
        units: tuple of int. Units of each recurrent layer, in each direction.
        cell: str. `simple`, `lstm` or `gru`.
        bidirectional: bool. Whether to read from both ends.
        pooling: str. What sums the text up: the `last` state, or the `mean` or `max` of all.
        dropout: float. Share dropped of the vectors and after each recurrent layer.
        recurrent_dropout: float. Share of the state dropped from step to step; above 0 it forbids
            the fused kernels of a GPU.

    Returns:
        keras.Model. From `tokens` (batch, time) int32 to (batch, num_outputs): one logit a class.
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    lengths = CountTokens(name="lengths")(tokens)
    x = TokenEmbedding(vocabulary_size, embedding_dim, name="embedding")(tokens)
    x = draw_dropout(dropout, "embedding_dropout")(x)  # (batch, time, embedding_dim)
    x = _convolve(x, lengths, convolutions, kernel_size)
    x = _recur(x, lengths, units, cell, bidirectional, dropout, recurrent_dropout)
    x = PoolSteps(pooling, name="pool")([x, lengths])  # (batch, features)
    outputs = layers.Dense(num_outputs, dtype="float32", name="head")(x)
    return keras.Model({"tokens": tokens}, outputs, name="rnn")


def build_tagger(
    vocabulary_size: int,
    num_outputs: int,
    embedding_dim: Count = 64,
    convolutions: tuple[Count, ...] = (),
    kernel_size: Count = 3,
    units: tuple[Count, ...] = (64,),
    cell: Cell = "lstm",
    bidirectional: bool = True,
    dropout: Rate = 0.3,
    recurrent_dropout: Rate = 0.0,
) -> keras.Model:
    """Draw a network that gives every token of a text a tag.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        num_outputs: int. Tags.
        embedding_dim: int. Length of a token's vector.
        convolutions: tuple of int. Filters of each convolution before the recurrent layers.
        kernel_size: int. Steps that a convolution sees.
        units: tuple of int. Units of each recurrent layer, in each direction.
        cell: str. `simple`, `lstm` or `gru`.
        bidirectional: bool. Whether to read from both ends.
        dropout: float. Share dropped of the vectors and after each recurrent layer.
        recurrent_dropout: float. Share of the state dropped from step to step; above 0 it forbids
            the fused kernels of a GPU.

    Returns:
        keras.Model. From `tokens` (batch, time) int32 to (batch, time, num_outputs): one logit a
        tag.
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    lengths = CountTokens(name="lengths")(tokens)
    x = TokenEmbedding(vocabulary_size, embedding_dim, name="embedding")(tokens)
    x = draw_dropout(dropout, "embedding_dropout")(x)  # (batch, time, embedding_dim)
    x = _convolve(x, lengths, convolutions, kernel_size)
    x = _recur(x, lengths, units, cell, bidirectional, dropout, recurrent_dropout)
    outputs = layers.Dense(num_outputs, dtype="float32", name="head")(x)
    return keras.Model({"tokens": tokens}, outputs, name="rnn")


def build_sequence_classifier(
    channels: tuple[tuple[float, float], ...],
    num_outputs: int,
    convolutions: tuple[Count, ...] = (32,),
    kernel_size: Count = 5,
    units: tuple[Count, ...] = (64,),
    cell: Cell = "gru",
    bidirectional: bool = True,
    pooling: Literal["last", "mean", "max"] = "max",
    dropout: Rate = 0.2,
    recurrent_dropout: Rate = 0.0,
) -> keras.Model:
    """Draw a network that reads a series of numbers and says what it is.

    Args:
        channels: tuple of (mean, scale). One pair for each number of a step.
        num_outputs: int. Classes.
        convolutions: tuple of int. Filters of each convolution before the recurrent layers.
        kernel_size: int. Steps that a convolution sees.
        units: tuple of int. Units of each recurrent layer, in each direction.
        cell: str. `simple`, `lstm` or `gru`.
        bidirectional: bool. Whether to read from both ends.
        pooling: str. What sums the series up: the `last` state, or the `mean` or `max` of all.
        dropout: float. Share dropped after each recurrent layer.
        recurrent_dropout: float. Share of the state dropped from step to step; above 0 it forbids
            the fused kernels of a GPU.

    Returns:
        keras.Model. From `values` (batch, time, channels) with NaN where missing and `lengths`
        (batch,) int32, the true steps, to (batch, num_outputs): one logit a class.
    """
    values = keras.Input((None, len(channels)), name="values")
    lengths = keras.Input((), dtype="int32", name="lengths")
    means, scales = zip(*channels, strict=True)
    missing = ops.isnan(values)
    standardise = layers.Normalization(
        mean=list(means),
        variance=[scale**2 for scale in scales],
        dtype="float32",  # half precision ends at 65,504
        name="standardise",
    )
    known = ops.where(missing, ops.zeros_like(values) + ops.array(means, "float32"), values)
    x = ZeroPadding(name="series")([standardise(known), lengths])  # (batch, time, channels)
    x = _convolve(x, lengths, convolutions, kernel_size)
    x = _recur(x, lengths, units, cell, bidirectional, dropout, recurrent_dropout)
    x = PoolSteps(pooling, name="pool")([x, lengths])  # (batch, features)
    outputs = layers.Dense(num_outputs, dtype="float32", name="head")(x)
    return keras.Model({"values": values, "lengths": lengths}, outputs, name="rnn")


TASKS = {
    "sequence_classification": build_sequence_classifier,
}


def _convolve(x, lengths, filters: tuple[int, ...], kernel_size: int):
    for step, width in enumerate(filters, 1):
        convolve = layers.Conv1D(
            width, kernel_size, padding="same", activation="relu", name=f"convolution_{step}"
        )
        x = ZeroPadding(name=f"convolution_{step}_end")([convolve(x), lengths])
    return x  # (batch, time, the last of filters)


def _recur(
    x,
    lengths,
    units: tuple[int, ...],
    cell: str,
    bidirectional: bool,
    dropout: float,
    recurrent_dropout: float,
):
    for step, width in enumerate(units, 1):
        x = draw_recurrent(
            x,
            lengths,
            width,
            cell,
            bidirectional=bidirectional,
            recurrent_dropout=recurrent_dropout,
            name=f"recurrent_{step}",
        )
        x = draw_dropout(dropout, f"recurrent_{step}_dropout")(x)
    return x  # (batch, time, the last of units, or twice that)
