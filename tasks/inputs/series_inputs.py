"""What comes in: series of numbers. One half of a task."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from threefold.datasets.ragged import halve, pad, padded_length
from threefold.tasks.signature import Field
from threefold.tasks.task import Arrays, Task


class SeriesInputs(Task):
    """Series under the name `values`, the shorter of a batch filled up, and their `lengths`."""

    dynamic_axes = ("values",)

    def model_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        found = self._pack(examples, np.int32)
        length = padded_length(found["values"].shape[1], self.facts.max_length)
        missing = length - found["values"].shape[1]
        return {**found, "values": np.pad(found["values"], [(0, 0), (0, missing), (0, 0)])}

    def arguments(self) -> dict[str, Any]:
        channels = tuple((column.mean, column.scale) for column in self.facts.channels)
        return {"channels": channels}

    def input_fields(self) -> tuple[Field, ...]:
        names = ", ".join(column.name for column in self.facts.channels)
        return (
            Field(
                name="values",
                dtype="float32",
                shape=("batch", "time", len(self.facts.channels)),
                meaning=f"{names}; NaN where missing; the shorter filled up at the end",
            ),
            Field(
                name="lengths",
                dtype="int64",
                shape=("batch",),
                meaning="steps of each series that are not filled up",
            ),
        )

    def raw_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return self._pack(examples, np.int64)

    def resized_examples(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {**examples, "values": halve(examples["values"])}

    def preprocess_graph(self) -> tuple[Callable, list]:
        import tensorflow as tf

        return lambda raw: {**raw, "lengths": tf.cast(raw["lengths"], tf.int32)}, []

    def _pack(self, examples: Mapping[str, np.ndarray], dtype) -> Arrays:
        values = examples["values"]
        lengths = np.array([len(series) for series in values], dtype)
        return {"values": pad(values, max(1, *lengths), np.float32), "lengths": lengths}
