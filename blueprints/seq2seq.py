"""Two recurrent networks: one reads a sequence, the other writes one, looking back at the first.

The choice where one sequence becomes another of a different length (spelling to sound, short
texts to their translation) and data or machines are modest. A Transformer is the stronger choice
for long texts and much data.

Sources: Sutskever et al. 2014, "Sequence to sequence learning with neural networks"; Luong et al.
2015 for attention by products, here as there over the decoder's outputs; Bahdanau et al. 2015 for
attention by sums.
"""

from typing import Literal

import keras
from keras import layers, ops

from threefold.blueprints.parts.layers import (
    CountTokens,
    PoolSteps,
    TokenEmbedding,
    make_dropout,
    true_steps,
)
from threefold.blueprints.parts.options import Cell, Count, Rate
from threefold.blueprints.parts.recurrent import (
    build_recurrent,
    build_stateful_recurrent,
    state_sizes,
)

DATASETS = {"translation": "cmudict", "summarization": "stdlib_summaries"}
TRAINING = {"epochs": 25, "batch_size": 64, "optimizer": "adamw", "learning_rate": 3e-3,
            "weight_decay": 0.01, "clip_norm": 1.0, "ema": 0.95}  # fmt: skip

TASK_TRAINING = {"summarization": {"epochs": 8, "batch_size": 16}}


def build(
    source_vocabulary_size: int,
    target_vocabulary_size: int,
    embedding_dim: Count = 64,
    encoder_units: tuple[Count, ...] = (128,),
    decoder_units: tuple[Count, ...] = (128,),
    cell: Cell = "gru",
    bidirectional: bool = True,
    attention: Literal["multiplicative", "additive"] = "multiplicative",
    dropout: Rate = 0.3,
    recurrent_dropout: Rate = 0.0,
) -> keras.Model:
    """Build the network.

    Args:
        source_vocabulary_size: int. Tokens that are read; 0 is padding.
        target_vocabulary_size: int. Tokens that are written; 0 is padding.
        embedding_dim: int. Length of a token's vector.
        encoder_units: tuple of int. Units of each layer that reads, in each direction.
        decoder_units: tuple of int. Units of each layer that writes.
        cell: str. `lstm`, `gru`, or `simple`, for which a GPU has no fused kernel.
        bidirectional: bool. Whether to read from both ends.
        attention: str. How a place of the source is found: by a product with what is looked for
            (`multiplicative`) or by a small network of their sum (`additive`).
        dropout: float. Share dropped of the vectors and after each recurrent layer.
        recurrent_dropout: float. Share of the state dropped from step to step; above 0 it forbids
            the fused kernels of a GPU.

    Returns:
        keras.Model. From `source` (batch, time) and `target` (batch, steps) int32, the tokens
        before each that is predicted, to (batch, steps, target_vocabulary_size): one logit a token.
        Its layers `encoder` and `decoder` are what `decoding` asks for.
    """
    encoder = _build_encoder(
        source_vocabulary_size, embedding_dim, encoder_units, decoder_units, cell, bidirectional,
        dropout, recurrent_dropout,
    )  # fmt: skip
    decoder = _build_decoder(
        encoder.output, target_vocabulary_size, embedding_dim, decoder_units, cell, attention,
        dropout, recurrent_dropout,
    )  # fmt: skip
    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((None,), dtype="int32", name="target")
    found = decoder({"target": target, **encoder({"source": source})})
    return keras.Model({"source": source, "target": target}, found["logits"], name="seq2seq")


TASKS = {"translation": build, "summarization": build}


def _build_encoder(
    vocabulary_size: int,
    embedding_dim: int,
    units: tuple[int, ...],
    decoder_units: tuple[int, ...],
    cell: str,
    bidirectional: bool,
    dropout: float,
    recurrent_dropout: float,
) -> keras.Model:
    source = keras.Input((None,), dtype="int32", name="source")
    lengths = CountTokens(name="lengths")(source)
    x = TokenEmbedding(vocabulary_size, embedding_dim, name="source_embedding")(source)
    x = make_dropout(dropout, "source_dropout")(x)  # (batch, time, embedding_dim)
    x = build_recurrent(
        x,
        lengths,
        units,
        cell,
        bidirectional=bidirectional,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
        name="encoder",
    )
    summary = PoolSteps("mean", name="summary")([x, lengths])  # (batch, features)
    state = {"memory": x, "memory_lengths": lengths}
    for name, width in state_sizes(cell, decoder_units).items():
        state[name] = layers.Dense(width, activation="tanh", name=f"first_{name}")(summary)
    return keras.Model({"source": source}, state, name="encoder")


def _build_decoder(
    state: dict,
    vocabulary_size: int,
    embedding_dim: int,
    units: tuple[int, ...],
    cell: str,
    attention: str,
    dropout: float,
    recurrent_dropout: float,
) -> keras.Model:
    target = keras.Input((None,), dtype="int32", name="target")
    before = {
        name: keras.Input(value.shape[1:], dtype=value.dtype, name=name)
        for name, value in state.items()
    }
    x = TokenEmbedding(vocabulary_size, embedding_dim, name="target_embedding")(target)
    x = make_dropout(dropout, "target_dropout")(x)  # (batch, steps, embedding_dim)
    x, after = build_stateful_recurrent(
        x,
        before,
        units,
        cell,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
        name="decoder",
    )  # (batch, steps, units)
    context, weights = _attend(x, before["memory"], before["memory_lengths"], attention)
    x = layers.Concatenate(name="with_context")([x, context])
    x = layers.Dense(units[-1], activation="tanh", name="combine")(x)
    x = make_dropout(dropout, "combine_dropout")(x)
    logits = layers.Dense(vocabulary_size, dtype="float32", name="head")(x)
    found = {"logits": logits, "attention": weights, **after}
    return keras.Model({"target": target, **before}, found, name="decoder")


def _attend(queries, memory, lengths, kind: str):
    """Look for what each step needs in the memory.

    Returns:
        (batch, steps, features of the memory) and the weights (batch, steps, time).
    """
    units = queries.shape[-1]
    wanted = layers.Dense(units, use_bias=False, name="attention_query")(queries)
    keys = layers.Dense(units, use_bias=False, name="attention_key")(memory)
    true = TrueSteps(name="memory_mask")([memory, lengths])
    attend = layers.Attention if kind == "multiplicative" else layers.AdditiveAttention
    return attend(name="attention")(
        [wanted, memory, keys], mask=[None, true], return_attention_scores=True
    )


@keras.saving.register_keras_serializable("threefold")
class TrueSteps(layers.Layer):
    """Say which steps are before each sequence's end, bool of shape (batch, time)."""

    def call(self, inputs):
        """Return the mask of sequences (batch, time, features) and lengths (batch,)."""
        return ops.squeeze(true_steps(*inputs), axis=-1)

    def compute_output_spec(self, inputs):
        """Return the mask's shape and type."""
        return keras.KerasTensor(inputs[0].shape[:2], "bool")
