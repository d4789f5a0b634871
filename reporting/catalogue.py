"""Tables of what there is, of a blueprint, of a run, and of the machine; made for 80 columns."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from threefold.core.options import as_typed
from threefold.reporting.console import metrics_table, predict_command

# Lines longer than this are hard to read, however wide the terminal.
WIDTH = 100


def catalogue_tables(catalogue: Mapping[str, Any]) -> RenderableType:
    """Return the blueprints with their tasks and data, the bundled data, and what to type.

    Args:
        catalogue: mapping. From `threefold.training.inspection.description.catalogue`.
    """
    blueprints = _table("blueprint", "its tasks, each with the data it takes by default")
    for name, found in catalogue["blueprints"].items():
        tasks = _grid((task, found["datasets"].get(task, "")) for task in found["tasks"])
        parts = [Text(found["summary"]), tasks, *_recipes(found["recipes"]), ""]
        blueprints.add_row(Text(name, "bold"), Group(*parts))
    datasets = _table("bundled data", "")
    for name, found in catalogue["datasets"].items():
        datasets.add_row(
            Text(name, "bold"),
            Group(Text(found["summary"]), Text(", ".join(found["tasks"]), "dim")),
        )
    return _page(
        blueprints,
        datasets,
        Text(
            "\nyour own data: a folder of images, texts or recordings, a table, a file of texts "
            "or series, tfds:NAME, hf:NAME"
        ),
        "",
        _commands("threefold show BLUEPRINT", "threefold fit BLUEPRINT --dataset REF"),
    )


def description_tables(described: Mapping[str, Any]) -> RenderableType:
    """Return a blueprint, a run or an artifact as a person reads it.

    Args:
        described: mapping. From `describe_blueprint` or `describe_run`, both of
            `threefold.training.inspection.description`; or what `artifact.json` holds, with its
            place under `artifact`.
    """
    if "artifact" in described:
        return _artifact_page(described)
    return _run_page(described) if "run" in described else _blueprint_page(described)


def doctor_tables(found: Mapping[str, Any]) -> RenderableType:
    """Return the state of the machine, its backends, and what to do.

    Args:
        found: mapping. From `threefold.training.inspection.doctor.examine`.
    """
    machine, chosen = found["machine"], found["chosen"]
    facts = _grid(
        [
            ("threefold", found["threefold"]),
            ("keras", found["keras"]),
            ("python", f"{found['python']} on {found['platform']}"),
            ("machine", f"{machine['cores']} cores, {machine['memory_gb']:.1f} GB of memory"),
            ("disk", f"{machine['disk_free_gb']:.1f} GB free in {machine['folder']}"),
            ("backend", f"{chosen['backend']}, chosen by {chosen['by']}"),
        ]
    )
    backends = _table("backend", "version", "state", "devices")
    for name, one in found["backends"].items():
        state = Text("works", "green") if one["works"] else Text("does not work", "red")
        if not one["installed"]:
            state = Text("not installed", "dim")
        devices = ", ".join(one["devices"])
        backends.add_row(Text(name, "bold"), one["version"] or "", state, Text(devices))
    extras = _table("extra", "for", "install with")
    for name, one in found["extras"].items():
        install = Text("installed", "green") if one["installed"] else Text(one["install"], "cyan")
        extras.add_row(Text(name, "bold"), one["for"], install)
    problems = [Text(f"! {line}", "yellow") for line in found["problems"]]
    return _page(
        facts, "", backends, "", extras, "", *(problems or [Text("nothing is amiss", "green")])
    )


def _blueprint_page(described: Mapping[str, Any]) -> RenderableType:
    name = described["blueprint"]
    about = [Text(" ".join(part.split())) for part in described["about"].split("\n\n") if part]
    facts = _grid(
        [
            ("tasks", ", ".join(described["tasks"])),
            ("built for", f"{described['dataset']}: {described['data']} ({described['task']})"),
            ("fitted with", _listed(described["training"])),
        ]
    )
    size = (
        f"{described['parameters']:,} parameters, {described['trainable_parameters']:,} of them "
        f"trainable; about {described['megabytes']:.2g} MB"
    )
    return _page(
        Text.assemble((name, "bold"), ": ", described["summary"]),
        *(Padding(paragraph, (1, 0, 0, 2), expand=False) for paragraph in about),
        "",
        facts,
        "",
        Text(described["signature"], "dim"),
        "",
        _option_table(described),
        "",
        *_recipes(described["recipes"]),
        *([""] if described["recipes"] else []),
        *_exports(described.get("exports")),
        *_layer_tables(described["layers"]),
        Text(size, "bold"),
        *(Text(note, "yellow") for note in described["notes"]),
        "",
        _commands(described["command"]),
    )


def _recipes(recipes: Mapping[str, Mapping[str, Any]]) -> list[RenderableType]:
    """Return what each recipe sets, as one types it; nothing where there are none."""
    if not recipes:
        return []
    rows = []
    for name, recipe in recipes.items():
        words = [f"-o {key}={as_typed(value)}" for key, value in recipe["options"].items()]
        words += [
            f"--{key.replace('_', '-')} {as_typed(value)}"
            for key, value in recipe["settings"].items()
        ]
        rows.append((name, " ".join(words)))
    return [Text("recipes (--recipe NAME), each short for", "bold"), _grid(rows)]


def _exports(exports: Mapping[str, Mapping[str, Any]] | None) -> list[RenderableType]:
    """Return which formats were proven, and how well; nothing where nobody looked."""
    if exports is None:
        return []
    if not exports:
        return ["exports: not tried yet; fit ... --export onnx tries before it trains", ""]
    rows = [
        (
            name,
            f"proven with the defaults, trained on {', '.join(about['trained_on'])}: largest "
            f"difference {about['max_abs_diff']:.1g}; free: {', '.join(about['free'])}",
        )
        for name, about in exports.items()
    ]
    return [Text("exports", "bold"), _grid(rows), ""]


def _option_table(described: Mapping[str, Any]) -> Table:
    table = _table("from the data", "", "")
    for argument in described["arguments"]:
        table.add_row(argument["name"], _format_value(argument["value"]), Text(argument["help"]))
    table.add_row()
    table.add_row(Text("option (-o)", "bold"), Text("value", "bold"), "")
    for option in described["options"]:
        shown = Text(_shown(option["value"]))
        if option["value"] != option["default"]:
            shown.stylize("green")
            shown.append(f"\nnot {_shown(option['default'])}", "dim")
        table.add_row(
            option["name"], shown, Text(option["help"]).append(f"\n{option['type']}", "dim")
        )
    return table


def _layer_tables(layers: Sequence[Mapping[str, Any]]) -> list[RenderableType]:
    fields = [layer["receptive_field"] for layer in layers]
    has_fields = any(fields)
    table = _table("layer", "kind", "output", *(["field", "step"] if has_fields else []), gap=1)
    table.columns[0].no_wrap = True
    table.columns[1].overflow = "fold"
    table.add_column("weights", justify="right", no_wrap=True)
    for layer, field in zip(layers, fields, strict=True):
        cells = [layer["name"], layer["type"], _by(layer["output_shape"])]
        if has_fields:
            cells += _field_cells(field)
        table.add_row(*cells, f"{layer['parameters']:,}" if layer["parameters"] else "")
    if not has_fields:
        return [table, ""]
    note = (
        "field: the pixels that one value depends on, height × width, padding at the edges "
        "included; step: how far it moves from one value to the next"
    )
    return [table, "", Text(note, "dim")]


def _field_cells(field: Mapping[str, Any] | None) -> list[str]:
    if field is None:
        return ["?", ""]
    stride = field["stride"]
    extent = _by([field["height"], field["width"]])
    if stride is None:
        return [extent, "all"]
    return [extent, str(stride[0]) if stride[0] == stride[1] else _by(stride)]


def _run_page(described: Mapping[str, Any]) -> RenderableType:
    dataset, folder = described["dataset"], described["run"]
    sizes = ", ".join(f"{size:,} {split}" for split, size in dataset["sizes"].items())
    versions = ", ".join(f"{name} {number}" for name, number in described["versions"].items())
    done, epochs, best = described["epochs_done"], described["epochs"], described["best_epoch"]
    progress = f"{done} of {epochs} epochs" + (f", the best is epoch {best}" if best else "")
    rows = [
        ("blueprint", described["blueprint"]),
        ("progress", progress),
        ("data", f"{dataset['reference']}: {described['data']}; {sizes}"),
        *(("", note) for note in dataset["notes"]),
        ("task", described["task"]),
        ("options", _listed(described["options"])),
        ("settings", _listed({k: v for k, v in described["settings"].items() if v is not None})),
        ("backend", f"{described['backend']} on {described['device']}; {versions}"),
        ("created", described["created"]),
        ("report", described["report"] or "none yet"),
    ]
    colour = {"finished": "green", "running": "cyan"}.get(described["status"], "yellow")
    next_ = {
        "finished": (f"threefold evaluate {folder}", predict_command(described["task"], folder)),
        "cut": (f"threefold fit --resume {folder}",),
    }
    return _page(
        Text.assemble((folder, "bold"), ": ", (described["status"], colour)),
        "",
        _grid(rows),
        *(["", metrics_table(described["metrics"])] if described["metrics"] else []),
        *(["", _commands(*next_[described["status"]])] if described["status"] in next_ else []),
        Text("\nthe command that began it, in full:", "dim"),
        _commands(described["command"]),
    )


def _artifact_page(described: Mapping[str, Any]) -> RenderableType:
    run, parity, folder = described["run"], described["parity"], described["artifact"]
    versions = ", ".join(f"{name} {number}" for name, number in described["versions"].items())
    rows = [
        ("format", described["format"] + (", 8-bit integers" if parity["quantized"] else "")),
        ("precision", described["precision"]),
        ("task", described["task"]),
        ("trained", f"{run['blueprint']} on {run['dataset']['reference']}, {run['backend']}"),
        ("proven", f"{parity['rows']:,} rows of the {parity['split']} split; largest difference "
                   f"{parity['max_abs_diff']:.2g}, limit {parity['limit']:g}"),
        ("versions", versions),
    ]  # fmt: skip
    fields = _table("", "name", "type", "shape", "meaning")
    for kind in ("inputs", "outputs"):
        for field in described["signature"][kind]:
            shape = f"({', '.join(map(str, field['shape']))})"
            cells = (kind[:-1], field["name"], field["dtype"], shape, field["meaning"])
            fields.add_row(*map(Text, cells))
    return _page(
        Text.assemble((folder, "bold"), ": whole, and proven"),
        "",
        _grid(rows),
        "",
        fields,
        "",
        metrics_table(parity["metrics"]),
        "",
        _commands(f"threefold evaluate {folder}", predict_command(described["task"], folder)),
    )


def _table(*columns: str, gap: int = 2) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column)
    return table


def _grid(rows: Iterable[tuple[str, str]]) -> Table:
    """Return names and what they stand for, side by side."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def _page(*parts: RenderableType) -> RenderableType:
    return Constrain(Group(*parts), WIDTH)


def _commands(*lines: str) -> Text:
    """Return what to type next, in lines that the terminal may wrap but that copy as one."""
    return Text("\n".join(lines), style="cyan", no_wrap=True, overflow="ignore")


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in values.items())


def _shown(value: Any) -> str:
    return as_typed(value) or "(empty)"


def _format_value(value: Any) -> Text:
    """Return what the data give a builder; of a list for each column, how many there are."""
    nested = isinstance(value, Sequence) and value and isinstance(value[0], Sequence)
    return Text(f"{len(value)} of them" if nested else _shown(value), "dim")


def _by(sizes: Iterable[int | None]) -> str:
    return "×".join("?" if size is None else str(size) for size in sizes)
