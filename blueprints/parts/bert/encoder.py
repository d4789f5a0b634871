"""What all heads of BERT share: marks around texts, the encoder, how a text is summed up."""

from typing import Literal

import keras
from keras import layers, ops

from threefold.blueprints.parts.attention import Block, PaddingMask, build_encoder
from threefold.blueprints.parts.fine_tuning import freeze_and_adapt
from threefold.blueprints.parts.layers import TokenEmbedding, make_dropout

# Layers, heads, features of a token, hidden units of the feed-forward networks.
PRESETS = {
    "tiny": (2, 2, 128, 512),
    "mini": (4, 4, 256, 1024),
    "small": (4, 8, 512, 2048),
    "medium": (8, 8, 512, 2048),
    "base": (12, 12, 768, 3072),
    "large": (24, 16, 1024, 4096),
}
Preset = Literal["tiny", "mini", "small", "medium", "base", "large"]
EPSILON = 1e-12  # the paper's code's
# What the names of layers begin with, below the blocks and above them.
BOTTOM = ("embedding", "token_", "position_", "segment_")
HEADS = ("head", "pooler", "comparison", "masked_", "next_head")


@keras.saving.register_keras_serializable("threefold")
class FrameTexts(keras.layers.Layer):
    """Put marks around texts: `[CLS] first [SEP]`, and `second [SEP]` after it if it is there.

    Padding stays where it is, between a text and its mark: positions count true tokens alone, and
    attention must see nothing else, so that nothing has to be moved.

    Args:
        cls_token: int. The token before the first text.
        sep_token: int. The token after each text.
        max_positions: int. Positions there are; those beyond count as the last.
    """

    def __init__(self, cls_token: int, sep_token: int, max_positions: int, **kwargs):
        super().__init__(**kwargs)
        self.cls_token, self.sep_token, self.max_positions = cls_token, sep_token, max_positions

    def call(self, texts):
        """Frame texts.

        Args:
            texts: list of int32 tensors of shape (batch, time), filled up with 0 at the end.

        Returns:
            dict of str to int32 tensor of shape (batch, the sum of the times + marks): the `token`,
            `position` and `segment` (0 for the first text, 1 for the second) of each place.
        """
        mark = ops.zeros((ops.shape(texts[0])[0], 1), "int32")
        parts, segments = [mark + self.cls_token], [mark]
        for number, text in enumerate(texts):
            end = mark + self.sep_token
            if number:  # a text of nothing has no mark
                end = end * ops.cast(ops.any(ops.not_equal(text, 0), axis=1)[:, None], "int32")
            parts += [text, end]
            segments += [ops.zeros_like(text) + number, mark + number]
        token = ops.concatenate(parts, axis=1)
        true = ops.cast(ops.not_equal(token, 0), "int32")
        position = ops.minimum(ops.cumsum(true, axis=1) - 1, self.max_positions - 1)
        return {"token": token, "position": position, "segment": ops.concatenate(segments, axis=1)}

    def compute_output_spec(self, texts):
        """Return the shapes and types."""
        times = [text.shape[1] for text in texts]
        time = None if None in times else sum(times) + len(times) + 1
        shape = (texts[0].shape[0], time)
        return {
            name: keras.KerasTensor(shape, "int32") for name in ("token", "position", "segment")
        }

    def get_config(self):
        """Return the arguments."""
        own = {"cls_token": self.cls_token, "sep_token": self.sep_token}
        return super().get_config() | own | {"max_positions": self.max_positions}


@keras.saving.register_keras_serializable("threefold")
class MeanOfTexts(keras.layers.Layer):
    """Average features (batch, time, features) over the places of tokens (batch, time) but 0."""

    def call(self, inputs):
        """Return the mean, (batch, features)."""
        x, tokens = inputs
        true = ops.cast(ops.not_equal(tokens, 0), x.dtype)[:, :, None]
        return ops.sum(x * true, axis=1) / ops.sum(true, axis=1)

    def compute_output_spec(self, inputs):
        """Return the shape and type of the mean."""
        x, _ = inputs
        return keras.KerasTensor((x.shape[0], x.shape[2]), self.compute_dtype)


@keras.saving.register_keras_serializable("threefold")
class CompareTexts(keras.layers.Layer):
    """Lay the means of two texts beside their difference and their product.

    From features (batch, time, features), tokens and segments (batch, time) to
    (batch, 4 × features). Without it only attention could compare two texts, which random weights
    do not learn from some thousands of pairs.

    Source: Conneau et al. 2017, "Supervised learning of universal sentence representations from
    natural language inference data", its section 3.1.
    """

    def call(self, inputs):
        """Return both means, how far they are apart and their product."""
        x, tokens, segments = inputs
        means = []
        for segment in (0, 1):
            own = ops.logical_and(ops.not_equal(tokens, 0), ops.equal(segments, segment))
            own = ops.cast(own, x.dtype)[:, :, None]
            means.append(ops.sum(x * own, axis=1) / ops.maximum(ops.sum(own, axis=1), 1))
        first, second = means
        apart = ops.absolute(first - second)
        return ops.concatenate([first, second, apart, first * second], axis=-1)

    def compute_output_spec(self, inputs):
        """Return the shape and type of what is laid side by side."""
        x = inputs[0]
        return keras.KerasTensor((x.shape[0], 4 * x.shape[2]), self.compute_dtype)


def make_block(preset: str, sizes: tuple[int | None, ...], dropout: float) -> tuple[Block, int]:
    """Return what all blocks are like, and how many there are."""
    count, heads, features, hidden = (
        default if value is None else value
        for value, default in zip(sizes, PRESETS[preset], strict=True)
    )
    return Block(features, heads, hidden, "gelu", dropout, False, epsilon=EPSILON), count


def classify_texts(x, framed: dict, num_outputs: int, pooling: str, dropout: float):
    """Return logits (batch, num_outputs) of features of framed tokens."""
    if pooling == "cls":
        x = layers.Dense(x.shape[-1], "tanh", name="pooler")(x[:, 0])
    elif pooling == "compare":
        compared = CompareTexts(name="compare")([x, framed["token"], framed["segment"]])
        x = layers.Dense(x.shape[-1], "tanh", name="comparison")(compared)
    else:
        x = MeanOfTexts(name="mean")([x, framed["token"]])
    x = make_dropout(dropout, "pooled_dropout")(x)  # (batch, model_dim)
    return layers.Dense(num_outputs, dtype="float32", name="head")(x)


def encode_texts(
    texts: dict,
    vocabulary_size: int,
    max_length: int | dict[str, int],
    marks: tuple[int, int],
    block: Block,
    count: int,
    max_positions: int,
):
    """Return features (batch, framed time, model_dim) of texts one after the other, and the frame.

    The frame is a dict of `token`, `position` and `segment`, each (batch, framed time).

    Args:
        texts: dict of str to tensor (batch, time). The tokens of one or two texts.
        vocabulary_size: int. Tokens; 0 is padding.
        max_length: int, or dict of str to int. Tokens of each of the texts at most; where they
            differ, by the options of the data that say so.
        marks: pair of int. The tokens before the first text and after each.
        block: Block. What the blocks are like.
        count: int. How many.
        max_positions: int. Positions that are learned, the marks among them.

    Raises:
        ValueError: where there are too few positions for the texts.
    """
    room = max_positions - len(texts) - 1
    if isinstance(max_length, dict):
        if sum(max_length.values()) > room:
            stated = " and ".join(f"-d {name}={most}" for name, most in max_length.items())
            raise ValueError(
                f"max_positions {max_positions} leaves room for {room} tokens, not for those of "
                f"{stated}"
            )
    elif max_length > room // len(texts):
        raise ValueError(
            f"max_positions {max_positions} leaves room for -d max_tokens={room // len(texts)}"
        )
    framed = FrameTexts(*marks, max_positions, name="framed")(list(texts.values()))
    width = block.model_dim
    x = layers.Add(name="embedding")([
        TokenEmbedding(rows, width, zero_padding=False, name=f"{kind}_embedding")(framed[kind])
        for kind, rows in (("token", vocabulary_size), ("position", max_positions), ("segment", 2))
    ])  # fmt: skip
    x = layers.LayerNormalization(epsilon=EPSILON, name="embedding_norm")(x)
    x = make_dropout(block.dropout, "embedding_dropout")(x)
    seen = PaddingMask(name="seen")(framed["token"])
    return build_encoder(x, seen, block, count, "encoder"), framed


def freeze_model(
    model: keras.Model, freeze: int | str, count: int, lora_rank: int | None
) -> keras.Model:
    """Leave the embeddings and the first blocks as they are, or adapt them; return the model."""
    return freeze_and_adapt(
        model, freeze, lora_rank, count=count, block="encoder", bottom=BOTTOM, heads=HEADS
    )
