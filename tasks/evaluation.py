"""What an evaluation found: the metrics, and what is needed to plot them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from threefold.datasets.dataset import Source
from threefold.tasks.task import Arrays, Task

# A model as evaluation and prediction see it: from examples to named answers.
PredictFn = Callable[[Arrays], Arrays]


@dataclass(frozen=True)
class Evaluation:
    """Answers of one model on one split.

    Args:
        split: str. The split's name.
        task: Task. How the answers were evaluated.
        source: Source. The examples, to show some of them.
        predictions: dict of str to array. Named answers, the batch first.
        truth: dict of str to array. What they were compared with.
        metrics: dict. Plain numbers, nested where a class or target has its own.
        details: dict of str to array. What images show alongside the answers; empty for artifacts.
    """

    split: str
    task: Task
    source: Source
    predictions: Arrays
    truth: Arrays
    metrics: dict[str, Any]
    details: Arrays = field(default_factory=dict)


def evaluate_splits(
    answer: PredictFn, task: Task, splits: Mapping[str, Source], chosen: list[str], batch_size: int
) -> list[Evaluation]:
    """Evaluate a model on some splits, alongside the baselines that its task knows.

    Args:
        answer: PredictFn. The model.
        task: Task. Judges the answers.
        splits: mapping of str to Source. All that the data have.
        chosen: list of str. Those to evaluate.
        batch_size: int. Examples in a batch.

    Returns:
        list of Evaluation. Baselines are among its metrics where the data have what they learn
        from, the split `train`, and it is not evaluated itself.
    """
    fit_evaluator_on_training_split(task, splits)
    known = "train" in splits and not {"train", "all"} & set(chosen)
    baselines = task.baselines(splits["train"]) if known else {}
    sources = {name: task.choose_evaluated(splits, name) for name in chosen}
    found = [evaluate(answer, task, sources[name], name, batch_size) for name in chosen]
    for evaluation in found:
        # Of a split that is evaluated by more than its own, a baseline knows some.
        fair = evaluation.source is splits[evaluation.split]
        beside = {
            name: compute_baseline_metrics(evaluation.source)
            for name, compute_baseline_metrics in baselines.items()
            if fair
        }
        if beside:
            evaluation.metrics["baselines"] = beside
    return found


def fit_evaluator_on_training_split(task: Task, splits: Mapping[str, Source]) -> None:
    """Let a task learn what evaluating takes, from what data there are if none are for training."""
    task.fit_evaluator(splits.get("train", next(iter(splits.values()))))


def evaluate(
    answer: PredictFn, task: Task, source: Source, split: str, batch_size: int
) -> Evaluation:
    """Evaluate a model on a split.

    Args:
        answer: PredictFn. The model.
        task: Task. Judges the answers.
        source: Source. The examples.
        split: str. The split's name.
        batch_size: int. Examples in a batch.

    Returns:
        Evaluation.
    """
    predictions, truth = [], []
    for start in range(0, len(source), batch_size):
        size = min(batch_size, len(source) - start)
        examples = source[np.arange(start, start + size)]
        predictions.append(answer(examples))
        truth.append(task.truth(examples))
    joined, truth_found = join_batches(predictions), join_batches(truth)
    return Evaluation(
        split, task, source, joined, truth_found, task.compute_metrics(joined, truth_found)
    )


def make_predict_fn(
    respond: Callable[[Arrays], np.ndarray | Arrays], task: Task, batch_size: int
) -> PredictFn:
    """Return the make_predict_fn that a Keras model is.

    Args:
        respond: function from named inputs to raw outputs, always for `batch_size` examples: a
            smaller batch is filled up, so that nothing is compiled for its odd size.
        task: Task. Makes inputs, and turns outputs into answers.
        batch_size: int. Examples in a batch.

    Returns:
        PredictFn. For batches of at most `batch_size` examples.
    """

    def answer(examples: Arrays) -> Arrays:
        inputs = task.inference_inputs(examples)
        size = len(next(iter(inputs.values())))
        outputs = respond(fill_batch(inputs, batch_size))
        if isinstance(outputs, dict):
            return task.postprocess({name: array[:size] for name, array in outputs.items()})
        return task.postprocess(outputs[:size])

    return answer


def fill_batch(inputs: Arrays, batch_size: int) -> Arrays:
    """Repeat the last example until the batch is full."""
    return {
        name: np.concatenate([array, np.repeat(array[-1:], batch_size - len(array), axis=0)])
        for name, array in inputs.items()
    }


def join_batches(batches: list[Arrays]) -> Arrays:
    """Put batches of named arrays one after the other, the shorter filled up with zeros."""
    return {name: _join([batch[name] for batch in batches]) for name in batches[0]}


def _join(arrays: list[np.ndarray]) -> np.ndarray:
    max_length = max((array.shape[1] for array in arrays if array.ndim > 1), default=0)
    if all(array.ndim < 2 or array.shape[1] == max_length for array in arrays):
        return np.concatenate(arrays)
    missing = [[(0, 0), (0, max_length - a.shape[1])] + [(0, 0)] * (a.ndim - 2) for a in arrays]
    return np.concatenate([np.pad(a, width) for a, width in zip(arrays, missing, strict=True)])
