"""A command of fit, resolved once: all that a fit needs, known as far as it can be without data."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, get_args

from threefold.core.errors import UserError
from threefold.core.options import check_options, options_of
from threefold.datasets import loading
from threefold.datasets.dataset import Dataset
from threefold.tasks.task import Setting, Task, find_task, task_names
from threefold.training.building import builder_for, find_blueprint, served_tasks
from threefold.training.pretrained import networks
from threefold.training.pretrained.word_vectors import measure_vectors
from threefold.training.run import Run, open_run
from threefold.training.settings import TrainingSettings, find_recipe


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
        settled: dict of str to Cell. What `settle` found, by the task.
    """

    command: Command
    blueprint: ModuleType
    task: str | None
    reference: str
    data_options: dict[str, Any]
    folder: str | None
    init: Run | None
    settled: dict[str, Cell] = field(default_factory=dict)

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
            it could be.
    """
    blueprint = find_blueprint(command.blueprint)
    if command.task is not None:
        builder_for(blueprint, find_task(command.task).name)
    task = command.task or _only_task(blueprint)
    reference = command.dataset or _default_data(blueprint, command.task)
    init = open_run(command.init) if command.init else None
    folder = command.options.get("pretrained") if hasattr(blueprint, "PRETRAINED") else None
    data_options = networks.share_tokenizer(reference, command.data_options, task, folder, init)
    plan = Plan(command, blueprint, task, reference, data_options, folder, init)
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


def _only_task(blueprint: ModuleType) -> str | None:
    """Return the task of a family for which data must be asked by name: they suggest another."""
    first = next(iter(blueprint.TASKS))
    return first if find_task(first).dataset_task else None


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
    }
    for name in get_args(Setting):
        if asked[name] and name not in task.settings:
            able = [other for other in task_names() if name in find_task(other).settings]
            flag = "augment mixup" if name == "mixup" else name.replace("_", "-")
            raise UserError(f"--{flag} is of no use to {task.name}; it is for {', '.join(able)}")
    if settings.loss is not None:
        task.require_loss(settings.loss)
