"""BERT's pretraining: masked tokens, and whether one part of a text follows the other."""

from typing import Annotated

import keras
from keras import layers, ops
from pydantic import Field

from threefold.blueprints.parts.bert.encoder import (
    EPSILON,
    Preset,
    encode_texts,
    freeze_model,
    make_block,
)
from threefold.blueprints.parts.options import Count, Rate


def build_masked_language_model(
    vocabulary_size: int,
    max_length: int,
    cls_token: int,
    sep_token: int,
    next_sentence: bool = True,
    preset: Preset = "tiny",
    num_layers: Count | None = None,
    num_heads: Count | None = None,
    model_dim: Count | None = None,
    feed_forward_dim: Count | None = None,
    max_positions: Count = 512,
    dropout: Rate = 0.1,
    pretrained: str | None = None,
    freeze: Annotated[int, Field(ge=0)] = 0,
    lora_rank: Count | None = None,
) -> keras.Model:
    """Build a network that reads a text and predicts its masked tokens.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        max_length: int. Tokens of a part at most; without `next_sentence`, of the whole text.
        cls_token: int. The token that is put before a text.
        sep_token: int. The token that is put after each part of a text.
        next_sentence: bool. Whether texts have two parts, and it is predicted whether the second
            follows the first.
        preset: str. What gives the sizes that are not set: `tiny`, `mini`, `small`, `medium`,
            `base` or `large`, as they were published.
        num_layers: int. Blocks.
        num_heads: int. Heads of each attention.
        model_dim: int. Features of a token.
        feed_forward_dim: int. Hidden units of the feed-forward networks.
        max_positions: int. Positions that are learned, the marks among them.
        dropout: float. Share dropped of the embeddings and after every part.
        pretrained: str. A folder of weights to go on from: `config.json`, `model.safetensors` and
            `vocab.txt` or `tokenizer.json`, as Hugging Face keeps them. It decides the sizes and
            the tokenizer.
        freeze: int. Blocks, from the first, that are not trained, nor are the embeddings then.
        lora_rank: int. Rank of low-rank matrices that are trained alongside the attention's, which
            then stays as it is, as all but the heads does.

    Returns:
        keras.Model. From `first` and `second`, or `tokens`, (batch, time) int32, and `masked`
        (batch, masks) int32, places counted over the true tokens, to a dict: `masked` (batch,
        masks, vocabulary_size), one logit a token, and `next` (batch, 2), the logits of following
        and of coming from elsewhere.
    """
    sizes = (num_layers, num_heads, model_dim, feed_forward_dim)
    block, count = make_block(preset, sizes, dropout)
    names = ("first", "second") if next_sentence else ("tokens",)
    texts = {name: keras.Input((None,), dtype="int32", name=name) for name in names}
    places = keras.Input((None,), dtype="int32", name="masked")
    marks = cls_token, sep_token
    x, _ = encode_texts(texts, vocabulary_size, max_length, marks, block, count, max_positions)
    found = GatherPlaces(name="gathered")([x, places, *texts.values()])  # (batch, masks, model_dim)
    found = layers.Dense(block.model_dim, "gelu", name="masked_dense")(found)
    found = layers.LayerNormalization(epsilon=EPSILON, name="masked_norm")(found)
    embedding = keras.Model(texts, x).get_layer("token_embedding")
    found = embedding(found, reverse=True)
    outputs = {"masked": AddBias(name="masked_bias")(found)}
    if next_sentence:
        pooled = layers.Dense(block.model_dim, "tanh", name="pooler")(x[:, 0])
        outputs["next"] = layers.Dense(2, dtype="float32", name="next_head")(pooled)
    model = keras.Model({**texts, "masked": places}, outputs, name="bert")
    return freeze_model(model, freeze, count, lora_rank)


@keras.saving.register_keras_serializable("threefold")
class GatherPlaces(keras.layers.Layer):
    """Pick features of some tokens out of those of framed texts.

    By a product with ones and zeros, whose gradient is the same from run to run on every device.
    """

    def call(self, inputs):
        """Return features (batch, places, features).

        Args:
            inputs: list of tensors. Features (batch, framed time, features); places (batch, places)
                int32, counted from 0 over the true tokens of all texts, -1 for any; and the texts
                (batch, time) int32 that were framed, one or two.
        """
        x, places, first, *others = inputs
        framed = places + 1  # the mark before the first text
        if others:
            count = ops.sum(ops.cast(ops.not_equal(first, 0), "int32"), axis=1)[:, None]
            # Padding and a mark lie between the first text and the second.
            skipped = ops.shape(first)[1] - count + 1
            framed = framed + ops.where(places >= count, skipped, ops.zeros_like(skipped))
        steps = ops.arange(ops.shape(x)[1], dtype="int32")
        chosen = ops.cast(ops.equal(framed[:, :, None], steps[None, None, :]), x.dtype)
        return ops.matmul(chosen, x)

    def compute_output_spec(self, inputs):
        """Return the shape and type of the features."""
        x, places = inputs[:2]
        return keras.KerasTensor((*places.shape, x.shape[-1]), self.compute_dtype)


@keras.saving.register_keras_serializable("threefold")
class AddBias(keras.layers.Layer):
    """Add a number to each of the last axis's logits, as BERT does to those of tokens."""

    def __init__(self, **kwargs):
        super().__init__(dtype="float32", **{k: v for k, v in kwargs.items() if k != "dtype"})

    def build(self, input_shape):
        """Make the numbers."""
        self.bias = self.add_weight((input_shape[-1],), initializer="zeros", name="bias")

    def call(self, inputs):
        """Add."""
        return inputs + self.bias

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape
