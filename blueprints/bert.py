"""BERT: an encoder that reads texts both ways, from random weights or from pretrained ones.

The strong choice for texts with few labels, where `-o pretrained=FOLDER` or `--init RUN` brings
what was learned from many texts. From random weights a recurrent network often learns sooner.

Sources: Devlin et al. 2019, "BERT: pre-training of deep bidirectional transformers for language
understanding"; Turc et al. 2019, "Well-read students learn better", for the sizes below base.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import keras
from keras import layers
from pydantic import Field

from threefold.blueprints.attention import Block, SeeTokens, draw_encoder
from threefold.blueprints.bert_parts import FrameTexts, MeanOfTexts
from threefold.blueprints.layers import TokenEmbedding, draw_dropout
from threefold.blueprints.options import Count, Rate

DATASETS = {
    "text_classification": "stdlib_docstrings",
    "text_pair_classification": "stdlib_matches",
    "token_classification": "stdlib_tokens",
}
TRAINING = {
    "epochs": 12,
    "batch_size": 32,
    "optimizer": "adamw",
    "learning_rate": 5e-4,
    "weight_decay": 0.01,
    "clip_norm": 1.0,
    "warmup": 0.1,
}
# What suits pretrained weights instead, of the ranges of the paper's appendix A.3.
FINE_TUNING = {"epochs": 4, "learning_rate": 5e-5}

# Layers, heads, features of a token, hidden units of the feed-forward networks.
PRESETS = {
    "tiny": (2, 2, 128, 512),
    "mini": (4, 4, 256, 1024),
    "small": (4, 8, 512, 2048),
    "medium": (8, 8, 512, 2048),
    "base": (12, 12, 768, 3072),
    "large": (24, 16, 1024, 4096),
}
EPSILON = 1e-12  # the paper's code's

Preset = Literal["tiny", "mini", "small", "medium", "base", "large"]
Blocks = Annotated[int, Field(ge=0)] | Literal["all"]


def build_text_classifier(
    vocabulary_size: int,
    num_outputs: int,
    longest: int,
    cls_token: int,
    sep_token: int,
    preset: Preset = "tiny",
    num_layers: Count | None = None,
    num_heads: Count | None = None,
    model_dim: Count | None = None,
    feed_forward_dim: Count | None = None,
    max_length: Count = 512,
    pooling: Literal["cls", "mean"] = "cls",
    dropout: Rate = 0.1,
    pretrained: str | None = None,
    freeze: Blocks = 0,
) -> keras.Model:
    """Build a network that reads a text and classifies it.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        num_outputs: int. Classes.
        longest: int. Tokens of a text at most.
        cls_token: int. The token that is put before a text.
        sep_token: int. The token that is put after a text.
        preset: str. What gives the sizes that are not set: `tiny`, `mini`, `small`, `medium`,
            `base` or `large`, as they were published.
        num_layers: int. Blocks.
        num_heads: int. Heads of each attention.
        model_dim: int. Features of a token.
        feed_forward_dim: int. Hidden units of the feed-forward networks.
        max_length: int. Positions that are learned, the two marks among them.
        pooling: str. What the class is read from: the mark `cls` that stands before the text,
            through a dense layer, or the `mean` of all tokens.
        dropout: float. Share dropped of the embeddings, after every part and before the head.
        pretrained: str. A folder of weights to start from: `config.json`, `model.safetensors` and
            `vocab.txt` or `tokenizer.json`, as Hugging Face keeps them. It decides the sizes and
            the tokenizer.
        freeze: int or str. Blocks, from the first, that are not trained, nor are the embeddings
            then; `all` for the head alone.

    Returns:
        keras.Model. From `tokens` (batch, time) int32 to (batch, num_outputs): one logit a class.
    """
    sizes = (num_layers, num_heads, model_dim, feed_forward_dim)
    block, count = _make_block(preset, sizes, dropout)
    texts = {"tokens": keras.Input((None,), dtype="int32", name="tokens")}
    marks = cls_token, sep_token
    encoded = _encode(texts, vocabulary_size, longest, marks, block, count, max_length)
    outputs = _classify(*encoded, num_outputs, pooling, dropout)
    return _freeze(keras.Model(texts, outputs, name="bert"), freeze, count)


def build_pair_classifier(
    vocabulary_size: int,
    num_outputs: int,
    longest: int,
    cls_token: int,
    sep_token: int,
    preset: Preset = "tiny",
    num_layers: Count | None = None,
    num_heads: Count | None = None,
    model_dim: Count | None = None,
    feed_forward_dim: Count | None = None,
    max_length: Count = 512,
    pooling: Literal["cls", "mean"] = "cls",
    dropout: Rate = 0.1,
    pretrained: str | None = None,
    freeze: Blocks = 0,
) -> keras.Model:
    """Build a network that reads two texts, one after the other, and classifies the pair.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        num_outputs: int. Classes.
        longest: int. Tokens of each of the texts at most.
        cls_token: int. The token that is put before the first text.
        sep_token: int. The token that is put after each text.
        preset: str. What gives the sizes that are not set: `tiny`, `mini`, `small`, `medium`,
            `base` or `large`, as they were published.
        num_layers: int. Blocks.
        num_heads: int. Heads of each attention.
        model_dim: int. Features of a token.
        feed_forward_dim: int. Hidden units of the feed-forward networks.
        max_length: int. Positions that are learned, the three marks among them.
        pooling: str. What the class is read from: the mark `cls` that stands before the texts,
            through a dense layer, or the `mean` of all tokens.
        dropout: float. Share dropped of the embeddings, after every part and before the head.
        pretrained: str. A folder of weights to start from: `config.json`, `model.safetensors` and
            `vocab.txt` or `tokenizer.json`, as Hugging Face keeps them. It decides the sizes and
            the tokenizer.
        freeze: int or str. Blocks, from the first, that are not trained, nor are the embeddings
            then; `all` for the head alone.

    Returns:
        keras.Model. From `first` and `second` (batch, time) int32, of any two lengths, to
        (batch, num_outputs): one logit a class.
    """
    sizes = (num_layers, num_heads, model_dim, feed_forward_dim)
    block, count = _make_block(preset, sizes, dropout)
    texts = {n: keras.Input((None,), dtype="int32", name=n) for n in ("first", "second")}
    marks = cls_token, sep_token
    encoded = _encode(texts, vocabulary_size, longest, marks, block, count, max_length)
    outputs = _classify(*encoded, num_outputs, pooling, dropout)
    return _freeze(keras.Model(texts, outputs, name="bert"), freeze, count)


def build_tagger(
    vocabulary_size: int,
    num_outputs: int,
    longest: int,
    cls_token: int,
    sep_token: int,
    preset: Preset = "tiny",
    num_layers: Count | None = None,
    num_heads: Count | None = None,
    model_dim: Count | None = None,
    feed_forward_dim: Count | None = None,
    max_length: Count = 512,
    dropout: Rate = 0.1,
    pretrained: str | None = None,
    freeze: Blocks = 0,
) -> keras.Model:
    """Build a network that reads a text and tags each token.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        num_outputs: int. Tags.
        longest: int. Tokens of a text at most.
        cls_token: int. The token that is put before a text.
        sep_token: int. The token that is put after a text.
        preset: str. What gives the sizes that are not set: `tiny`, `mini`, `small`, `medium`,
            `base` or `large`, as they were published.
        num_layers: int. Blocks.
        num_heads: int. Heads of each attention.
        model_dim: int. Features of a token.
        feed_forward_dim: int. Hidden units of the feed-forward networks.
        max_length: int. Positions that are learned, the two marks among them.
        dropout: float. Share dropped of the embeddings, after every part and before the head.
        pretrained: str. A folder of weights to start from: `config.json`, `model.safetensors` and
            `vocab.txt` or `tokenizer.json`, as Hugging Face keeps them. It decides the sizes and
            the tokenizer.
        freeze: int or str. Blocks, from the first, that are not trained, nor are the embeddings
            then; `all` for the head alone.

    Returns:
        keras.Model. From `tokens` (batch, time) int32 to (batch, time, num_outputs): one logit a
        tag, also for padding.
    """
    sizes = (num_layers, num_heads, model_dim, feed_forward_dim)
    block, count = _make_block(preset, sizes, dropout)
    texts = {"tokens": keras.Input((None,), dtype="int32", name="tokens")}
    marks = cls_token, sep_token
    x, _ = _encode(texts, vocabulary_size, longest, marks, block, count, max_length)
    x = draw_dropout(dropout, "tokens_dropout")(x[:, 1:-1])  # (batch, time, model_dim)
    outputs = layers.Dense(num_outputs, dtype="float32", name="head")(x)
    return _freeze(keras.Model(texts, outputs, name="bert"), freeze, count)


TASKS = {
    "text_classification": build_text_classifier,
    "text_pair_classification": build_pair_classifier,
    "token_classification": build_tagger,
}

MODEL_TYPE = "bert"  # what a config.json calls the family
OPTIONAL = "pooler"  # some checkpoints lack it


def read_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that a `config.json` of Hugging Face's form decides.

    Raises:
        ValueError: for a variant of the network that is not built here.
    """
    for name, wanted in (("hidden_act", "gelu"), ("position_embedding_type", "absolute")):
        if config.get(name, wanted) != wanted:
            raise ValueError(f"{name} must be {wanted}, got {config[name]}")
    return {
        "num_layers": config["num_hidden_layers"],
        "num_heads": config["num_attention_heads"],
        "model_dim": config["hidden_size"],
        "feed_forward_dim": config["intermediate_size"],
        "max_length": config["max_position_embeddings"],
    }


def name_weights(model: keras.Model) -> dict[str, tuple[str, bool]]:
    """Return what the weights of a network are called in a file of Hugging Face's form.

    Args:
        model: keras.Model. As built here.

    Returns:
        dict of str to (str, bool). From the paths of weights to names there, and whether the array
        must be transposed. Those of the head are not among them.
    """
    names = {
        "token_embedding/embeddings": ("embeddings.word_embeddings.weight", False),
        "position_embedding/embeddings": ("embeddings.position_embeddings.weight", False),
        "segment_embedding/embeddings": ("embeddings.token_type_embeddings.weight", False),
        **_name_layer("embedding_norm", "embeddings.LayerNorm"),
        **_name_layer("pooler", "pooler.dense"),
    }
    paths = [weight.path for weight in model.weights]
    count = sum(path.endswith("_self_attention_query/kernel") for path in paths)
    for step in range(count):
        ours, theirs = f"encoder_{step + 1}", f"encoder.layer.{step}"
        for part, name in (
            ("self_attention_query", "attention.self.query"),
            ("self_attention_key", "attention.self.key"),
            ("self_attention_value", "attention.self.value"),
            ("self_attention_output", "attention.output.dense"),
            ("self_attention_norm", "attention.output.LayerNorm"),
            ("feed_forward_hidden", "intermediate.dense"),
            ("feed_forward_output", "output.dense"),
            ("feed_forward_norm", "output.LayerNorm"),
        ):
            names |= _name_layer(f"{ours}_{part}", f"{theirs}.{name}")
    return {path: names[path] for path in paths if path in names}


def _name_layer(ours: str, theirs: str) -> dict[str, tuple[str, bool]]:
    if ours.endswith("_norm"):
        return {
            f"{ours}/gamma": (f"{theirs}.weight", False),
            f"{ours}/beta": (f"{theirs}.bias", False),
        }
    return {
        f"{ours}/kernel": (f"{theirs}.weight", True),
        f"{ours}/bias": (f"{theirs}.bias", False),
    }


def _make_block(preset: str, sizes: tuple[int | None, ...], dropout: float) -> tuple[Block, int]:
    """Return what all blocks are like, and how many there are."""
    count, heads, features, hidden = (
        default if value is None else value
        for value, default in zip(sizes, PRESETS[preset], strict=True)
    )
    return Block(features, heads, hidden, "gelu", dropout, False, epsilon=EPSILON), count


def _classify(x, tokens, num_outputs: int, pooling: str, dropout: float):
    """Return logits (batch, num_outputs) of features of tokens."""
    if pooling == "cls":
        x = layers.Dense(x.shape[-1], "tanh", name="pooler")(x[:, 0])
    else:
        x = MeanOfTexts(name="mean")([x, tokens])
    x = draw_dropout(dropout, "pooled_dropout")(x)  # (batch, model_dim)
    return layers.Dense(num_outputs, dtype="float32", name="head")(x)


def _encode(
    texts: dict,
    vocabulary_size: int,
    longest: int,
    marks: tuple[int, int],
    block: Block,
    count: int,
    max_length: int,
):
    """Return features (batch, framed time, model_dim) of texts one after the other, and tokens."""
    most = (max_length - len(texts) - 1) // len(texts)
    if longest > most:
        raise ValueError(f"max_length {max_length} leaves room for -d max_tokens={most}")
    framed = FrameTexts(*marks, max_length, name="framed")(list(texts.values()))
    width = block.model_dim
    x = layers.Add(name="embedding")([
        TokenEmbedding(rows, width, zero_padding=False, name=f"{kind}_embedding")(framed[kind])
        for kind, rows in (("token", vocabulary_size), ("position", max_length), ("segment", 2))
    ])  # fmt: skip
    x = layers.LayerNormalization(epsilon=EPSILON, name="embedding_norm")(x)
    x = draw_dropout(block.dropout, "embedding_dropout")(x)
    seen = SeeTokens(name="seen")(framed["token"])
    return draw_encoder(x, seen, block, count, "encoder"), framed["token"]


def _freeze(model: keras.Model, freeze: int | str, count: int) -> keras.Model:
    """Leave the embeddings and the first blocks as they are, and return the model."""
    if freeze != "all" and freeze > count:
        raise ValueError(f"freeze must be at most {count}, the number of blocks, or all")
    blocks = range(1, (count if freeze == "all" else freeze) + 1)
    frozen = ("embedding", "token_", "position_", "segment_", *(f"encoder_{n}_" for n in blocks))
    for layer in model.layers if freeze else ():
        if layer.name.startswith(frozen):
            layer.trainable = False
    return model
