"""What comes in: two texts as tokens. One half of a task."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from threefold.datasets.ragged import halve, pad, padded_length
from threefold.datasets.tokenizing import find_marks
from threefold.tasks.signature import Field
from threefold.tasks.task import Arrays, Task

SIDES = ("first", "second")


class TextPairFeatures(Task):
    """Two texts under the names `first` and `second`, the shorter of a batch filled with zeros."""

    free = SIDES

    def inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        found = {}
        for name in SIDES:
            length = max(map(len, examples[name]), default=1)
            length = padded_length(length, self.facts.longest)
            found[name] = pad(examples[name], length, np.int32)
        return found

    def arguments(self) -> dict[str, Any]:
        first, last = find_marks(self.facts.tokenizer)
        return {
            "vocabulary_size": self.facts.vocabulary_size,
            "longest": self.facts.longest,
            "cls_token": first,
            "sep_token": last,
        }

    def input_fields(self) -> tuple[Field, ...]:
        return tuple(
            Field(
                name=name,
                dtype="int64",
                shape=("batch", f"{name}_time"),
                meaning=f"ids from tokenizer.json of the {name} text, filled up with 0 at the end",
                range=(0, self.facts.vocabulary_size - 1),
            )
            for name in SIDES
        )

    def raw(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {
            name: pad(examples[name], max(1, *map(len, examples[name])), np.int64) for name in SIDES
        }

    def vary(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {**examples, **{name: halve(examples[name]) for name in SIDES}}

    def entrance(self) -> tuple[Callable, list]:
        import tensorflow as tf

        return lambda raw: {name: tf.cast(raw[name], tf.int32) for name in SIDES}, []
