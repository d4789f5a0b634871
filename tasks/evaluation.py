"""What an evaluation found: the metrics, and what is needed to draw them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from threefold.datasets.dataset import Source
from threefold.tasks.task import Arrays, Task


@dataclass(frozen=True)
class Evaluation:
    """Answers of one model on one split.

    Args:
        split: str. The split's name.
        task: Task. How the answers were judged.
        source: Source. The examples, to show some of them.
        answers: dict of str to array. Named answers, the batch first.
        truth: dict of str to array. What they were compared with.
        metrics: dict. Plain numbers, nested where a class or target has its own.
    """

    split: str
    task: Task
    source: Source
    answers: Arrays
    truth: Arrays
    metrics: dict[str, Any]


def evaluate(
    respond: Callable[[Arrays], np.ndarray],
    task: Task,
    source: Source,
    split: str,
    batch_size: int,
) -> Evaluation:
    """Judge a model on a split.

    Args:
        respond: function from named inputs to raw outputs, for `batch_size` examples at a time:
            the last batch is filled up, so that nothing is compiled for its odd size.
        task: Task. Makes inputs, turns outputs into answers, and judges them.
        source: Source. The examples.
        split: str. The split's name.
        batch_size: int. Examples in a batch.

    Returns:
        Evaluation.
    """
    answers, truth = [], []
    for start in range(0, len(source), batch_size):
        size = min(batch_size, len(source) - start)
        examples = source[np.arange(start, start + size)]
        outputs = respond(fill_batch(task.inputs(examples), batch_size))[:size]
        answers.append(task.answer(outputs))
        truth.append(task.truth(examples))
    joined, judged = _join(answers), _join(truth)
    return Evaluation(split, task, source, joined, judged, task.judge(joined, judged))


def fill_batch(inputs: Arrays, batch_size: int) -> Arrays:
    """Repeat the last example until the batch is full."""
    return {
        name: np.concatenate([array, np.repeat(array[-1:], batch_size - len(array), axis=0)])
        for name, array in inputs.items()
    }


def _join(batches: list[Arrays]) -> Arrays:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
