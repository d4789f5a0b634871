"""What there is to choose from, what a blueprint draws, and how a run stands: all as plain data."""

import ast
import inspect
import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import docstring_parser
import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from threefold.core.best_epoch import find_best
from threefold.core.locks import is_held
from threefold.core.options import as_typed, options_of
from threefold.datasets import loading
from threefold.tasks.task import find_task
from threefold.training.building import ROOM, blueprint_names, build_network, served_tasks
from threefold.training.plan import Command, make_plan
from threefold.training.run import Run
from threefold.training.settings import TrainingSettings

WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false"}
BOUNDS = {Ge: "from {ge}", Gt: "above {gt}", Le: "to {le}", Lt: "to less than {lt}"}


def catalogue() -> dict[str, Any]:
    """Return every blueprint with its tasks and default data, and the bundled data.

    The files are parsed, not imported: this answers at once, without Keras.
    """
    return {
        "blueprints": {
            name: {
                "tasks": list(tasks),
                "datasets": _literal(name, "DATASETS"),
                "summary": summary,
                "recipes": _literal(name, "RECIPES"),
            }
            for name, (tasks, summary) in blueprint_names().items()
        },
        "datasets": {
            name: {"tasks": list(tasks), "summary": summary}
            for name, (tasks, summary) in loading.bundled().items()
        },
    }


def describe_blueprint(
    name: str,
    task: str | None,
    reference: str | None,
    data_options: Mapping[str, str],
    given: Mapping[str, str],
) -> dict[str, Any]:
    """Return what a blueprint is, what it takes, and the model that it draws for some data.

    Args:
        name: str. The blueprint.
        task: str. One of its tasks; `None` for that of the data, or the first.
        reference: str. The data to draw the model for; `None` for the task's default.
        data_options: mapping of str to str. Options of the data.
        given: mapping of str to str. Options of the blueprint.

    Returns:
        dict. Plain data, ready for JSON.

    Raises:
        UserError: for an unknown task, data or option, or a model that cannot be.
    """
    plan = make_plan(
        Command(name, task, reference, dict(data_options), dict(given), TrainingSettings())
    )
    blueprint, reference = plan.blueprint, plan.reference
    dataset = plan.load()
    cell = plan.settle_for(dataset)
    bound = cell.task(dataset.facts, loss=cell.settings.loss, options=cell.options)
    builder, options = cell.builder, cell.options
    settings = cell.settings.model_copy(update={"loss": bound.loss})
    model = build_network(builder, bound, options, "float32")
    summary, _, about = inspect.getdoc(blueprint).partition("\n\n")
    return {
        "blueprint": name,
        "command": _command(name, dataset.task, reference, data_options, given, {}),
        "summary": summary,
        "about": about,
        "tasks": list(served_tasks(blueprint)),
        "task": dataset.task,
        "dataset": reference,
        "data": dataset.facts.describe(),
        "signature": _signature(builder),
        "arguments": _describe_arguments(builder, bound.arguments()),
        "options": [
            {
                "name": option.name,
                "type": describe_type(option.annotation),
                "choices": list(option.choices),
                "default": option.default,
                "value": options[option.name],
                "help": _sentence(option.help),
            }
            for option in options_of(builder).values()
        ],
        "training": settings.model_dump(mode="json", exclude_none=True),
        "recipes": getattr(blueprint, "RECIPES", {}),
        "layers": _describe_layers(model),
        "parameters": model.count_params(),
        "trainable_parameters": _count(model.trainable_weights),
        "megabytes": sum(map(_bytes, model.weights)) / 1e6,
        "notes": _unfused(model),
    }


def describe_run(run: Run) -> dict[str, Any]:
    """Return what a run is and how it stands.

    Args:
        run: Run. The run.

    Returns:
        dict. Plain data, ready for JSON.
    """
    record, history, metrics = run.record, run.read_history(), run.read_metrics()
    tolerance = find_task(record.task).loss_tolerance
    best_epoch = find_best(history, tolerance) + 1 if history else None
    page = run.report / "index.html"
    return {
        "run": str(run.folder),
        "command": fit_command(run),
        "blueprint": record.blueprint,
        "task": record.task,
        "options": record.options,
        "settings": record.settings.model_dump(mode="json"),
        "init": record.init,
        "dataset": record.dataset.model_dump(mode="json"),
        "data": record.facts.describe(),
        "backend": record.backend,
        "device": record.device,
        "versions": record.versions,
        "created": record.created,
        "status": _status(run, history, judged=bool(metrics)),
        "epochs_done": len(history),
        "epochs": record.settings.epochs,
        "best_epoch": best_epoch,
        "metrics": metrics,
        "report": str(page) if page.exists() else None,
    }


def fit_command(run: Run) -> str:
    """Return the command that fits the same again, nothing left to defaults but what is off."""
    record, fields = run.record, TrainingSettings.model_fields
    flags = {
        "--" + name.replace("_", "-"): as_typed(value)
        for name, value in record.settings
        if value != fields[name].default
    }
    flags["--backend"] = record.backend
    if record.init:
        flags["--init"] = record.init
    dataset = record.dataset
    return _command(
        record.blueprint, record.task, dataset.reference, dataset.options, record.options, flags
    )


def _command(
    blueprint: str,
    task: str,
    reference: str,
    data_options: Mapping[str, Any],
    options: Mapping[str, Any],
    flags: Mapping[str, str],
) -> str:
    words = ["threefold", "fit", blueprint, "--task", task, "--dataset", reference]
    for flag, values in (("-d", data_options), ("-o", options)):
        for name, value in values.items():
            words += [flag, f"{name}={as_typed(value)}"]
    return shlex.join([*words, *(word for pair in flags.items() for word in pair)])


def describe_type(annotation: Any) -> str:
    """Return in a person's words what an option takes.

    Args:
        annotation: type. As in a builder's signature.

    Returns:
        str. Such as `whole numbers from 1, with commas between` or `max, average or none`.
    """
    origin, members = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = [note for extra in members[1:] for note in _bounds(extra)]
        return " ".join([describe_type(members[0]), *bounds])
    if origin is Literal:
        return _either([str(member) for member in members])
    if origin in (Union, UnionType):
        parts = [describe_type(member) for member in members if member is not NoneType]
        return _either(parts + ["none"] * (NoneType in members))
    if origin in (tuple, list):
        fixed = "" if origin is list or Ellipsis in members else f"{len(members)} "
        return f"{fixed}{_plural(describe_type(members[0]))}, with commas between"
    return WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _bounds(extra: Any) -> list[str]:
    marks = extra.metadata if isinstance(extra, FieldInfo) else [extra]
    return [BOUNDS[type(m)].format_map(asdict(m)) for m in marks if type(m) in BOUNDS]


def _plural(one: str) -> str:
    for word in ("number", "text"):
        if word in one:
            return one.replace(word, word + "s", 1)
    return f"any of {one}"


def _either(words: list[str]) -> str:
    return " or ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _literal(name: str, wanted: str) -> dict[str, Any]:
    """Return a dict that a blueprint's file writes out, empty where it has none of that name."""
    tree = ast.parse((ROOM / f"{name}.py").read_text(encoding="utf-8"))
    written = {
        getattr(node.targets[0], "id", ""): node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
    }
    return _evaluate(written[wanted], written) if wanted in written else {}


def _evaluate(node: ast.expr, written: Mapping[str, ast.expr]) -> Any:
    """Return what constants, dicts and unions of dicts come to, names of the file among them."""
    if isinstance(node, ast.Name):
        return _evaluate(written[node.id], written)
    if isinstance(node, ast.BinOp):
        return _evaluate(node.left, written) | _evaluate(node.right, written)
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {ast.literal_eval(key): _evaluate(value, written) for key, value in pairs}
    return ast.literal_eval(node)


def _signature(builder: Callable) -> str:
    """Return a builder's name and parameters, without the types."""
    whole = inspect.signature(builder)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in whole.parameters.values()]
    return builder.__name__ + str(inspect.Signature(bare))


def _describe_arguments(builder: Callable, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Describe what the data, not the user, give a builder."""
    helps = {p.arg_name: p.description for p in docstring_parser.parse(builder.__doc__).params}
    return [
        {"name": name, "value": values[name], "help": _sentence(helps.get(name) or "")}
        for name, parameter in inspect.signature(builder).parameters.items()
        if parameter.default is inspect.Parameter.empty
    ]


def _sentence(text: str) -> str:
    """Return what a docstring says of a parameter, after its type, on one line."""
    text = " ".join(text.split())
    return text.partition(". ")[2] or text


def _describe_layers(model) -> list[dict[str, Any]]:
    from threefold.training.inspection.receptive_field import receptive_fields

    fields, counted, found = receptive_fields(model), set(), []
    for layer in model.layers:
        # Weights that two layers share, an encoder and a decoder, count for the first of them.
        own = [weight for weight in layer.weights if id(weight) not in counted]
        counted.update(map(id, own))
        found.append(
            {
                "name": layer.name,
                "type": type(layer).__name__,
                # Where it stands in this model: a nested one has outputs of its own besides.
                "output_shape": list(layer._inbound_nodes[-1].outputs[0].shape[1:]),
                "parameters": _count(own),
                "receptive_field": _describe_field(fields.get(layer.name)),
            }
        )
    return found


def _unfused(model) -> list[str]:
    """Name recurrent layers that a GPU runs step by step, not with one kernel, and say why."""
    import keras

    found: dict[str, list[str]] = {}
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.SimpleRNN):
            found.setdefault("the simple cell has none", []).append(layer.name)
        elif isinstance(layer, (keras.layers.LSTM, keras.layers.GRU)) and layer.recurrent_dropout:
            found.setdefault("recurrent_dropout forbids it", []).append(layer.name)
    return [
        f"without the fused kernel of a GPU: {', '.join(sorted(names))}; {why}"
        for why, names in found.items()
    ]


def _describe_field(field) -> dict[str, Any] | None:
    if field is None:
        return None
    return {
        "height": field.height.size,
        "width": field.width.size,
        "stride": None if field.collapsed else [field.height.step, field.width.step],
    }


def _count(weights) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _bytes(weight) -> int:
    return math.prod(weight.shape) * np.dtype(weight.dtype).itemsize


def _status(run: Run, history: Sequence[Mapping[str, float]], judged: bool) -> str:
    """Return `running`, `finished`, or `cut`: a process that died cannot say so itself."""
    if is_held(run.lock):
        return "running"
    settings = run.record.settings
    patience_spent = (
        settings.patience is not None
        and history
        and len(history) - (find_best(history) + 1) >= settings.patience
    )
    trained = len(history) >= settings.epochs or patience_spent
    return "finished" if trained and judged else "cut"
