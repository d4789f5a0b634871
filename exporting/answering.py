"""Evaluating an artifact, and predicting with it: its own runtime runs the model, without Keras."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from threefold.core.errors import UserError
from threefold.datasets.loading import bundled, is_of_library
from threefold.exporting.artifact import Artifact
from threefold.exporting.runtime import load_runtime
from threefold.tasks.evaluation import Evaluation, PredictFn, evaluate_splits
from threefold.tasks.generation import (
    GenerationConfig,
    generate,
    require_inputs,
    require_maker,
)
from threefold.tasks.prediction import Predictions, predict
from threefold.tasks.task import Task
from threefold.training.building import bind_part
from threefold.training.data import load_splits, read_run_inputs


def evaluate_artifact(
    artifact: Artifact, reference: str | None, data_options: dict[str, str], split: str | None
) -> list[Evaluation]:
    """Evaluate an artifact; arguments and errors are those of `training.evaluate.evaluate_run`."""
    record = artifact.record.run
    if reference is None:
        _require_place(record.dataset.reference)
    dataset, chosen = load_splits(record, record.facts.raw(), reference, data_options, split)
    if reference is None and dataset.fingerprint != record.dataset.fingerprint:
        raise UserError(
            f"'{dataset.reference}' is not what the artifact was trained on: --dataset says where "
            "that is, or which other data to evaluate"
        )
    answer, task = _make_predict_fn(artifact)
    return evaluate_splits(answer, task, dataset.splits, chosen, record.settings.batch_size)


def _require_place(name: str) -> None:
    """Refuse a name that no file here has: an artifact does not say where its data were."""
    if name not in bundled() and not is_of_library(name) and not Path(name).exists():
        raise UserError(f"an artifact keeps the name of its data, '{name}': --dataset says where")


def predict_artifact(
    artifact: Artifact, given: Sequence[str], data_options: dict[str, str], stdin: IO[bytes]
) -> Predictions:
    """Answer for raw inputs; arguments and errors are those of `training.evaluate.predict_run`."""
    record = artifact.record.run
    require_inputs(bind_part(record, artifact.record.part))
    inputs = read_run_inputs(record, record.facts.raw(), given, data_options, stdin)
    answer, task = _make_predict_fn(artifact)
    return predict(answer, task, inputs, record.settings.batch_size)


def generate_artifact(artifact: Artifact, config: GenerationConfig) -> list[dict[str, Any]]:
    """Let an artifact write texts or make images; see `tasks.generation.generate`."""
    if config.searches:
        raise UserError(
            "an artifact samples its texts, or with --temperature 0 writes the likeliest tokens; "
            "ask the run for --beams or --penalty-alpha"
        )
    answer, task = _make_predict_fn(artifact)
    require_maker(task, config)
    return generate(answer, task, config)


def _make_predict_fn(artifact: Artifact) -> tuple[PredictFn, Task]:
    task = bind_part(artifact.record.run, artifact.record.part)
    run = load_runtime(artifact.model, artifact.record.format, artifact.record.signature)
    return (lambda examples: run(task.raw_inputs(examples))), task
