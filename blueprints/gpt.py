"""A Transformer that writes: it reads a text and predicts, at every token, the next one.

The choice for texts to be continued, where there is much to learn from. A recurrent network learns
sooner from little text and answers in constant time.

Sources: Vaswani et al. 2017, "Attention is all you need"; Radford et al. 2019, "Language models are
unsupervised multitask learners" (GPT-2); Su et al. 2021, "RoFormer", for rotary positions; Karpathy
2022, nanoGPT, for the preset of that name.
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
)
from threefold.blueprints.parts.fine_tuning import Blocks, freeze_and_adapt
from threefold.blueprints.parts.layers import TokenEmbedding, make_dropout
from threefold.blueprints.parts.options import Count, Rate

DATASETS = {"text_generation": "stdlib_prose"}
TRAINING = {"epochs": 3, "batch_size": 16, "optimizer": "adamw", "learning_rate": 2e-3,
            "weight_decay": 0.1, "clip_norm": 1.0, "ema": 0.95}  # fmt: skip

# Layers, heads, features of a step, share dropped. nanoGPT's is its setting for characters.
PRESETS = {
    "small": (4, 4, 128, 0.1),
    "nanogpt": (6, 6, 384, 0.2),
    "gpt2": (12, 12, 768, 0.1),
}


def build(
    vocabulary_size: int,
    max_length: int,
    preset: Literal["small", "nanogpt", "gpt2"] = "small",
    num_layers: Count | None = None,
    num_heads: Count | None = None,
    model_dim: Count | None = None,
    feed_forward_dim: Count | None = None,
    positions: Literal["rotary", "learned"] = "rotary",
    activation: Literal["gelu", "relu"] = "gelu",
    dropout: Rate | None = None,
    share_embeddings: bool = True,
    freeze: Blocks = 0,
    lora_rank: Count | None = None,
) -> keras.Model:
    """Build the network.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        max_length: int. Tokens from which the next is predicted, at most.
        preset: str. What gives the sizes that are not given: `small`, `nanogpt` or `gpt2`.
        num_layers: int. Blocks.
        num_heads: int. Heads of each attention.
        model_dim: int. Features of a step.
        feed_forward_dim: int. Hidden units of each step's own network; 4 × model_dim if None.
        positions: str. Given by turning queries and keys (`rotary`) or by vectors that are
            `learned`.
        activation: str. `gelu` or `relu`.
        dropout: float. Share dropped of the vectors and after every part.
        share_embeddings: bool. Whether tokens are predicted with the vectors by which they are
            read.
        freeze: int or str. Blocks, from the first, that are not trained, nor are the embeddings
            then; `all` for the head alone.
        lora_rank: int. Rank of low-rank matrices that are trained alongside the attention's, which
            then stays as it is, as all but the head does.

    Returns:
        keras.Model. From `tokens` (batch, time) int32 to (batch, time, vocabulary_size): one logit
        a token. Its layers `first_state` and `decoder` are what `decoding` asks for.
    """
    stated = (num_layers, num_heads, model_dim, dropout)
    count, heads, features, rate = (
        default if value is None else value
        for value, default in zip(stated, PRESETS[preset], strict=True)
    )
    hidden, rotary = feed_forward_dim or 4 * features, positions == "rotary"
    block = Block(features, heads, hidden, activation, rate, norm_first=True, rotary=rotary)
    # A window is asked for as a whole, the token after the context with it.
    first_state = InitialKVCache(count, 2 * features, max_length + 1, name="first_state")
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    state = first_state(tokens)
    decoder = _build_decoder(
        vocabulary_size, state, block, count, None if rotary else max_length + 1, share_embeddings
    )
    logits = decoder({"target": tokens, **state})["logits"]
    return freeze_and_adapt(
        keras.Model({"tokens": tokens}, logits, name="gpt"),
        freeze,
        lora_rank,
        count=count,
        block="block",
        bottom=("embedding", "positions"),
        heads=("end", "head"),
    )


TASKS = {"text_generation": build}


def _build_decoder(
    vocabulary_size: int, state: dict, block: Block, count: int, learned: int | None, shared: bool
) -> keras.Model:
    target = keras.Input((None,), dtype="int32", name="target")
    before = {
        name: keras.Input(value.shape[1:], dtype=value.dtype, name=name)
        for name, value in state.items()
    }
    position = before["position"]
    embedding = TokenEmbedding(vocabulary_size, block.model_dim, name="embedding")
    x = embedding(target)
    if learned:
        x = AddPositions(learned, name="positions")(x, position)
    x = make_dropout(block.dropout, "embedding_dropout")(x)  # (batch, time, model_dim)
    seen = CausalMask(name="seen")([target, before["cache_1"], position])
    after = {"position": NextPosition(name="next_position")([position, target])}
    for step in range(1, count + 1):
        name = f"cache_{step}"
        x, after[name] = block.self_attention(
            x, seen, f"block_{step}", position=position, cache=before[name]
        )
        x = block.feed_forward(x, f"block_{step}")
    x = block.end(x, "end")
    if shared:
        logits = embedding(x, reverse=True)
    else:
        logits = layers.Dense(vocabulary_size, dtype="float32", name="head")(x)
    found = {"logits": logits, "hidden": x, **after}
    return keras.Model({"target": target, **before}, found, name="decoder")
