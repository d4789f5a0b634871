"""What comes in: rows of tables. One half of a task."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from threefold.datasets.facts import DateColumn, NumericColumn
from threefold.tasks import graph
from threefold.tasks.metrics.simple_methods import SimpleMethod, one_hot
from threefold.tasks.signature import Field, plain_names
from threefold.tasks.task import Arrays, Task

_WIDE = "; float64, for float32 would make differing ones alike"
UNSEEN = -1  # the id of a word that training had not, to probe an exported model with
NO_WORD = "\u2042 no such word"  # for it
FIRST_AND_LAST_DAY = ((-719_162,), (2_932_896,))  # 0001-01-01 and 9999-12-31, from 1970 on
EXTREMES = (-1e30, 1e30)  # whose squares are beyond float32, as are those of all that follow
MOST_MISSING = 256  # columns that are missing one by one
KINDS = ("numeric", "dates", "categorical")


def _statistics(column: NumericColumn | DateColumn) -> tuple[float, float, tuple[float, ...]]:
    """Return mean, scale and quantiles of what the network gets of a column."""
    knots = tuple(knot - column.offset for knot in column.knots)
    return column.mean - column.offset, column.scale, knots


def _dtype(kind: str, column: Any) -> Literal["string", "float32", "float64"]:
    """Return the type of a column of an exported model, wide enough to tell its cells apart."""
    if kind == "categorical":
        return "string"
    return "float64" if column.offset else "float32"


def _missing_like(kind: str, cells: np.ndarray) -> np.ndarray:
    return np.zeros_like(cells) if kind == "categorical" else np.full_like(cells, np.nan)


class TableInputs(Task):
    """Columns packed by kind: `numeric`, `dates` and `categorical`, those that the table has."""

    def model_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        return {kind: self._centre(kind, examples[kind]) for kind in KINDS if self._facts_of(kind)}

    def simple_methods(self) -> dict[str, SimpleMethod]:
        """Return what a network must beat: a linear model, and gradient boosting."""
        return {
            "linear": SimpleMethod("linear", self._indicators),
            "gradient boosting": SimpleMethod("boosting", self._numbers),
        }

    def _numbers(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return all columns as numbers, words by how common they are."""
        kinds = [kind for kind in KINDS if getattr(self.facts, kind)]
        return np.concatenate([examples[kind].astype(np.float64) for kind in kinds], axis=1)

    def _indicators(self, examples: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return numbers and dates as they are, and for each common word an indicator."""
        kinds = [kind for kind in KINDS[:2] if getattr(self.facts, kind)]
        parts = [examples[kind].astype(np.float64) for kind in kinds]
        if self.facts.categorical:
            counts = tuple(len(column.vocabulary) + 1 for column in self.facts.categorical)
            parts.append(one_hot(examples["categorical"], counts))
        return np.concatenate(parts, axis=1)

    def arguments(self) -> dict[str, Any]:
        facts = self.facts
        return {
            "numeric": tuple(map(_statistics, facts.numeric)),
            "dates": tuple(map(_statistics, facts.dates)),
            "category_counts": tuple(len(column.vocabulary) + 1 for column in facts.categorical),
        }

    def input_fields(self) -> tuple[Field, ...]:
        meanings = {
            "numeric": "number; NaN where missing",
            "dates": "days since 1970-01-01 00:00 UTC; NaN where missing",
            "categorical": "one of the words; any other, and the empty one, counts as unknown",
        }
        return tuple(
            Field(
                name=name,
                dtype=_dtype(kind, column),
                shape=("batch",),
                meaning=meanings[kind] + (_WIDE if getattr(column, "offset", 0) else ""),
                column=column.name,
                words=column.vocabulary if kind == "categorical" else None,
            )
            for kind, name, column in self._columns()
        )

    def raw_inputs(self, examples: Mapping[str, np.ndarray]) -> Arrays:
        found = {}
        for kind in KINDS:
            columns = [(name, column) for k, name, column in self._columns() if k == kind]
            for position, (name, column) in enumerate(columns):
                cells = examples[kind][:, position]
                if kind == "categorical":
                    # What stands last is the word of `UNSEEN`.
                    cells = np.array(["", *column.vocabulary, NO_WORD])[cells]
                else:
                    cells = cells.astype(_dtype(kind, column))
                found[name] = cells
        return found

    def probes(self, examples: Mapping[str, np.ndarray]) -> dict[str, Arrays]:
        there = {kind: examples[kind] for kind in KINDS if self._facts_of(kind)}
        missing = {kind: _missing_like(kind, cells) for kind, cells in there.items()}
        found = {"with every column missing": missing, "with one column missing": {}}
        columns = [(kind, i) for kind, cells in there.items() for i in range(cells.shape[1])]
        columns = columns[:MOST_MISSING]
        for kind, cells in there.items():
            rows = np.resize(cells, (len(columns), cells.shape[1]))
            for row, (missed, column) in enumerate(columns):
                if missed == kind:
                    rows[row, column] = missing[kind][0, column]
            found["with one column missing"][kind] = rows
        for name, values in (("of zeros", (0.0, 0.0)), ("of extreme numbers", EXTREMES)):
            numbers = {
                kind: np.zeros_like(cells) + np.resize(values, (len(cells), 1)).astype(cells.dtype)
                for kind, cells in there.items()
                if kind != "categorical"
            }
            if numbers:
                found[name] = there | numbers
        if "dates" in there:
            days = np.resize(FIRST_AND_LAST_DAY, (len(there["dates"]), 1))
            dates = np.zeros_like(there["dates"]) + days.astype(there["dates"].dtype)
            found["of the earliest and latest dates"] = there | {"dates": dates}
        if "categorical" in there:
            unseen = np.full_like(there["categorical"], UNSEEN)
            found["with words never seen"] = there | {"categorical": unseen}
        return found

    def preprocess_graph(self) -> tuple[Callable, list]:
        import tensorflow as tf

        columns = {kind: [(n, c) for k, n, c in self._columns() if k == kind] for kind in KINDS}
        tables = [graph.word_table(column.vocabulary) for column in self.facts.categorical]

        def enter(raw):
            packed = {}
            for kind in ("numeric", "dates"):
                if columns[kind]:
                    numbers = [
                        tf.cast(raw[name] - column.offset, tf.float32)
                        if column.offset
                        else raw[name]
                        for name, column in columns[kind]
                    ]
                    packed[kind] = tf.stack(numbers, axis=1)
            if tables:
                words = zip(columns["categorical"], tables, strict=True)
                ids = [table.lookup(raw[name]) for (name, _), table in words]
                # The shape is said: tf2onnx knows none after a table, and counted across rows.
                ids = tf.reshape(tf.stack(ids, axis=1), (-1, len(ids)))
                packed["categorical"] = tf.cast(ids, tf.int32)
            return packed

        return enter, tables

    def _facts_of(self, kind: str) -> tuple[Any, ...]:
        return getattr(self.facts, kind)

    def _centre(self, kind: str, cells: np.ndarray) -> np.ndarray:
        """Return cells as the network takes them: what float32 cannot tell apart less its mean."""
        if kind == "categorical":
            return np.maximum(cells, 0)  # `UNSEEN`
        offsets = np.array([column.offset for column in self._facts_of(kind)])
        return (cells - offsets if offsets.any() else cells).astype(np.float32)

    def _columns(self) -> list[tuple[str, str, Any]]:
        """Return of every column its kind, its name in an exported model, and its facts."""
        found = [(kind, column) for kind in KINDS for column in getattr(self.facts, kind)]
        taken = [field.name for field in self.output_fields()]
        names = plain_names([column.name for _, column in found], taken)
        return [(kind, name, column) for (kind, column), name in zip(found, names, strict=True)]
