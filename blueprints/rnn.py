"""A recurrent network: reads a sequence step by step and remembers what matters.

The choice for series and short texts, where order counts, data are modest, and answers must come
quickly on plain machines. For long texts and much data, a Transformer is the stronger choice.

Sources: Elman 1990 for the simple cell; Hochreiter and Schmidhuber 1997, "Long short-term memory";
Cho et al. 2014 for the gated recurrent unit; Schuster and Paliwal 1997 for reading both ways; Gal
and Ghahramani 2016 for recurrent dropout.
"""

from typing import Literal

import keras
from keras import layers, ops

from threefold.blueprints.parts.forecasts import patchify, predict_steps, read_window, standardise
from threefold.blueprints.parts.layers import (
    CountTokens,
    PoolSteps,
    TokenEmbedding,
    ZeroPadding,
    make_dropout,
)
from threefold.blueprints.parts.options import Cell, Count, Rate
from threefold.blueprints.parts.recurrent import (
    InitialState,
    build_recurrent,
    build_stateful_recurrent,
    state_sizes,
)

DATASETS = {
    "sequence_classification": "cylinder_bell_funnel",
    "text_classification": "stdlib_docstrings",
    "token_classification": "stdlib_tokens",
    "text_generation": "stdlib_prose",
    "forecasting": "sf_temperatures",
}
TRAINING = {"epochs": 15, "batch_size": 64, "optimizer": "adamw", "learning_rate": 3e-3,
            "weight_decay": 0.05, "clip_norm": 1.0, "ema": 0.95}  # fmt: skip

TASK_TRAINING = {
    "text_classification": {"epochs": 12, "learning_rate": 1e-2, "label_smoothing": 0.1},
    "text_generation": {"epochs": 6, "batch_size": 16},
    "forecasting": {"epochs": 20, "learning_rate": 2e-3},
}

Pooling = Literal["last", "mean", "max"]


def build_text_classifier(
    vocabulary_size: int,
    num_outputs: int,
    embedding_dim: Count = 64,
    embeddings: str | None = None,
    tune_embeddings: bool = True,
    convolutions: tuple[Count, ...] = (),
    kernel_size: Count | None = None,
    units: tuple[Count, ...] = (64,),
    cell: Cell = "gru",
    bidirectional: bool = True,
    skip_connection: bool = True,
    pooling: tuple[Pooling, ...] = ("max", "mean"),
    dropout: Rate = 0.5,
    recurrent_dropout: Rate = 0.0,
) -> keras.Model:
    """Build a network that reads a text and says what it is.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        num_outputs: int. Classes.
        embedding_dim: int. Length of a token's vector.
        embeddings: str. A file of word vectors to start from, as GloVe, word2vec and fastText
            write them; their length then rules.
        tune_embeddings: bool. Whether the vectors are trained further, too.
        convolutions: tuple of int. Filters of each convolution before the recurrent layers.
        kernel_size: int. Steps that a convolution sees; 5 if None.
        units: tuple of int. Units of each recurrent layer, in each direction.
        cell: str. `lstm`, `gru`, or `simple`, for which a GPU has no fused kernel.
        bidirectional: bool. Whether to read from both ends.
        skip_connection: bool. Whether the vectors stand alongside what was read of them (Lai et al.
            2015, "Recurrent convolutional neural networks for text classification").
        pooling: tuple of str. What sums the text up: the `last` state, the `mean` or `max` of all.
        dropout: float. Share dropped of the vectors and after each recurrent layer.
        recurrent_dropout: float. Share of the state dropped from step to step; above 0 it forbids
            the fused kernels of a GPU.

    Returns:
        keras.Model. From `tokens` (batch, time) int32 to (batch, num_outputs): one logit a class.
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    lengths = CountTokens(name="lengths")(tokens)
    x = _embed(tokens, vocabulary_size, embedding_dim, embeddings, tune_embeddings)
    vectors = make_dropout(dropout, "embedding_dropout")(x)  # (batch, time, embedding_dim)
    x = _convolve(vectors, lengths, convolutions, kernel_size)
    x = build_recurrent(
        x,
        lengths,
        units,
        cell,
        bidirectional=bidirectional,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
        name="recurrent",
    )
    if skip_connection:
        x = layers.Concatenate(name="skip_connection")([vectors, x])
    x = _sum_up(x, lengths, pooling)  # (batch, features)
    outputs = layers.Dense(num_outputs, dtype="float32", name="head")(x)
    return keras.Model({"tokens": tokens}, outputs, name="rnn")


def build_tagger(
    vocabulary_size: int,
    num_outputs: int,
    embedding_dim: Count = 64,
    embeddings: str | None = None,
    tune_embeddings: bool = True,
    convolutions: tuple[Count, ...] = (),
    kernel_size: Count | None = None,
    units: tuple[Count, ...] = (64,),
    cell: Cell = "lstm",
    bidirectional: bool = True,
    dropout: Rate = 0.3,
    recurrent_dropout: Rate = 0.0,
) -> keras.Model:
    """Build a network that gives every token of a text a tag.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        num_outputs: int. Tags.
        embedding_dim: int. Length of a token's vector.
        embeddings: str. A file of word vectors to start from, as GloVe, word2vec and fastText
            write them; their length then rules.
        tune_embeddings: bool. Whether the vectors are trained further, too.
        convolutions: tuple of int. Filters of each convolution before the recurrent layers.
        kernel_size: int. Steps that a convolution sees; 5 if None.
        units: tuple of int. Units of each recurrent layer, in each direction.
        cell: str. `lstm`, `gru`, or `simple`, for which a GPU has no fused kernel.
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
    x = _embed(tokens, vocabulary_size, embedding_dim, embeddings, tune_embeddings)
    x = make_dropout(dropout, "embedding_dropout")(x)  # (batch, time, embedding_dim)
    x = _convolve(x, lengths, convolutions, kernel_size)
    x = build_recurrent(
        x,
        lengths,
        units,
        cell,
        bidirectional=bidirectional,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
        name="recurrent",
    )
    outputs = layers.Dense(num_outputs, dtype="float32", name="head")(x)
    return keras.Model({"tokens": tokens}, outputs, name="rnn")


def build_sequence_classifier(
    channels: tuple[tuple[float, float], ...],
    num_outputs: int,
    convolutions: tuple[Count, ...] = (32,),
    kernel_size: Count | None = None,
    units: tuple[Count, ...] = (64,),
    cell: Cell = "gru",
    bidirectional: bool = True,
    pooling: tuple[Pooling, ...] = ("max",),
    dropout: Rate = 0.2,
    recurrent_dropout: Rate = 0.0,
) -> keras.Model:
    """Build a network that reads a series of numbers and says what it is.

    Args:
        channels: tuple of (mean, scale). One pair for each number of a step.
        num_outputs: int. Classes.
        convolutions: tuple of int. Filters of each convolution before the recurrent layers.
        kernel_size: int. Steps that a convolution sees; 5 if None.
        units: tuple of int. Units of each recurrent layer, in each direction.
        cell: str. `lstm`, `gru`, or `simple`, for which a GPU has no fused kernel.
        bidirectional: bool. Whether to read from both ends.
        pooling: tuple of str. What sums the series up: the `last` state, the `mean` or `max` of
            all.
        dropout: float. Share dropped after each recurrent layer.
        recurrent_dropout: float. Share of the state dropped from step to step; above 0 it forbids
            the fused kernels of a GPU.

    Returns:
        keras.Model. From `values` (batch, time, channels) with NaN where missing and `lengths`
        (batch,) int32, the true steps, to (batch, num_outputs): one logit a class.
    """
    values = keras.Input((None, len(channels)), name="values")
    lengths = keras.Input((), dtype="int32", name="lengths")
    x = standardise(values, channels, "values")  # (batch, time, channels)
    x = ZeroPadding(name="series")([ops.nan_to_num(x), lengths])  # the missing: as the mean
    x = _convolve(x, lengths, convolutions, kernel_size)
    x = build_recurrent(
        x,
        lengths,
        units,
        cell,
        bidirectional=bidirectional,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
        name="recurrent",
    )
    x = _sum_up(x, lengths, pooling)  # (batch, features)
    outputs = layers.Dense(num_outputs, dtype="float32", name="head")(x)
    return keras.Model({"values": values, "lengths": lengths}, outputs, name="rnn")


def build_language_model(
    vocabulary_size: int,
    embedding_dim: Count = 64,
    units: tuple[Count, ...] = (256,),
    cell: Cell = "gru",
    dropout: Rate = 0.1,
    recurrent_dropout: Rate = 0.0,
) -> keras.Model:
    """Build a network that reads a text and predicts, at every token, the next one.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        embedding_dim: int. Length of a token's vector.
        units: tuple of int. Units of each recurrent layer.
        cell: str. `lstm`, `gru`, or `simple`, for which a GPU has no fused kernel.
        dropout: float. Share dropped of the vectors and after each recurrent layer.
        recurrent_dropout: float. Share of the state dropped from step to step; above 0 it forbids
            the fused kernels of a GPU.

    Returns:
        keras.Model. From `tokens` (batch, time) int32 to (batch, time, vocabulary_size): one logit
        a token. Its layers `first_state` and `decoder` are what `decoding` asks for.
    """
    target = keras.Input((None,), dtype="int32", name="target")
    sizes = state_sizes(cell, units)
    before = {name: keras.Input((width,), name=name) for name, width in sizes.items()}
    x = TokenEmbedding(vocabulary_size, embedding_dim, name="embedding")(target)
    x = make_dropout(dropout, "embedding_dropout")(x)  # (batch, time, embedding_dim)
    x, after = build_stateful_recurrent(
        x,
        before,
        units,
        cell,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
        name="recurrent",
    )  # (batch, time, units)
    logits = layers.Dense(vocabulary_size, dtype="float32", name="head")(x)
    found = {"logits": logits, "hidden": x, **after}
    decoder = keras.Model({"target": target, **before}, found, name="decoder")
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    state = InitialState(sizes, name="first_state")(tokens)
    return keras.Model(
        {"tokens": tokens}, decoder({"target": tokens, **state})["logits"], name="rnn"
    )


def build_forecaster(
    context: int,
    horizon: int,
    season_length: int,
    past_covariates: tuple[tuple[float, float], ...],
    future_covariates: tuple[tuple[float, float], ...],
    num_cycles: int,
    num_quantiles: int,
    floor: float,
    segment: Count | None = None,
    units: tuple[Count, ...] = (32,),
    cell: Cell = "gru",
    step_units: Count = 16,
    skip_connection: bool = True,
    dropout: Rate = 0.5,
    recurrent_dropout: Rate = 0.0,
) -> keras.Model:
    """Build a network that reads some history and forecasts what follows.

    It predicts by how much each step will differ from that of the last season, in units of such
    differences in the window. A season is read at once (Lin et al. 2023, "SegRNN"), and a linear
    part stands alongside the recurrent one (Lai et al. 2018, "LSTNet").

    Args:
        context: int. Steps of history, two seasons at least.
        horizon: int. Steps to predict.
        season_length: int. Steps of a period.
        past_covariates: tuple of (mean, scale). One pair for each column that is known up to now.
        future_covariates: tuple of (mean, scale). One pair for each column that is known ahead,
            too.
        num_cycles: int. Cycles of the calendar.
        num_quantiles: int. Quantiles to predict of each step.
        floor: float. The least unit of a window, for one in which nothing changes.
        segment: int. Steps that are read at once; a season if None.
        units: tuple of int. Units of each recurrent layer.
        cell: str. `simple`, `lstm` or `gru`.
        step_units: int. Hidden units of each step that is predicted.
        skip_connection: bool. Whether a linear part stands alongside the recurrent one.
        dropout: float. Share dropped before the first recurrent layer and after each.
        recurrent_dropout: float. Share of the state dropped from step to step; above 0 it forbids
            the fused kernels of a GPU.

    Returns:
        keras.Model. From `history` (batch, context), `past_covariates` (batch, context, columns),
        `future_covariates` (batch, context + horizon, columns) and `calendar` (batch, horizon, 2 ×
        cycles), those that there are, to (batch, horizon, num_quantiles) in the units of the
        history.
    """
    window = read_window(
        context, horizon, season_length, past_covariates, future_covariates, num_cycles, floor
    )
    x = patchify(window.read, segment or season_length)
    x = layers.Dense(units[0], activation="relu", name="segments")(x)
    x = make_dropout(dropout, "segments_dropout")(x)  # (batch, segments, units)
    x = build_recurrent(
        x,
        None,
        units,
        cell,
        bidirectional=False,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
        name="recurrent",
    )[:, -1]
    predicted = predict_steps(x, window, step_units, num_quantiles, skip_connection)
    return keras.Model(window.inputs, predicted, name="rnn")


TASKS = {
    "sequence_classification": build_sequence_classifier,
    "text_classification": build_text_classifier,
    "token_classification": build_tagger,
    "text_generation": build_language_model,
    "forecasting": build_forecaster,
}


def _embed(tokens, vocabulary_size: int, dimension: int, file: str | None, tuned: bool):
    if not tuned and file is None:
        raise ValueError("tune_embeddings=false leaves vectors as they are built: give embeddings")
    # What the file holds is put in by whoever fits: a run is rebuilt without the file.
    layer = TokenEmbedding(vocabulary_size, dimension, name="embedding")
    layer.trainable = tuned
    return layer(tokens)


def _convolve(x, lengths, filters: tuple[int, ...], kernel_size: int | None):
    if kernel_size and not filters:
        raise ValueError("kernel_size is that of convolutions, and there are none")
    for step, width in enumerate(filters, 1):
        convolve = layers.Conv1D(
            width, kernel_size or 5, padding="same", activation="relu", name=f"convolution_{step}"
        )
        x = ZeroPadding(name=f"convolution_{step}_end")([convolve(x), lengths])
    return x  # (batch, time, the last of filters)


def _sum_up(x, lengths, pooling: tuple[str, ...]):
    if not pooling:
        raise ValueError("pooling: expected last, mean or max, or several of them")
    found = [PoolSteps(kind, name=f"pool_{kind}")([x, lengths]) for kind in dict.fromkeys(pooling)]
    return found[0] if len(found) == 1 else layers.Concatenate(name="pools")(found)
