"""Whether a task holds together, found out before anything is trained for it."""

from typing import get_args

import numpy as np

from threefold.core.errors import UserError, suggest
from threefold.datasets.dataset import Source
from threefold.tasks.figure import plotters
from threefold.tasks.task import Setting, Task, TrainingLoop, task_names


def check_task(task: Task) -> None:
    """Refuse a task of whose declarations one cannot be.

    Args:
        task: Task. Bound to facts.

    Raises:
        UserError: naming what is wrong: a figure that nobody plots or that shows what the task
            does not answer, a setting, a training loop or another task that is not there.
    """
    for setting in task.settings:
        _require(task, "setting", setting, get_args(Setting))
    _require(task, "training_loop", task.training_loop, get_args(TrainingLoop))
    for other in (task.dataset_task, task.builder_task):
        if other is not None:
            _require(task, "other task", other, task_names())
    outputs = [field.name for field in task.output_fields()]
    figures = task.figures if task.prediction_figure is None else (
        *task.figures, task.prediction_figure
    )  # fmt: skip
    for figure in figures:
        module, _, function = figure.plotter.rpartition(".")
        if function not in plotters(module):
            raise UserError(
                f"task {task.name}: nobody plots '{figure.plotter}': no function {function} in "
                f"reporting/figures/{module}.py{suggest(function, plotters(module))}"
            )
        for name in figure.predictions:
            _require(task, f"{figure.plotter} shows the answer", name, outputs)


def check_examples(task: Task, source: Source) -> None:
    """Refuse a task that cannot take its data, or compares answers with what is not there.

    Args:
        task: Task. Bound to the facts of the data.
        source: Source. The training split; its first example is looked at.

    Raises:
        UserError: naming what is missing.
    """
    examples = source[np.zeros(1, np.int64)]
    try:
        truth = task.truth(examples)
        missing = [(figure, name) for figure in task.figures for name in figure.truth
                   if name not in truth]  # fmt: skip
    except KeyError as error:
        raise UserError(
            f"task {task.name} needs {error} of each example; the data have "
            f"{', '.join(map(repr, examples))}"
        ) from error
    for figure, name in missing:
        _require(task, f"{figure.plotter} shows the truth", name, truth)


def _require(task: Task, what: str, name: str, known) -> None:
    if name not in known:
        raise UserError(f"task {task.name}: {what} '{name}' is not there{suggest(name, known)}")
