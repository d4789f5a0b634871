"""A command of fit, resolved once: all that a fit needs, known as far as it can be without data."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, get_args

from threefold.core.errors import UserError
from threefold.core.options import check_options, options_of
from threefold.datasets import loading
from threefold.datasets.dataset import Dataset
from threefold.datasets.reader import readers
from threefold.datasets.series.series_columns import find_time
from threefold.datasets.tables.table_files import read_table
from threefold.tasks.task import Setting, Task, find_task, task_names
from threefold.training.building import (
    blueprint_names,
    builder_for,
    find_blueprint,
    served_tasks,
)
from threefold.training.data import load_dataset
from threefold.training.pretrained import networks
from threefold.training.pretrained.word_vectors import measure_vectors
from threefold.training.run import Run, open_run
from threefold.training.settings import TrainingSettings, find_recipe

FORECASTING = "forecasting"


@dataclass(frozen=True)
class Command:
    """What the user asked for."""

    blueprint: str | None
    task: str | None
    dataset: str | None
    data_options: dict[str, Any]
    options: dict[str, Any]
    settings: TrainingSettings
    run: str | None = None
    init: str | None = None


@dataclass(frozen=True)
class Cell:
    """A family for a task, with everything that was open filled in.

    Args:
        task: type of Task. What is learned.
        builder: function. Builds the family's model for it.
        options: dict of str to value. Of the builder, in full, checked.
        settings: TrainingSettings. In full.
        note: str. How long it is trained, and why; empty before the data are read.
    """

    task: type[Task]
    builder: Callable
    options: dict[str, Any]
    settings: TrainingSettings
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """A command whose names have been looked up.

    Args:
        command: Command. What was asked for.
        blueprint: module. The family.
        task: str. What data are loaded for; `None` where the data decide.
        reference: str. The data.
        data_options: dict. Of the data, unchecked.
        folder: str. Of pretrained weights to start from, or `None`.
        init: Run. To start from, or `None`.
        note: str. Why the task is the one it is, where that was guessed.
        settled: dict of str to Cell. What `settle` found, by the task.
    """

    command: Command
    blueprint: ModuleType
    task: str | None
    reference: str
    data_options: dict[str, Any]
    folder: str | None
    init: Run | None
    note: str = ""
    settled: dict[str, Cell] = field(default_factory=dict)

    def load(self) -> Dataset:
        """Load the data, for the task that was named or guessed.

        Raises:
            UserError: as from `load_dataset`; of a guess, with why it was made.
        """
        try:
            dataset = load_dataset(self.reference, self.data_options, task=self.task)
        except UserError as error:
            if not self.note:
                raise
            raise UserError(f"{error} ({self.note})") from error
        dataset.notes[:0] = [self.note] if self.note else []
        return dataset

    def settle(self, task: str) -> Cell:
        """Return the family's cell for a task, all options and settings checked and filled in.

        Args:
            task: str. One that the data can be for.

        Raises:
            UserError: for what the family does not serve, and options and settings that cannot be.
        """
        if task not in self.settled:
            self.settled[task] = self._settle(task)
        return self.settled[task]

    def settle_for(self, dataset: Dataset) -> Cell:
        """Return the cell for data that were read, trained as long as suits so many examples."""
        cell, command = self.settle(dataset.task), self.command
        duration = command.settings.choose_duration(
            self.blueprint,
            dataset.task,
            len(dataset.splits["train"]),
            fine_tuning=self.fine_tuning,
        )
        changes = {"epochs": duration.epochs, "batch_size": duration.batch_size, "steps": None}
        return replace(cell, settings=cell.settings.model_copy(update=changes), note=duration.note)

    @property
    def fine_tuning(self) -> bool:
        """Whether the model starts from weights that were trained before."""
        return bool(self.folder) or self.init is not None

    def _settle(self, task: str) -> Cell:
        builder, task_class = builder_for(self.blueprint, task), find_task(task)
        command, inherited = self.command, self._inherit()
        settings = command.settings.resolve(
            self.blueprint, task, task_class.augmentation, fine_tuning=self.fine_tuning
        )
        _require_usable(settings, task_class)
        known = options_of(builder)
        given = find_recipe(self.blueprint, settings.recipe)["options"]
        if foreign := given.keys() - known.keys():
            raise UserError(
                f"--recipe {settings.recipe} is not for {task}, whose model has no "
                f"-o {sorted(foreign)[0]}"
            )
        given = given | {name: value for name, value in inherited.items() if name in known}
        given |= command.options
        checked = check_options(known, given, flag="-o", owner=f"blueprint '{command.blueprint}'")
        if checked.get("embeddings"):
            checked.setdefault("embedding_dim", measure_vectors(checked["embeddings"]))
        options = {name: option.default for name, option in known.items()} | checked
        return Cell(task_class, builder, options, settings)

    def _inherit(self) -> dict[str, Any]:
        """Return the options that weights to start from decide."""
        if self.folder:
            return networks.read_options(self.blueprint, self.folder)
        return networks.options_of_run(self.init, self.command.blueprint)


def make_plan(command: Command) -> Plan:
    """Look up what a command names; refuse what can be refused before data are read.

    Args:
        command: Command. What the user asked for.

    Returns:
        Plan.

    Raises:
        UserError: for unknown names, and for options and settings that suit none of the tasks that
            it could be; and for a table without time stamps that a family could only forecast.
    """
    blueprint = find_blueprint(command.blueprint)
    if command.task is not None:
        builder_for(blueprint, find_task(command.task).name)
    reference = command.dataset or _default_data(blueprint, command.task)
    task = command.task or _only_task(blueprint, reference)
    note = _explain_forecasting(blueprint, reference, command.data_options) if task is None else ""
    task = FORECASTING if note else task
    init = open_run(command.init) if command.init else None
    folder = command.options.get("pretrained") if hasattr(blueprint, "PRETRAINED") else None
    data_options = networks.share_tokenizer(reference, command.data_options, task, folder, init)
    plan = Plan(command, blueprint, task, reference, data_options, folder, init, note)
    _require_possible(plan)
    return plan


def _default_data(blueprint: ModuleType, task: str | None) -> str:
    """Return the data that a family is fitted to where none are named."""
    own = next(iter(blueprint.TASKS)) if task is None else task
    if own not in blueprint.TASKS:  # built as another
        own = find_task(task).builder_task
    if own not in blueprint.DATASETS:
        name = blueprint.__name__.rpartition(".")[2]
        raise UserError(f"blueprint '{name}' has no data of its own for {own}; give --dataset")
    return blueprint.DATASETS[own]


def _only_task(blueprint: ModuleType, reference: str) -> str | None:
    """Return the task of a family for which data must be asked by name: they suggest another, or
    nothing.
    """
    first = next(iter(blueprint.TASKS))
    if find_task(first).dataset_task:
        return first
    alone = len(served_tasks(blueprint)) == 1
    return first if alone and loading.must_be_named(reference, first) else None


def _explain_forecasting(blueprint: ModuleType, reference: str, options: dict[str, Any]) -> str:
    """Return why a table is forecast though nobody said so; empty where the data decide.

    A file that looks like a labelled table may be one of series: of a family that serves these
    alone, nothing else can be meant.
    """
    served = served_tasks(blueprint)
    labeled = readers()[loading.LABELED_TABLES].tasks
    if FORECASTING not in served or set(labeled) & set(served):
        return ""
    if not loading.is_labeled_table(reference):
        return ""
    name, time = blueprint.__name__.rpartition(".")[2], options.get("time")
    if time is None:
        table = read_table(reference, encoding=options.get("encoding", "utf-8"))
        time = find_time(table)
    if time is None:
        others = ", ".join(task for task in served if task != FORECASTING)
        able = [other for other, (tasks, _) in blueprint_names().items() if set(labeled) & {*tasks}]
        raise UserError(
            f"blueprint '{name}' takes a table for --task {FORECASTING}, but {table.name} has no "
            f"column of dates; name that of time stamps with -d time=COLUMN, or give --task for "
            f"another of its tasks ({others}); {' and '.join(able)} would take its rows as they are"
        )
    return (
        f"taken for {FORECASTING}: '{time}' holds time stamps, and {name} serves no other task of "
        "such tables; --task names another"
    )


def _require_possible(plan: Plan) -> None:
    """Refuse what suits none of the tasks that it could be."""
    bundled, _ = loading.bundled().get(plan.reference, ((), ""))
    served = served_tasks(plan.blueprint)
    if plan.task is not None:
        possible = [plan.task]
    else:
        possible = [name for name in bundled[:1] if name in served] or served
    refused = []
    for task in possible:
        try:
            plan.settle(task)
            return
        except UserError as error:
            refused.append(error)
    raise refused[0]


def _require_usable(settings: TrainingSettings, task: type[Task]) -> None:
    """Refuse settings that a task cannot use."""
    asked = {
        "label_smoothing": settings.label_smoothing > 0,
        "class_weights": settings.class_weights != "none",
        "augment": bool(settings.augment),
        "mixup": "mixup" in (settings.augment or ()),
        "mosaic": "mosaic" in (settings.augment or ()),
    }
    for name in get_args(Setting):
        if asked[name] and name not in task.settings:
            able = [other for other in task_names() if name in find_task(other).settings]
            combining = name in ("mixup", "mosaic")
            flag = f"augment {name}" if combining else name.replace("_", "-")
            raise UserError(f"--{flag} is of no use to {task.name}; it is for {', '.join(able)}")
    if settings.loss is not None:
        task.require_loss(settings.loss)
