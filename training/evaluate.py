"""Evaluating a run, and predicting with it: Keras runs the model."""

from collections.abc import Sequence
from typing import IO, Any

import keras
import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import Dataset
from threefold.tasks.evaluation import Evaluation, PredictFn, evaluate_splits, make_predict_fn
from threefold.tasks.generation import (
    GenerationConfig,
    batch_size,
    generate,
    require_inputs,
    require_maker,
    search,
    warn_of_long_prompt,
)
from threefold.tasks.prediction import ExplainFn, Predictions, predict
from threefold.tasks.task import Arrays, Task, find_task, task_names
from threefold.training.building import bind_task, rebuild_model
from threefold.training.data import load_splits, read_run_inputs
from threefold.training.inspection.activation_maps import make_activation_maps
from threefold.training.inspection.inception import load_inception
from threefold.training.inspection.views import average_views, choose_changes
from threefold.training.run import Run


def evaluate_model(
    model: keras.Model,
    task: Task,
    dataset: Dataset,
    splits: list[str],
    batch_size: int,
    changes: tuple[str, ...] = (),
) -> list[Evaluation]:
    """Evaluate a model on some splits of a dataset; `changes` as for `make_predictions`."""
    answer = make_predictions(model, task, batch_size, changes)
    found = evaluate_splits(answer, task, dataset.splits, splits, batch_size)
    for evaluation in found:
        evaluation.details.update(task.explain(model, evaluation.source))
    return found


def evaluate_run(
    run: Run,
    reference: str | None,
    data_options: dict[str, str],
    split: str | None,
    *,
    tta: bool = False,
    inception: str | None = None,
) -> list[Evaluation]:
    """Evaluate a run's best weights.

    Args:
        run: Run. The run.
        reference: str. Other data than the run's own, or `None`.
        data_options: dict of str to str. Options of the data, added to the run's for its own data.
        split: str. As for `load_splits`.
        tta: bool. Whether to answer by the mean over changed views of an image.
        inception: str. Weights of Keras's InceptionV3, by whose features to compare images too.

    Returns:
        list of Evaluation. One for each split.

    Raises:
        UserError: where the data do not fit the run, or have no such split; and from
            `choose_changes` and `load_inception`.
    """
    changes = choose_changes(run.record) if tta else ()
    compute_features = load_inception(run.record, inception) if inception else None
    facts = run.record.facts
    dataset, chosen = load_splits(run.record, facts, reference, data_options, split)
    model, task = rebuild_model(run)
    if compute_features is not None:
        task.compute_inception_features = compute_features
    size = run.record.settings.batch_size
    return evaluate_model(model, task, dataset, chosen, size, changes)


def predict_run(
    run: Run,
    given: Sequence[str],
    data_options: dict[str, str],
    stdin: IO[bytes],
    *,
    explain: bool = False,
    tta: bool = False,
) -> Predictions:
    """Answer for raw inputs with a run's best weights.

    Args:
        run: Run. The run.
        given: sequence of str. Files, folders, globs, or `-`.
        data_options: dict of str to str. How to read them, where not as the run's own data.
        stdin: binary stream. Standard input.
        explain: bool. Whether to find class activation maps, too.
        tta: bool. Whether to answer by the mean over changed views of an image.

    Returns:
        Predictions. In the order of the inputs.

    Raises:
        UserError: for a path that does not exist or an unknown option, and for a task whose answers
            class activation maps do not explain; and from `choose_changes`.
    """
    if explain:
        _require_activation_maps(run)
    changes = choose_changes(run.record) if tta else ()
    task = bind_task(run.record)
    require_inputs(task)
    facts = run.record.facts.raw() if task.keeps_sizes else run.record.facts
    inputs = read_run_inputs(run.record, facts, given, data_options, stdin)
    model, task = rebuild_model(run)
    batch_size = run.record.settings.batch_size
    answer = make_predictions(model, task, batch_size, changes)
    if not explain:
        return predict(answer, task, inputs, batch_size)
    found = predict(answer, task, inputs, batch_size, _make_explain_fn(model, task))
    found.levels = facts.levels
    return found


def _require_activation_maps(run: Run) -> None:
    if not find_task(run.record.task).activation_maps:
        able = [name for name in task_names() if find_task(name).activation_maps]
        raise UserError(
            f"--explain is for runs of {', '.join(able)}; {run.folder} is one of "
            f"{run.record.task}, whose answers class activation maps do not explain"
        )


def _make_explain_fn(model: keras.Model, task: Task) -> ExplainFn:
    activation_maps = make_activation_maps(model)

    def explain(examples: Arrays, predictions: Arrays) -> np.ndarray:
        image = task.model_inputs(examples)["image"]
        return activation_maps(image, task.explained_outputs(predictions))

    return explain


def generate_run(run: Run, config: GenerationConfig) -> list[dict[str, Any]]:
    """Let a run's best weights write texts or make images; see `tasks.generation.generate`."""
    require_maker(bind_task(run.record), config)
    model, task = rebuild_model(run)
    if config.searches:
        return search(model, task, config)
    if config.prompt:
        warn_of_long_prompt(model, task, config)
    return generate(make_predictions(model, task, batch_size(task, config)), task, config)


def make_predictions(
    model: keras.Model, task: Task, batch_size: int, changes: tuple[str, ...] = ()
) -> PredictFn:
    """Return a model as evaluation and prediction see it; with `changes` of images, the mean over
    views that are changed so.
    """
    respond = task.predict_fn(model)
    respond = average_views(respond, changes) if changes else respond
    return make_predict_fn(respond, task, batch_size)
