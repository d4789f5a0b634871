"""What comes in: series of numbers. One half of a task."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from threefold.datasets.ragged import fill_up, first_of, halve, pad, padded_length
from threefold.tasks.metrics.simple_methods import SimpleMethod
from threefold.tasks.signature import Field
from threefold.tasks.task import Arrays, Task

STRETCHED = 64  # steps of a series as the nearest one is found


class SeriesInputs(Task):
    """Series under the name `values`, the shorter of a batch filled up, and their `lengths`."""

    dynamic_axes = ("values",)

    def model_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        found = self._pack(examples, np.int32)
        length = padded_length(found["values"].shape[1], self.facts.max_length)
        missing = length - found["values"].shape[1]
        return {**found, "values": np.pad(found["values"], [(0, 0), (0, missing), (0, 0)])}

    def simple_methods(self) -> dict[str, SimpleMethod]:
        """Return what a network must beat: the nearest series, and a linear model of statistics."""
        return {
            "nearest series": SimpleMethod("nearest", _stretch),
            "linear, of statistics": SimpleMethod("linear", _statistics),
        }

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

    def probes(self, examples: Mapping[str, np.ndarray]) -> dict[str, Arrays]:
        values = examples["values"]
        empty = [np.full_like(series[:3], np.nan) for series in values]
        found = {
            "of another length": halve(values),
            "of one step": first_of(values),
            "of zeros": fill_up([np.zeros_like(series[:1]) for series in values], 3),
            "of missing numbers": fill_up(empty, 3),
        }
        return {name: {**examples, "values": array} for name, array in found.items()}

    def preprocess_graph(self) -> tuple[Callable, list]:
        import tensorflow as tf

        return lambda raw: {**raw, "lengths": tf.cast(raw["lengths"], tf.int32)}, []

    def _pack(self, examples: Mapping[str, np.ndarray], dtype) -> Arrays:
        values = examples["values"]
        lengths = np.array([len(series) for series in values], dtype)
        return {"values": pad(values, max(1, *lengths), np.float32), "lengths": lengths}


def _stretch(examples: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return series of one length, gaps filled between neighbours, as rows."""
    places, rows = np.linspace(0, 1, STRETCHED), []
    for series in examples["values"]:
        own = np.linspace(0, 1, len(series))
        rows.append([_interpolate(places, own, channel) for channel in np.asarray(series).T])
    return np.array(rows, np.float64).reshape(len(rows), -1)


def _interpolate(places: np.ndarray, own: np.ndarray, values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(places))
    return np.interp(places, own[known], values[known])


def _statistics(examples: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return of each channel where its values lie, and how they change from step to step."""
    rows = []
    for series in examples["values"]:
        row = [float(len(series))]
        for values in np.asarray(series, np.float64).T:
            values = values[np.isfinite(values)]
            values = values if len(values) else np.zeros(1)
            changes = np.diff(values) if len(values) > 1 else np.zeros(1)
            for part in (values, changes):
                row += [part.mean(), part.std(), *np.quantile(part, (0, 0.25, 0.5, 0.75, 1))]
            row += [np.abs(changes).mean(), np.mean(np.diff(np.sign(values - values.mean())) != 0)
                    if len(values) > 1 else 0.0]  # fmt: skip
        rows.append(row)
    return np.array(rows)
