"""BERT: an encoder that reads texts both ways, from random weights or from pretrained ones.

The strong choice for texts with few labels, where `-o pretrained=FOLDER` or `--init RUN` brings
what was learned from many texts. From random weights a recurrent network often learns sooner.

Sources: Devlin et al. 2019, "BERT: pre-training of deep bidirectional transformers for language
understanding"; Turc et al. 2019, "Well-read students learn better", for the sizes below base.
"""

from typing import Literal

import keras
from keras import layers

from threefold.blueprints.parts.bert import checkpoints
from threefold.blueprints.parts.bert.encoder import (
    Preset,
    classify_texts,
    encode_texts,
    freeze_model,
    make_block,
)
from threefold.blueprints.parts.bert.pretraining import build_masked_language_model
from threefold.blueprints.parts.fine_tuning import Blocks
from threefold.blueprints.parts.layers import make_dropout
from threefold.blueprints.parts.options import Count, Rate
from threefold.blueprints.parts.spans import PickContext, predict_spans

DATASETS = {
    "text_classification": "stdlib_docstrings",
    "text_pair_classification": "rhymes",
    "token_classification": "stdlib_tokens",
    "masked_language_modeling": "stdlib_prose",
    "question_answering": "stdlib_questions",
}
TRAINING = {"epochs": 8, "batch_size": 32, "optimizer": "adamw", "learning_rate": 5e-4,
            "weight_decay": 0.01, "clip_norm": 1.0, "warmup": 0.1}  # fmt: skip
TASK_TRAINING = {
    "masked_language_modeling": {"epochs": 5, "batch_size": 16, "learning_rate": 1e-3},
    "question_answering": {"epochs": 4},
}
# What suits pretrained weights instead, of the ranges of the paper's appendix A.3.
FINE_TUNING = {"epochs": 4, "min_steps": 300, "learning_rate": 5e-5}
PRETRAINED = checkpoints  # knows folders of weights
# As published with weights of the size `base`: GLUE's tasks and SQuAD in the paper's section 4 and
# appendix A.3, names in its section 5.3.
_PUBLISHED = {"batch_size": 32, "epochs": 3, "schedule": "linear", "warmup": 0.1}
RECIPES = {
    "sst2": {"options": {}, "settings": _PUBLISHED | {"learning_rate": 2e-5}},
    "mnli": {"options": {}, "settings": _PUBLISHED | {"learning_rate": 2e-5}},
    "squad": {"options": {}, "settings": _PUBLISHED | {"learning_rate": 5e-5}},
    "conll2003": {"options": {}, "settings": _PUBLISHED | {"learning_rate": 5e-5}},
}


def build_text_classifier(
    vocabulary_size: int,
    num_outputs: int,
    max_length: int,
    cls_token: int,
    sep_token: int,
    preset: Preset = "tiny",
    num_layers: Count | None = None,
    num_heads: Count | None = None,
    model_dim: Count | None = None,
    feed_forward_dim: Count | None = None,
    max_positions: Count = 512,
    pooling: Literal["cls", "mean"] = "cls",
    dropout: Rate = 0.1,
    pretrained: str | None = None,
    freeze: Blocks = 0,
    lora_rank: Count | None = None,
) -> keras.Model:
    """Build a network that reads a text and classifies it.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        num_outputs: int. Classes.
        max_length: int. Tokens of a text at most.
        cls_token: int. The token that is put before a text.
        sep_token: int. The token that is put after a text.
        preset: str. What gives the sizes that are not set: `tiny`, `mini`, `small`, `medium`,
            `base` or `large`, as they were published.
        num_layers: int. Blocks.
        num_heads: int. Heads of each attention.
        model_dim: int. Features of a token.
        feed_forward_dim: int. Hidden units of the feed-forward networks.
        max_positions: int. Positions that are learned, the two marks among them.
        pooling: str. What the class is read from: the mark `cls` that stands before the text,
            through a dense layer, or the `mean` of all tokens.
        dropout: float. Share dropped of the embeddings, after every part and before the head.
        pretrained: str. A folder of weights to start from: `config.json`, `model.safetensors` and
            `vocab.txt` or `tokenizer.json`, as Hugging Face keeps them. It decides the sizes and
            the tokenizer.
        freeze: int or str. Blocks, from the first, that are not trained, nor are the embeddings
            then; `all` for the head alone.
        lora_rank: int. Rank of low-rank matrices that are trained alongside the attention's, which
            then stays as it is, as all but the head does.

    Returns:
        keras.Model. From `tokens` (batch, time) int32 to (batch, num_outputs): one logit a class.
    """
    sizes = (num_layers, num_heads, model_dim, feed_forward_dim)
    block, count = make_block(preset, sizes, dropout)
    texts = {"tokens": keras.Input((None,), dtype="int32", name="tokens")}
    marks = cls_token, sep_token
    encoded = encode_texts(texts, vocabulary_size, max_length, marks, block, count, max_positions)
    outputs = classify_texts(*encoded, num_outputs, pooling, dropout)
    return freeze_model(keras.Model(texts, outputs, name="bert"), freeze, count, lora_rank)


def build_pair_classifier(
    vocabulary_size: int,
    num_outputs: int,
    max_length: int,
    cls_token: int,
    sep_token: int,
    preset: Preset = "tiny",
    num_layers: Count | None = None,
    num_heads: Count | None = None,
    model_dim: Count | None = None,
    feed_forward_dim: Count | None = None,
    max_positions: Count = 512,
    pooling: Literal["cls", "mean", "compare"] | None = None,
    dropout: Rate = 0.1,
    pretrained: str | None = None,
    freeze: Blocks = 0,
    lora_rank: Count | None = None,
) -> keras.Model:
    """Build a network that reads two texts, one after the other, and classifies the pair.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        num_outputs: int. Classes.
        max_length: int. Tokens of each of the texts at most.
        cls_token: int. The token that is put before the first text.
        sep_token: int. The token that is put after each text.
        preset: str. What gives the sizes that are not set: `tiny`, `mini`, `small`, `medium`,
            `base` or `large`, as they were published.
        num_layers: int. Blocks.
        num_heads: int. Heads of each attention.
        model_dim: int. Features of a token.
        feed_forward_dim: int. Hidden units of the feed-forward networks.
        max_positions: int. Positions that are learned, the three marks among them.
        pooling: str. What the class is read from: the mark `cls` that stands before the texts,
            through a dense layer; the `mean` of all tokens; or `compare`, the means of the two
            texts, their difference and their product, through a dense layer. Not given, it is
            `cls` with pretrained weights, as published, and `compare` without.
        dropout: float. Share dropped of the embeddings, after every part and before the head.
        pretrained: str. A folder of weights to start from: `config.json`, `model.safetensors` and
            `vocab.txt` or `tokenizer.json`, as Hugging Face keeps them. It decides the sizes and
            the tokenizer.
        freeze: int or str. Blocks, from the first, that are not trained, nor are the embeddings
            then; `all` for the head alone.
        lora_rank: int. Rank of low-rank matrices that are trained alongside the attention's, which
            then stays as it is, as all but the head does.

    Returns:
        keras.Model. From `first` and `second` (batch, time) int32, of any two lengths, to
        (batch, num_outputs): one logit a class.
    """
    sizes = (num_layers, num_heads, model_dim, feed_forward_dim)
    block, count = make_block(preset, sizes, dropout)
    texts = {n: keras.Input((None,), dtype="int32", name=n) for n in ("first", "second")}
    marks = cls_token, sep_token
    encoded = encode_texts(texts, vocabulary_size, max_length, marks, block, count, max_positions)
    pooling = pooling or ("cls" if pretrained else "compare")
    outputs = classify_texts(*encoded, num_outputs, pooling, dropout)
    return freeze_model(keras.Model(texts, outputs, name="bert"), freeze, count, lora_rank)


def build_tagger(
    vocabulary_size: int,
    num_outputs: int,
    max_length: int,
    cls_token: int,
    sep_token: int,
    preset: Preset = "tiny",
    num_layers: Count | None = None,
    num_heads: Count | None = None,
    model_dim: Count | None = None,
    feed_forward_dim: Count | None = None,
    max_positions: Count = 512,
    dropout: Rate = 0.1,
    pretrained: str | None = None,
    freeze: Blocks = 0,
    lora_rank: Count | None = None,
) -> keras.Model:
    """Build a network that reads a text and tags each token.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        num_outputs: int. Tags.
        max_length: int. Tokens of a text at most.
        cls_token: int. The token that is put before a text.
        sep_token: int. The token that is put after a text.
        preset: str. What gives the sizes that are not set: `tiny`, `mini`, `small`, `medium`,
            `base` or `large`, as they were published.
        num_layers: int. Blocks.
        num_heads: int. Heads of each attention.
        model_dim: int. Features of a token.
        feed_forward_dim: int. Hidden units of the feed-forward networks.
        max_positions: int. Positions that are learned, the two marks among them.
        dropout: float. Share dropped of the embeddings, after every part and before the head.
        pretrained: str. A folder of weights to start from: `config.json`, `model.safetensors` and
            `vocab.txt` or `tokenizer.json`, as Hugging Face keeps them. It decides the sizes and
            the tokenizer.
        freeze: int or str. Blocks, from the first, that are not trained, nor are the embeddings
            then; `all` for the head alone.
        lora_rank: int. Rank of low-rank matrices that are trained alongside the attention's, which
            then stays as it is, as all but the head does.

    Returns:
        keras.Model. From `tokens` (batch, time) int32 to (batch, time, num_outputs): one logit a
        tag, also for padding.
    """
    sizes = (num_layers, num_heads, model_dim, feed_forward_dim)
    block, count = make_block(preset, sizes, dropout)
    texts = {"tokens": keras.Input((None,), dtype="int32", name="tokens")}
    marks = cls_token, sep_token
    x, _ = encode_texts(texts, vocabulary_size, max_length, marks, block, count, max_positions)
    x = make_dropout(dropout, "tokens_dropout")(x[:, 1:-1])  # (batch, time, model_dim)
    outputs = layers.Dense(num_outputs, dtype="float32", name="head")(x)
    return freeze_model(keras.Model(texts, outputs, name="bert"), freeze, count, lora_rank)


def build_question_answerer(
    vocabulary_size: int,
    max_length: int,
    max_question_length: int,
    cls_token: int,
    sep_token: int,
    preset: Preset = "tiny",
    num_layers: Count | None = None,
    num_heads: Count | None = None,
    model_dim: Count | None = None,
    feed_forward_dim: Count | None = None,
    max_positions: Count = 512,
    dropout: Rate = 0.1,
    pretrained: str | None = None,
    freeze: Blocks = 0,
    lora_rank: Count | None = None,
) -> keras.Model:
    """Build a network that reads a question and a context, and predicts where the answer is.

    Args:
        vocabulary_size: int. Tokens; 0 is padding.
        max_length: int. Tokens of a context at most.
        max_question_length: int. Tokens of a question at most.
        cls_token: int. The token that is put before the question.
        sep_token: int. The token that is put after each of the two.
        preset: str. What gives the sizes that are not set: `tiny`, `mini`, `small`, `medium`,
            `base` or `large`, as they were published.
        num_layers: int. Blocks.
        num_heads: int. Heads of each attention.
        model_dim: int. Features of a token.
        feed_forward_dim: int. Hidden units of the feed-forward networks.
        max_positions: int. Positions that are learned, the three marks among them.
        dropout: float. Share dropped of the embeddings, after every part and before the head.
        pretrained: str. A folder of weights to start from: `config.json`, `model.safetensors` and
            `vocab.txt` or `tokenizer.json`, as Hugging Face keeps them. It decides the sizes and
            the tokenizer.
        freeze: int or str. Blocks, from the first, that are not trained, nor are the embeddings
            then; `all` for the head alone.
        lora_rank: int. Rank of low-rank matrices that are trained alongside the attention's, which
            then stays as it is, as all but the head does.

    Returns:
        keras.Model. From `question` and `context` (batch, time) int32, of any two lengths, to
        (batch, 2, 1 + context time): logits of where the answer starts and ends, first that there
        is none, read from the mark before the question.
    """
    sizes = (num_layers, num_heads, model_dim, feed_forward_dim)
    block, count = make_block(preset, sizes, dropout)
    texts = {n: keras.Input((None,), dtype="int32", name=n) for n in ("question", "context")}
    most = {"max_question_tokens": max_question_length, "max_tokens": max_length}
    marks = cls_token, sep_token
    x, _ = encode_texts(texts, vocabulary_size, most, marks, block, count, max_positions)
    x = PickContext(trailing=1, name="picked")([x, texts["context"]])
    outputs = predict_spans(x, texts["context"], dropout)
    return freeze_model(keras.Model(texts, outputs, name="bert"), freeze, count, lora_rank)


TASKS = {
    "text_classification": build_text_classifier,
    "text_pair_classification": build_pair_classifier,
    "token_classification": build_tagger,
    "masked_language_modeling": build_masked_language_model,
    "question_answering": build_question_answerer,
}
