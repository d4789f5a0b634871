"""From names and options to a model, and from a run back to one."""

import ast
import importlib
import inspect
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from threefold.core.errors import UserError, suggest
from threefold.core.options import check_options, options_of
from threefold.tasks.checks import check_task
from threefold.tasks.task import Task, find_task, task_names, tasks_built_as
from threefold.training.backend import fix_configuration

ROOM = Path(__file__).parent.parent / "blueprints"
LORA = "lora_rank"  # the option of families that can be adapted by low-rank matrices


def blueprint_names() -> dict[str, tuple[tuple[str, ...], str]]:
    """Return the blueprints: name -> (tasks, one line of description).

    The files are parsed, not imported: listing must answer at once, without Keras.
    """
    return _read_names(ROOM)


@cache  # every model that is built asks for them
def _read_names(room: Path) -> dict[str, tuple[tuple[str, ...], str]]:
    found = {}
    for path in sorted(room.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "TASKS":
                own = [key.value for key in node.value.keys]
                tasks = (*own, *(other for task in own for other in tasks_built_as(task)))
                summary = (ast.get_docstring(tree) or "").partition("\n\n")[0]
                found[path.stem] = (tasks, summary)
    return found


def check_blueprint(name: str) -> None:
    """Refuse an unknown blueprint, without importing Keras."""
    known = blueprint_names()
    if name not in known:
        raise UserError(f"no blueprint '{name}'{suggest(name, known)}")


def find_blueprint(name: str) -> ModuleType:
    """Import a blueprint by its name; Keras comes with it."""
    check_blueprint(name)
    return importlib.import_module(f"threefold.blueprints.{name}")


def builder_for(blueprint: ModuleType, task: str):
    """Return the function that draws the model for a task.

    Raises:
        UserError: where the blueprint does not serve the task, with those that do.
    """
    name = blueprint.__name__.rpartition(".")[2]
    for own in (task, find_task(task).builder_task if task in task_names() else None):
        if own in blueprint.TASKS:
            return blueprint.TASKS[own]
    serving = [other for other, (tasks, _) in blueprint_names().items() if task in tasks]
    hint = f"; {' and '.join(serving)} would" if serving else ""
    raise UserError(
        f"blueprint '{name}' does not serve {task}, but {', '.join(blueprint.TASKS)}{hint}"
    )


def served_tasks(blueprint: ModuleType) -> tuple[str, ...]:
    """Return the tasks of a blueprint: its own, and those whose models are built as theirs."""
    return blueprint_names()[blueprint.__name__.rpartition(".")[2]][0]


def resolve_options(blueprint: str, task: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return a blueprint's options in full, those that were given checked.

    Raises:
        UserError: for an unknown option, or a value that does not fit.
    """
    known = options_of(builder_for(find_blueprint(blueprint), task))
    options = check_options(known, given, flag="-o", owner=f"blueprint '{blueprint}'")
    return {name: option.default for name, option in known.items()} | options


def build_model(blueprint: str, task: Task, given: dict[str, Any], precision: str):
    """Draw a model.

    Args:
        blueprint: str. Its name.
        task: Task. Knows the facts of the data.
        given: dict. The user's options, as text or plain data.
        precision: str. Keras's dtype policy.

    Returns:
        (keras.Model, dict): the uncompiled model, and the options in full.

    Raises:
        UserError: for an unknown option, a value that does not fit, or a model that cannot be.
    """
    options = resolve_options(blueprint, task.name, given)
    builder = builder_for(find_blueprint(blueprint), task.name)
    return build_network(builder, task, options, precision), options


def build_network(builder: Callable, task: Task, options: dict[str, Any], precision: str):
    """Build a model by a blueprint's function, its options checked and in full.

    Args:
        builder: function. One of a blueprint's `TASKS`.
        task: Task. Knows the facts of the data.
        options: dict. All that the builder has.
        precision: str. Keras's dtype policy.

    Returns:
        keras.Model. Uncompiled.

    Raises:
        UserError: for a model that cannot be.
    """
    import keras

    fix_configuration()
    keras.config.set_dtype_policy(precision)
    facts = task.arguments()
    # A family takes of the facts what it needs: not all must know how long a text can be.
    wanted = {name: facts[name] for name in inspect.signature(builder).parameters if name in facts}
    try:
        return builder(**wanted, **options)
    except ValueError as error:
        name = builder.__module__.rpartition(".")[2]
        raise UserError(f"blueprint '{name}': {error}") from error


def rebuild_model(run, precision: str | None = None):
    """Return a run's model with its best weights, and its task; low-rank matrices are merged.

    Args:
        run: Run. Its checkpoints hold the weights.
        precision: str. Keras's dtype policy; the run's own by default.

    Returns:
        (keras.Model, Task).
    """
    from threefold.training import state
    from threefold.training.checkpoints import load_checkpoint

    record = run.record
    task = bind_task(record)
    arrays, _ = load_checkpoint(run.checkpoints, "best")
    precision = precision or record.settings.precision
    options = {
        name: v for name, v in without_preset(record.options, record).items() if name != LORA
    }
    model, _ = build_model(record.blueprint, task, options, precision)
    state.restore_weights(model, state.merge_lora(arrays))
    return model, task


def without_preset(options: dict[str, Any], record) -> dict[str, Any]:
    """Return options to build with, for a model that gets its weights from a run.

    Args:
        options: dict. Of a blueprint, in full.
        record: RunRecord. Of the run that holds the weights.

    Returns:
        dict. Where they name the backbone of the run, its architecture instead: the preset may be
        gone.
    """
    if record.backbone is None or options.get("backbone") != record.options["backbone"]:
        return options
    return options | {"backbone": record.backbone}


def bind_task(record) -> Task:
    """Return the task of a run, bound to its facts and settings."""
    settings = record.settings
    task = find_task(record.task)(
        record.facts,
        loss=settings.loss,
        label_smoothing=settings.label_smoothing,
        class_weights=settings.class_weights,
        options=record.options,
    )
    check_task(task)
    return task


def bind_part(record, part: str | None) -> Task:
    """Return the task of a run, or of the part of its model that is exported alone."""
    task = bind_task(record)
    return task.part(part) if part else task


def load_matching_weights(model, run) -> tuple[int, int]:
    """Start a model from another run's best weights, wherever name and shape agree.

    Args:
        model: keras.Model. Changed in place.
        run: Run. Where the weights come from.

    Returns:
        (int, int): how many weights were taken, of how many.

    Raises:
        UserError: where none fits.
    """
    from threefold.training import state
    from threefold.training.checkpoints import load_checkpoint

    arrays = state.merge_lora(load_checkpoint(run.checkpoints, "best")[0])
    # What another model's answers were calibrated by would be wrong of this one's.
    weights = [v for v in model.weights if state.CALIBRATION not in v.path]
    taken = 0
    for variable in weights:
        array = arrays.get(f"weights/{variable.path}")
        if array is not None and array.shape == tuple(variable.shape):
            variable.assign(array)
            taken += 1
    if taken == 0:
        raise UserError(f"--init {run.folder}: no weight of it fits this model")
    if taken < len(weights):
        warnings.warn(
            f"--init {run.folder}: {taken} of {len(weights)} weights fit; the others start "
            "at random",
            stacklevel=2,
        )
    return taken, len(weights)
