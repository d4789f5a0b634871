"""What comes in: texts as tokens. One half of a task."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from threefold.datasets.ragged import halve, pad, padded_length
from threefold.datasets.tokenizing import find_marks
from threefold.tasks.signature import Field
from threefold.tasks.task import Arrays, Task


class TextFeatures(Task):
    """Documents under the name `tokens`, the shorter of a batch filled up with zeros."""

    free = ("tokens",)

    def inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        tokens = examples["tokens"]
        length = max(map(len, tokens), default=1)
        return {"tokens": pad(tokens, padded_length(length, self.facts.longest), np.int32)}

    def arguments(self) -> dict[str, Any]:
        first, last = find_marks(self.facts.tokenizer)
        return {
            "vocabulary_size": self.facts.vocabulary_size,
            "longest": self.facts.longest,
            "cls_token": first,
            "sep_token": last,
        }

    def input_fields(self) -> tuple[Field, ...]:
        return (
            Field(
                name="tokens",
                dtype="int64",
                shape=("batch", "time"),
                meaning="ids from tokenizer.json, filled up with 0 at the end",
                range=(0, self.facts.vocabulary_size - 1),
            ),
        )

    def raw(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        tokens = examples["tokens"]
        return {"tokens": pad(tokens, max(1, *map(len, tokens)), np.int64)}

    def vary(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {**examples, "tokens": halve(examples["tokens"])}

    def entrance(self) -> tuple[Callable, list]:
        import tensorflow as tf

        return lambda raw: {"tokens": tf.cast(raw["tokens"], tf.int32)}, []
