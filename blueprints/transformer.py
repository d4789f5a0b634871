"""A Transformer: every step sees all others at once; encoder and decoder, or the encoder alone.

The strong choice where a text becomes another one, above all with much data; for texts to be told
apart and series to be continued, where patterns lie far from one another. On few data and plain
machines a recurrent network often learns sooner.

Sources: Vaswani et al. 2017, "Attention is all you need"; Nie et al. 2023, "A time series is worth
64 words", for segments of series; Chen et al. 2017, "Reading Wikipedia to answer open-domain
questions", for tokens that a question and its context share.
"""

from typing import Literal

import keras
from keras import layers

from threefold.blueprints.parts.attention import (
    AddPositions,
    Block,
    CausalMask,
    InitialKVCache,
    NextPosition,
    PaddingMask,
    build_encoder,
)
from threefold.blueprints.parts.forecasts import patchify, predict_steps, read_window
from threefold.blueprints.parts.layers import CountTokens, PoolSteps, TokenEmbedding, make_dropout
from threefold.blueprints.parts.options import Count, Rate
from threefold.blueprints.parts.spans import FindShared, PickContext, PutMark, predict_spans

DATASETS = {
    "translation": "cmudict",
    "summarization": "stdlib_summaries",
    "text_classification": "stdlib_docstrings",
    "question_answering": "stdlib_questions",
    "forecasting": "sf_temperatures",
}
TRAINING = {"epochs": 30, "batch_size": 64, "optimizer": "adamw", "learning_rate": 1e-3,
            "weight_decay": 0.01, "clip_norm": 1.0, "ema": 0.95}  # fmt: skip
TASK_TRAINING = {
    "translation": {"epochs": 10, "label_smoothing": 0.1},
    "summarization": {"epochs": 5, "batch_size": 16, "label_smoothing": 0.1},
    "text_classification": {"epochs": 8, "batch_size": 32},
    "question_answering": {"epochs": 4, "batch_size": 32},
    "forecasting": {"epochs": 20},
}

# Layers, on either side; heads; features of a step; hidden units of each step's own network; share
# dropped. `base` and `big` are the paper's, which has `norm=post`.
PRESETS = {
    "small": (3, 4, 128, 512, 0.1),
    "base": (6, 8, 512, 2048, 0.1),
    "big": (6, 16, 1024, 4096, 0.3),
}

Preset = Literal["small", "base", "big"]
Positions = Literal["sine", "learned"]
Norm = Literal["pre", "post"]
Nonlinearity = Literal["relu", "gelu"]


def build_translator(
    source_vocabulary_size: int,
    target_vocabulary_size: int,
    shared_vocabulary: bool,
    max_source_length: int,
    max_target_length: int,
    preset: Preset = "small",
    num_layers: Count | None = None,
    num_heads: Count | None = None,
    model_dim: Count | None = None,
    feed_forward_dim: Count | None = None,
    positions: Positions = "sine",
    norm: Norm = "pre",
    activation: Nonlinearity = "relu",
    dropout: Rate | None = None,
    share_embeddings: bool = True,
) -> keras.Model:
    """Build a network that reads one text and writes another.

    Args:
        source_vocabulary_size: int. Tokens that are read; 0 is padding.
        target_vocabulary_size: int. Tokens that are written; 0 is padding.
        shared_vocabulary: bool. Whether both are the same.
        max_source_length: int. Tokens that are read at most.
        max_target_length: int. Tokens that are written at most, without their end.
        preset: str. What gives the sizes that are not given: `small`, or the paper's `base`, `big`.
        num_layers: int. Blocks of the encoder, and as many of the decoder.
        num_heads: int. Heads of each attention.
        model_dim: int. Features of a step.
        feed_forward_dim: int. Hidden units of each step's own network.
        positions: str. Given by waves (`sine`) or by vectors that are `learned`.
        norm: str. Whether parts are normalised before (`pre`) or, as in the paper, after (`post`).
        activation: str. `relu` or `gelu`.
        dropout: float. Share dropped of the vectors and after every part.
        share_embeddings: bool. Whether tokens are predicted with the vectors by which they are
            read; with a joint vocabulary, those of the source too.

    Returns:
        keras.Model. From `source` (batch, time) and `target` (batch, steps) int32, the tokens
        before each that is predicted, to (batch, steps, target_vocabulary_size): one logit a token.
        Its layers `encoder` and `decoder` are what `decoding` asks for.
    """
    count, block = _make_block(
        preset, num_layers, num_heads, model_dim, feed_forward_dim, norm, activation, dropout
    )
    learned = positions == "learned"
    write = TokenEmbedding(target_vocabulary_size, block.model_dim, name="target_embedding")
    read = write
    if not (share_embeddings and shared_vocabulary):
        read = TokenEmbedding(source_vocabulary_size, block.model_dim, name="source_embedding")
    encoder = _build_encoder(read, block, count, max_source_length if learned else None)
    decoder = _build_decoder(
        write, encoder.output, block, count, max_target_length + 1 if learned else None,
        share_embeddings,
    )  # fmt: skip
    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((None,), dtype="int32", name="target")
    found = decoder({"target": target, **encoder({"source": source})})
    return keras.Model({"source": source, "target": target}, found["logits"], name="transformer")


def build_text_classifier(
    vocabulary_size: int,
    num_outputs: int,
    max_length: int,
    preset: Preset = "small",
    num_layers: Count | None = None,
    num_heads: Count | None = None,
    model_dim: Count | None = None,
    feed_forward_dim: Count | None = None,
    positions: Positions = "sine",
    norm: Norm = "pre",
    activation: Nonlinearity = "relu",
    pooling: Literal["mean", "max"] = "mean",
    dropout: Rate | None = None,
) -> keras.Model:
    """Build a network that reads a text and says what it is.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        num_outputs: int. Classes.
        max_length: int. Tokens of a text at most.
        preset: str. What gives the sizes that are not given: `small`, or the paper's `base`, `big`.
        num_layers: int. Blocks.
        num_heads: int. Heads of each attention.
        model_dim: int. Features of a step.
        feed_forward_dim: int. Hidden units of each step's own network.
        positions: str. Given by waves (`sine`) or by vectors that are `learned`.
        norm: str. Whether parts are normalised before (`pre`) or, as in the paper, after (`post`).
        activation: str. `relu` or `gelu`.
        pooling: str. What sums the text up: the `mean` or the `max` of its steps.
        dropout: float. Share dropped of the vectors and after every part.

    Returns:
        keras.Model. From `tokens` (batch, time) int32 to (batch, num_outputs): one logit a class.
    """
    count, block = _make_block(
        preset, num_layers, num_heads, model_dim, feed_forward_dim, norm, activation, dropout
    )
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    embedding = TokenEmbedding(vocabulary_size, block.model_dim, name="embedding")
    x = _embed(
        tokens, embedding, max_length if positions == "learned" else None, block, "embedding"
    )
    x = build_encoder(x, PaddingMask(name="seen")(tokens), block, count, "encoder")
    x = PoolSteps(pooling, name="pool")([x, CountTokens(name="lengths")(tokens)])
    x = make_dropout(block.dropout, "pool_dropout")(x)  # (batch, model_dim)
    outputs = layers.Dense(num_outputs, dtype="float32", name="head")(x)
    return keras.Model({"tokens": tokens}, outputs, name="transformer")


def build_question_answerer(
    vocabulary_size: int,
    max_length: int,
    max_question_length: int,
    cls_token: int,
    preset: Preset = "small",
    num_layers: Count | None = None,
    num_heads: Count | None = None,
    model_dim: Count | None = None,
    feed_forward_dim: Count | None = None,
    positions: Positions = "sine",
    norm: Norm = "pre",
    activation: Nonlinearity = "relu",
    dropout: Rate | None = None,
) -> keras.Model:
    """Build a network that reads a question and a context, and predicts where the answer is.

    Its inputs say which tokens of the context the question has, too (Chen et al. 2017, section
    3.2): to find them out itself takes more data than there mostly is.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        max_length: int. Tokens of a context at most.
        max_question_length: int. Tokens of a question at most.
        cls_token: int. The token that is put before the question.
        preset: str. What gives the sizes that are not given: `small`, or the paper's `base`, `big`.
        num_layers: int. Blocks.
        num_heads: int. Heads of each attention.
        model_dim: int. Features of a step.
        feed_forward_dim: int. Hidden units of each step's own network.
        positions: str. Given by waves (`sine`) or by vectors that are `learned`.
        norm: str. Whether parts are normalised before (`pre`) or, as in the paper, after (`post`).
        activation: str. `relu` or `gelu`.
        dropout: float. Share dropped of the vectors and after every part.

    Returns:
        keras.Model. From `question` and `context` (batch, time) int32, of any two lengths, to
        (batch, 2, 1 + context time): logits of where the answer starts and ends, first that there
        is none, read from the token before the question.
    """
    count, block = _make_block(
        preset, num_layers, num_heads, model_dim, feed_forward_dim, norm, activation, dropout
    )
    texts = {n: keras.Input((None,), dtype="int32", name=n) for n in ("question", "context")}
    embedding = TokenEmbedding(vocabulary_size, block.model_dim, name="embedding")
    marked = PutMark(cls_token, name="marked")(texts["question"])
    learned, parts = positions == "learned", []
    for name, tokens, most in (
        ("question", marked, max_question_length + 1), ("context", texts["context"], max_length)
    ):  # fmt: skip
        most = most if learned else None
        parts.append(_embed(tokens, embedding, most, block, f"{name}_embedding"))
    x = layers.Concatenate(axis=1, name="both_texts")(parts)
    kind = FindShared(name="shared")([marked, texts["context"]])
    kinds = TokenEmbedding(3, block.model_dim, zero_padding=False, name="shared_embedding")(kind)
    x = layers.Add(name="both_kinds")([x, kinds])
    tokens = layers.Concatenate(axis=1, name="both_tokens")([marked, texts["context"]])
    x = build_encoder(x, PaddingMask(name="seen")(tokens), block, count, "encoder")
    x = PickContext(name="picked")([x, texts["context"]])
    outputs = predict_spans(x, texts["context"], block.dropout)
    return keras.Model(texts, outputs, name="transformer")


def build_forecaster(
    context: int,
    horizon: int,
    season_length: int,
    past_covariates: tuple[tuple[float, float], ...],
    future_covariates: tuple[tuple[float, float], ...],
    num_cycles: int,
    num_quantiles: int,
    floor: float,
    preset: Preset = "small",
    num_layers: Count | None = None,
    num_heads: Count | None = None,
    model_dim: Count | None = None,
    feed_forward_dim: Count | None = None,
    segment: Count | None = None,
    positions: Positions = "learned",
    norm: Norm = "pre",
    activation: Nonlinearity = "gelu",
    step_units: Count = 16,
    skip_connection: bool = True,
    dropout: Rate = 0.5,
) -> keras.Model:
    """Build a network that reads some history and forecasts what follows.

    It predicts by how much each step will differ from that of the last season, in units of such
    differences in the window. The history is read in segments, which all see one another.

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
        preset: str. What gives the sizes that are not given: `small`, or the paper's `base`, `big`.
        num_layers: int. Blocks.
        num_heads: int. Heads of each attention.
        model_dim: int. Features of a segment.
        feed_forward_dim: int. Hidden units of each segment's own network.
        segment: int. Steps that are read at once; a season if None.
        positions: str. Given by waves (`sine`) or by vectors that are `learned`.
        norm: str. Whether parts are normalised before (`pre`) or, as in the paper, after (`post`).
        activation: str. `relu` or `gelu`.
        step_units: int. Hidden units of each step that is predicted.
        skip_connection: bool. Whether a linear part stands alongside the attention.
        dropout: float. Share dropped of the segments and after every part.

    Returns:
        keras.Model. From `history` (batch, context), `past_covariates` (batch, context, columns),
        `future_covariates` (batch, context + horizon, columns) and `calendar` (batch, horizon, 2 ×
        cycles), those that there are, to (batch, horizon, num_quantiles) in the units of the
        history.
    """
    count, block = _make_block(
        preset, num_layers, num_heads, model_dim, feed_forward_dim, norm, activation, dropout
    )
    window = read_window(
        context, horizon, season_length, past_covariates, future_covariates, num_cycles, floor
    )
    x = patchify(window.read, segment or season_length)
    x = layers.Dense(block.model_dim, name="segments")(x)
    x = AddPositions(x.shape[1] if positions == "learned" else None, name="positions")(x)
    x = make_dropout(dropout, "segments_dropout")(x)  # (batch, segments, model_dim)
    x = build_encoder(x, None, block, count, "encoder")
    x = layers.Flatten(name="encoder_flat")(x)
    predicted = predict_steps(x, window, step_units, num_quantiles, skip_connection)
    return keras.Model(window.inputs, predicted, name="transformer")


TASKS = {
    "translation": build_translator,
    "summarization": build_translator,
    "text_classification": build_text_classifier,
    "question_answering": build_question_answerer,
    "forecasting": build_forecaster,
}


def _make_block(
    preset: str,
    num_layers: int | None,
    num_heads: int | None,
    model_dim: int | None,
    feed_forward_dim: int | None,
    norm: str,
    activation: str,
    dropout: float | None,
) -> tuple[int, Block]:
    """Return how many blocks there are, and what they are like."""
    predicted = (num_layers, num_heads, model_dim, feed_forward_dim, dropout)
    count, heads, features, hidden, rate = (
        default if value is None else value
        for value, default in zip(predicted, PRESETS[preset], strict=True)
    )
    return count, Block(features, heads, hidden, activation, rate, norm == "pre")


def _embed(tokens, embedding, max_length: int | None, block: Block, name: str, position=None):
    x = embedding(tokens) * block.model_dim**0.5  # of the size of the positions
    x = AddPositions(max_length, name=f"{name}_positions")(x, position)
    return make_dropout(block.dropout, f"{name}_dropout")(x)  # (batch, time, model_dim)


def _build_encoder(embedding, block: Block, count: int, max_length: int | None) -> keras.Model:
    source = keras.Input((None,), dtype="int32", name="source")
    seen = PaddingMask(name="source_seen")(source)
    x = _embed(source, embedding, max_length, block, "source")
    x = build_encoder(x, seen, block, count, "encoder")  # (batch, time, model_dim)
    nothing = InitialKVCache(count, 2 * block.model_dim, None, name="nothing_written")(source)
    state = {"source_seen": seen, **nothing}
    for step in range(1, count + 1):
        # What the decoder looks at is the same at every step: it is made once.
        state[f"memory_{step}"] = block.project_key_value(x, f"decoder_{step}")
    return keras.Model({"source": source}, state, name="encoder")


def _build_decoder(
    embedding, state: dict, block: Block, count: int, max_length: int | None, shared: bool
) -> keras.Model:
    target = keras.Input((None,), dtype="int32", name="target")
    before = {
        name: keras.Input(value.shape[1:], dtype=value.dtype, name=name)
        for name, value in state.items()
    }
    position = before["position"]
    x = _embed(target, embedding, max_length, block, "target", position)
    seen = CausalMask(name="target_seen")([target, before["cache_1"], position])
    after = {"position": NextPosition(name="next_position")([position, target])}
    for step in range(1, count + 1):
        name = f"decoder_{step}"
        x, after[f"cache_{step}"] = block.self_attention(
            x, seen, name, cache=before[f"cache_{step}"]
        )
        x = block.cross_attention(x, before[f"memory_{step}"], before["source_seen"], name)
        x = block.feed_forward(x, name)
    x = block.end(x, "decoder")  # (batch, steps, model_dim)
    if shared:
        logits = embedding(x, reverse=True)
    else:
        logits = layers.Dense(embedding.vocabulary_size, dtype="float32", name="head")(x)
    return keras.Model({"target": target, **before}, {"logits": logits, **after}, name="decoder")
