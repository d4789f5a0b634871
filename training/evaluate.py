"""Judging a run, and asking it: Keras runs the model."""

from collections.abc import Callable, Sequence
from typing import IO

import keras
import numpy as np

from threefold.datasets import loading
from threefold.datasets.dataset import Dataset, Joined
from threefold.datasets.errors import UserError, suggest
from threefold.datasets.inputs import read_inputs
from threefold.datasets.options import check_options, options_of
from threefold.tasks.evaluation import Evaluation, evaluate
from threefold.tasks.prediction import Predictions, predict
from threefold.tasks.task import Arrays, Task
from threefold.training.building import rebuild_model
from threefold.training.run import Run


def evaluate_model(
    model: keras.Model, task: Task, dataset: Dataset, splits: list[str], batch_size: int
) -> list[Evaluation]:
    """Judge a model on some splits of a dataset."""
    respond = _responder(model)
    return [evaluate(respond, task, dataset.splits[split], split, batch_size) for split in splits]


def evaluate_run(
    run: Run, reference: str | None, data_options: dict[str, str], split: str | None
) -> list[Evaluation]:
    """Judge a run's best weights.

    Args:
        run: Run. The run.
        reference: str. Other data than the run's own, or `None`.
        data_options: dict of str to str. Options of the data, added to the run's for its own data.
        split: str. One split, `all` for each of them, or `None` for those that were not trained
            on; of other data than the run's, that is all of it, judged as one.

    Returns:
        list of Evaluation. One for each split.

    Raises:
        UserError: where the data do not fit the run, or have no such split.
    """
    record = run.record
    own = reference is None or reference == record.dataset.reference
    dataset = loading.load(
        record.dataset.reference if own else reference,
        (record.dataset.options if own else {}) | data_options,
        task=record.task,
        facts=record.facts,
    )
    model, task = rebuild_model(run)
    names = list(dataset.splits)
    if split is None and not own:
        dataset.splits["all"] = Joined(list(dataset.splits.values()))
        chosen = ["all"]
    elif split is None:
        chosen = [name for name in names if name != "train"]
    elif split == "all":
        chosen = names
    elif split in names:
        chosen = [split]
    else:
        raise UserError(f"{dataset.reference} has no split '{split}'{suggest(split, names)}")
    return evaluate_model(model, task, dataset, chosen, record.settings.batch_size)


def predict_run(
    run: Run, given: Sequence[str], data_options: dict[str, str], stdin: IO[bytes]
) -> Predictions:
    """Answer for raw inputs with a run's best weights.

    Args:
        run: Run. The run.
        given: sequence of str. Files, folders, globs, or `-`.
        data_options: dict of str to str. How to read them, where not as the run's own data.
        stdin: binary stream. Standard input.

    Returns:
        Predictions. In the order of the inputs.

    Raises:
        UserError: for a path that does not exist or an unknown option.
    """
    record, known = run.record, options_of(read_inputs)
    reading = {name: value for name, value in record.dataset.options.items() if name in known}
    reading = check_options(known, reading | data_options, flag="-d", owner="predict")
    batch_size = record.settings.batch_size
    inputs = read_inputs(given, record.facts, stdin, batch_size, **reading)
    model, task = rebuild_model(run)
    return predict(_responder(model), task, inputs, batch_size)


def _responder(model: keras.Model) -> Callable[[Arrays], np.ndarray]:
    def respond(inputs: Arrays) -> np.ndarray:
        return np.asarray(model.predict_on_batch(inputs))

    return respond
