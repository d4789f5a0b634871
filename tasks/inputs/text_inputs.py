"""What comes in: texts as tokens. One half of a task."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from threefold.datasets.ragged import fill_up, first_of, halve, pad, padded_length
from threefold.datasets.texts.tokenizing import UNKNOWN, find_marks
from threefold.tasks.signature import Field
from threefold.tasks.task import Arrays, Task


class TextInputs(Task):
    """Documents under the name `tokens`, the shorter of a batch filled up with zeros."""

    # Inputs that are texts, each with what its second axis is called.
    texts: ClassVar[dict[str, str]] = {"tokens": "time"}
    dynamic_axes = ("tokens",)

    def max_length_of(self, name: str) -> int:
        """Return how many tokens an input has at most."""
        return self.facts.max_length

    def model_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        found = {}
        for name in self.texts:
            length = max(map(len, examples[name]), default=1)
            length = padded_length(length, self.max_length_of(name))
            found[name] = pad(examples[name], length, np.int32)
        return found

    def arguments(self) -> dict[str, Any]:
        first, last = find_marks(self.facts.tokenizer)
        return {
            "vocabulary_size": self.facts.vocabulary_size,
            "max_length": self.facts.max_length,
            "cls_token": first,
            "sep_token": last,
        }

    def input_fields(self) -> tuple[Field, ...]:
        return tuple(
            Field.index(
                name,
                ("batch", time),
                "ids from tokenizer.json, filled up with 0 at the end",
                self.facts.vocabulary_size,
            )
            for name, time in self.texts.items()
        )

    def raw_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {
            name: pad(examples[name], max(1, *map(len, examples[name])), np.int64)
            for name in self.texts
        }

    def probes(self, examples: Mapping[str, np.ndarray]) -> dict[str, Arrays]:
        def change(how: Callable[[str], np.ndarray]) -> Arrays:
            return {**examples, **{name: how(name) for name in self.texts}}

        return {
            "of another length": change(lambda name: halve(examples[name])),
            "of one token": change(lambda name: first_of(examples[name])),
            "of the most tokens": change(
                lambda name: fill_up(examples[name], self.max_length_of(name))
            ),
            "of unknown tokens": change(
                lambda name: fill_up([np.array([UNKNOWN]) for _ in examples[name]], 3)
            ),
        }

    def preprocess_graph(self) -> tuple[Callable, list]:
        import tensorflow as tf

        return lambda raw: {name: tf.cast(raw[name], tf.int32) for name in self.texts}, []
