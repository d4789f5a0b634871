"""One fit, from names to an evaluated run: start, resume, repeat."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from threefold.blueprints.parts.backbones import read_architecture
from threefold.core.errors import UserError
from threefold.core.locks import hold_lock
from threefold.datasets.dataset import Dataset
from threefold.tasks.checks import check_examples
from threefold.tasks.evaluation import Evaluation
from threefold.training.backend import device_name, seed_everything
from threefold.training.building import (
    bind_task,
    build_model,
    build_network,
    load_matching_weights,
    without_preset,
)
from threefold.training.callbacks import Display, Progress
from threefold.training.data import load_run_dataset, require_same_data
from threefold.training.evaluate import evaluate_model
from threefold.training.inspection.memory import explain_full_memory
from threefold.training.loop import check_settings, train
from threefold.training.plan import Command, make_plan
from threefold.training.pretrained import networks
from threefold.training.pretrained.word_vectors import load_vectors
from threefold.training.run import DatasetRecord, Run, RunRecord, create_run, open_run

PACKAGES = ("threefold", "keras", "tensorflow", "jax", "torch", "numpy")


@dataclass(frozen=True)
class Fitted:
    """A finished run, evaluated with its best weights.

    Args:
        run: Run. The run.
        progress: Progress. Where it stands.
        evaluations: list of Evaluation. One for each split that was not trained on.
        calibrated: str. What the task said of calibrating the model; None for most.
    """

    run: Run
    progress: Progress
    evaluations: list[Evaluation]
    calibrated: str | None = None


# Told what will be trained, once it is known; answers with the display to train under.
Announce = Callable[[Run, Dataset, Any], Display]


def start(command: Command, announce: Announce) -> Fitted:
    """Fit a new model in a new run folder.

    Args:
        command: Command. What the user asked for.
        announce: function of run, dataset and model. Shows them; returns the display.

    Returns:
        Fitted.

    Raises:
        UserError: for anything in the command that cannot be.
    """
    plan = make_plan(command)
    dataset = plan.load()
    cell = plan.settle_for(dataset)
    record = RunRecord(
        blueprint=command.blueprint,
        task=dataset.task,
        options=cell.options,
        settings=cell.settings,
        dataset=_describe(dataset, plan.data_options),
        facts=dataset.facts,
        **_environment_info(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        init=command.init,
    )
    task = bind_task(record)
    check_examples(task, dataset.splits["train"])
    settings = cell.settings.model_copy(update={"loss": task.loss})
    record = record.model_copy(update={"settings": settings})
    seed_everything(settings.seed)
    dataset.notes.append(cell.note)
    options = without_preset(cell.options, plan.init.record) if plan.init else cell.options
    model = build_network(cell.builder, task, options, settings.precision)
    record = record.model_copy(update={"backbone": read_architecture(model)})
    if vectors := cell.options.get("embeddings"):
        dataset.notes.append(load_vectors(model, vectors, dataset.facts.tokenizer))
    if plan.folder:
        dataset.notes.append(networks.load_weights(plan.blueprint, model, plan.folder))
    if plan.init is not None:
        load_matching_weights(model, plan.init)
    check_settings(model, task, settings)
    run = create_run(record, command.run)
    run.write_files(dataset.files)
    return _train(model, task, dataset, run, announce, resume=False)


def resume(folder: str, epochs: int | None, announce: Announce) -> Fitted:
    """Go on with a run that was cut, on this process's backend.

    Args:
        folder: str. The run.
        epochs: int. A new number of epochs in all, or `None` for the run's own.
        announce: function of run, dataset and model. Shows them; returns the display.

    Returns:
        Fitted. Ended with the same bits as if it had never been cut, on the same backend.

    Raises:
        UserError: where the data are not those of the run.
    """
    run = open_run(folder)
    changes: dict[str, Any] = _environment_info()
    if epochs is not None:
        changes["settings"] = run.record.settings.model_copy(update={"epochs": epochs})
    record = run.record = run.record.model_copy(update=changes)
    dataset = load_run_dataset(record, record.facts)
    require_same_data(run, dataset, "; put it back, or start a new fit with --init")
    task = bind_task(record)
    seed_everything(record.settings.seed)
    options = without_preset(record.options, record)
    model, _ = build_model(record.blueprint, task, options, record.settings.precision)
    return _train(model, task, dataset, run, announce, resume=True)


def repeat(folder: str, changes: Command) -> Command:
    """Return the command that made a run, with some things changed.

    Args:
        folder: str. The run.
        changes: Command. What it holds rules; the rest is the run's.

    Returns:
        Command.
    """
    record = open_run(folder).record
    if changes.settings.recipe not in (None, record.settings.recipe):
        raise UserError("--again repeats a run by its own recipe; start a new fit for another")
    changed = {name: getattr(changes.settings, name) for name in changes.settings.model_fields_set}
    if "steps" in changed:
        changed = {"epochs": None} | changed
    return Command(
        blueprint=record.blueprint,
        task=changes.task or record.task,
        dataset=changes.dataset or record.dataset.reference,
        data_options=(record.dataset.options if changes.dataset is None else {})
        | changes.data_options,
        options=record.options | changes.options,
        settings=record.settings.model_copy(update=changed),
        run=changes.run,
        init=changes.init or record.init,
    )


def _train(model, task, dataset, run, announce, *, resume: bool) -> Fitted:
    from threefold.training import state
    from threefold.training.checkpoints import load_checkpoint, save_checkpoint

    with _locked(run), explain_full_memory(run):
        if resume:
            run.write_record()
        with announce(run, dataset, model) as display:
            progress = train(model, task, dataset, run, display, resume=resume)
        arrays, content = load_checkpoint(run.checkpoints, "best")
        state.restore_weights(model, arrays)
        batch_size = run.record.settings.batch_size
        # Only of the best weights: the state, with which a training goes on, is left as trained.
        calibrated = task.calibrate(model, dataset.splits, batch_size)
        if calibrated is not None:
            save_checkpoint(run.checkpoints, "best", state.read_weights(model), content)
        splits = [name for name in ("validation", "test") if name in dataset.splits]
        evaluations = evaluate_model(model, task, dataset, splits, batch_size)
        run.write_metrics({found.split: found.metrics for found in evaluations})
    return Fitted(run, progress, evaluations, calibrated)


@contextlib.contextmanager
def _locked(run: Run) -> Iterator[None]:
    """Keep a second process from writing to the same run; the lock goes with the process."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(run.lock, patience=0.5))
        except BlockingIOError:
            raise UserError(f"{run.folder} is being fitted by another process") from None
        yield


def _describe(dataset: Dataset, options: dict[str, Any]) -> DatasetRecord:
    return DatasetRecord(
        reference=dataset.reference,
        options=options,
        fingerprint=dataset.fingerprint,
        sizes={name: len(source) for name, source in dataset.splits.items()},
        notes=dataset.notes,
    )


def _environment_info() -> dict[str, Any]:
    """Return what a run's record says of the process that fits it."""
    import keras

    versions = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return {"backend": keras.config.backend(), "device": device_name(), "versions": versions}
