"""Answers for raw inputs, in the order in which they were given."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.raw_inputs import Inputs
from threefold.tasks.evaluation import PredictFn
from threefold.tasks.task import Arrays, Task

# From examples and the answers for them to their class activation maps, (batch, h, w).
ExplainFn = Callable[[Arrays, Arrays], np.ndarray]
BLANK = "blank"  # marks the record of a blank line until it has the fields of the others


@dataclass
class Predictions:
    """What a model answered.

    Args:
        records: list of dict. For each readable input its name under `input`, and its answer; for
            a blank line of standard input its name, and nothing in place of an answer.
        errors: list of UserError. One for each input that was skipped.
        remarks: list of str. What is to be said of the others.
        first_batch: tuple of task, examples and answers. The first batch, for tasks whose answers
            are looked at best in a figure; else `None`.
        images: list of array. Of each record the mask or image, of tasks that find such.
        activation_maps: list of array. Of each record the class activation map (h, w), from 0 to
            1, where it was asked for.
        levels: tuple of two floats. With such maps, what was read as 0 and 255 in images of more
            than 8 bits.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    errors: list[UserError] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    first_batch: tuple[Task, Arrays, Arrays] | None = None
    images: list[np.ndarray] = field(default_factory=list)
    activation_maps: list[np.ndarray] = field(default_factory=list)
    levels: tuple[float, float] | None = None


def predict(
    answer: PredictFn,
    task: Task,
    inputs: Iterable[Inputs],
    batch_size: int,
    explain: ExplainFn | None = None,
) -> Predictions:
    """Answer for inputs, `batch_size` at a time.

    Args:
        answer: PredictFn. The model.
        task: Task. Turns answers into records.
        inputs: iterable of Inputs. From `read_inputs`.
        batch_size: int. Examples in a batch.
        explain: ExplainFn. Finds class activation maps, where they are asked for.

    Returns:
        Predictions.
    """
    found = Predictions()
    for names, examples, errors, blank, remarks in inputs:
        predicted_rows, records = [], []
        for start in range(0, len(names), batch_size):
            batch = {name: array[start : start + batch_size] for name, array in examples.items()}
            predictions = task.answer_inputs(answer, batch, batch_size)
            if task.prediction_figure and found.first_batch is None:
                found.first_batch = (task, batch, predictions)
            predicted_rows.append(predictions)
            records += task.describe(predictions, batch)
            found.images += task.found_images(predictions)
            if explain is not None:
                found.activation_maps += list(explain(batch, predictions))
        if len(records) != len(names):
            raise ValueError(f"{len(records)} records for {len(names)} inputs")
        stated = task.select(predicted_rows, examples) if predicted_rows else []
        answers = [{"input": names[row]} | records[row] for row in stated]
        places = np.searchsorted(stated, [place for place, _ in blank])
        for place, (_, name) in reversed(list(zip(places, blank, strict=True))):
            answers.insert(place, {"input": name, BLANK: True})
        found.records += answers
        found.errors += errors
        found.remarks += remarks
    _fill_blank(found.records)
    return found


def _fill_blank(records: list[dict[str, Any]]) -> None:
    """Give the records of blank lines the fields of the others, without a value."""
    answered = next((record for record in records if BLANK not in record), {})
    fields = [name for name, value in answered.items() if not isinstance(value, Mapping)]
    for place, record in enumerate(records):
        if BLANK in record:
            records[place] = dict.fromkeys(fields) | {"input": record["input"]}
