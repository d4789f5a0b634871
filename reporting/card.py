"""The model card of an artifact, in Markdown (Mitchell et al. 2019, "Model cards")."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from threefold.core.files import replace_file
from threefold.datasets.loading import bundled, is_of_library
from threefold.reporting.numbers import format_number
from threefold.reporting.report import repeat_command
from threefold.tasks.signature import Field
from threefold.tasks.task import find_task

WORDS_SHOWN = 12
FIELDS_SHOWN = CLASSES_SHOWN = 40
ENOUGH_ROWS = 200  # to judge by them what 8-bit integers cost
FLOAT16 = (
    " From its first layer with weights to the last it computes in float16; what comes before and "
    "after is float32, and a first layer reads what lies beyond ±256 as ±256."
)
SCORES = "Scores images by how real they look, beside generated ones."
RUNTIMES = {
    "onnx": ("model.onnx", "onnxruntime"),
    "savedmodel": ("1/saved_model.pb", "TensorFlow"),
    "litert": ("model.tflite", "LiteRT"),
}


def write_card(folder: Path, content: Mapping[str, Any], program: str) -> None:
    """Write `README.md` into an artifact.

    Args:
        folder: Path. The artifact's, with its image in it.
        content: mapping. The fields of ArtifactRecord but `files`.
        program: str. The lines of `example.py` that ask the model.
    """
    run, parity = content["run"], content["parity"]
    data, (file, runtime) = run.dataset, RUNTIMES[content["format"]]
    sizes = ", ".join(f"{count:,} {name}" for name, count in data.sizes.items())
    whose = f"The {content['part']} of a" if content.get("part") else "A"
    parts = [
        f"# {run.blueprint} on {data.reference}",
        f"{whose} `{run.blueprint}` network for {run.task.replace('_', ' ')}, trained with Keras "
        f"on {run.backend} and exported for {runtime} (`{file}`)."
        + (" Its weights and activations are 8-bit integers." if parity["quantized"] else "")
        + (FLOAT16 if content["precision"] == "float16" else ""),
        "## Use",
        (SCORES if content.get("part") == "discriminator" else _describe_use(run))
        + " `python example.py` asks it so:",
        f"```python\n{program.strip()}\n```",
        _table(("input", "type", "shape", "meaning"), map(_row, content["signature"].inputs)),
        _table(("output", "type", "shape", "meaning"), map(_row, content["signature"].outputs)),
    ]
    words = [field for field in content["signature"].inputs if field.words]
    parts += [f"Words of `{f.name}`: {_some(f.words)}." for f in words[:FIELDS_SHOWN]]
    if content["labels"]:
        parts.append(f"Classes, in the order of `labels.txt`: {_some(content['labels'])}.")
    parts += ["## Data", f"`{data.reference}`: {run.facts.describe()}; {sizes} examples."]
    parts += [f"- {note}" for note in data.notes]
    parts += ["## Metrics", f"On the {parity['split']} split, {parity['rows']:,} examples:"]
    parts += _describe_metrics(parity)
    images = [(f, f"{f.name}.png") for f in find_task(run.task).figures]
    parts += [f"![{figure.caption}]({image})\n\n{figure.caption}"
              for figure, image in images if (folder / image).is_file()]  # fmt: skip
    parts += ["## Parity", _describe_parity(parity, run.backend, runtime)]
    if parity.get("cost"):
        parts.append(f"8-bit integers: {describe_cost(parity['cost'], parity['rows'])}.")
    versions = ", ".join(f"{name} {found}" for name, found in run.versions.items())
    parts += ["## Limits", _describe_limits(run, parity)]
    command = repeat_command(run.model_dump(mode="json"))
    parts += ["## Origin", f"Trained {run.created[:10]} with {versions}:", f"```\n{command}\n```"]
    replace_file(folder / "README.md", ("\n\n".join(parts) + "\n").encode())


def describe_cost(cost: Mapping[str, Any], rows: int) -> str:
    """Return what 8-bit integers save or cost, and whether few rows have judged them.

    Args:
        cost: mapping. The fields of an artifact's `Cost`.
        rows: int. How many rows the metrics are of.
    """
    few = f"; judged by {rows:,} rows only" if rows < ENOUGH_ROWS else ""
    return (
        f"{cost['bytes']:,} bytes, {cost['float_bytes']:,} as floats; one row takes "
        f"{cost['ms']:.2g} ms, {cost['float_ms']:.2g} ms as floats{few}"
    )


def _describe_parity(parity: Mapping[str, Any], backend: str, runtime: str) -> str:
    sizes = ", ".join(map(str, parity["batch_sizes"]))
    tried = ", ".join(parity["probes"])
    other = f"; so were inputs {tried}" if tried else ""
    none = "is answered, too" if parity["empty_batch"] else "makes the runtime fail"
    verdict = "the score fell by less than allowed" if parity["quantized"] else (
        f"at most {parity['limit']:g} was allowed"
    )  # fmt: skip
    return (
        f"{parity['rows']:,} rows were replayed through this file by {runtime} without Keras, in "
        f"batches of {sizes}{other}. They were compared with what the trained model had answered "
        f"on {backend}: largest difference {parity['max_abs_diff']:.2g}, mean "
        f"{parity['mean_abs_diff']:.2g} ({verdict}); the same answer for "
        f"{100 * parity['agreement']:.4g} % of the rows. A batch of no row {none}."
    )


def _describe_use(run: Any) -> str:
    """Return what a model is for: what it makes, or what it answers for."""
    made = find_task(run.task).generates
    if made == "images":
        classes = " and, if given, classes" if run.facts.class_names else ""
        return f"Makes images of noise{classes}, like those that it was trained on."
    if made == "texts":
        return "Continues a prompt in the manner of its texts; it knows nothing else of the world."
    return (
        f"Answers for {run.facts.examples} such as those that it was trained on; what is unlike "
        "them gets an answer too, which means nothing."
    )


def _describe_limits(run: Any, parity: Mapping[str, Any]) -> str:
    limits = ["It was measured on data like those of its training, and on no others."]
    if parity["split"] == "train":
        limits.append("There were no other rows than those it was trained on: the metrics flatter.")
    if parity["rows"] < ENOUGH_ROWS:
        limits.append(f"{parity['rows']:,} examples are few: see the interval of the metrics.")
    data = run.dataset
    if is_of_library(data.reference) or data.reference not in bundled():
        limits.append("Licence and date of the data are not known here: ask whoever gave them.")
    return " ".join(limits)


def _describe_metrics(parity: Mapping[str, Any]) -> list[str]:
    """Return the metrics, how sure they are, those of simple methods, and those of each class."""
    metrics, intervals = parity["metrics"], parity.get("intervals", {})
    names, baselines = list(metrics["run"]), parity.get("baselines", {})
    if not names:
        return ["None: these are too few to judge by."]
    rows = [("trained model", metrics["run"]), ("this file", metrics["artifact"])]
    rows += [(f"{name} (a simple method)", found) for name, found in baselines.items()]
    cells = [
        (who, *(format_number(found[name]) if name in found else "" for name in names))
        for who, found in rows
    ]
    if intervals:
        bounds = [" to ".join(map(format_number, intervals.get(name, ()))) for name in names]
        cells.insert(2, ("95 % interval", *bounds))
    parts = [_table(("", *names), cells)]
    if intervals:
        parts.append(
            "The interval is how far the metrics of this file move when as many rows are drawn of "
            "these again and again: with other rows of the same kind, expect as much."
        )
        if any(name not in intervals for name in names):
            parts[-1] += (
                " A metric without one is the same for all of them: as many as 3 in "
                f"{parity['rows']:,} others may still differ (the rule of three)."
            )
    by_class = parity.get("by_class", {})
    if by_class:
        shown = list(by_class.items())[:CLASSES_SHOWN]
        columns = list(shown[0][1])  # what the task says of a class
        heads = ["examples" if column == "count" else column for column in columns]
        parts.append(_table(
            ("class", *heads),
            [(f"`{name}`", *(format_number(found[c]) for c in columns)) for name, found in shown],
        ))  # fmt: skip
    if len(by_class) > CLASSES_SHOWN:
        parts.append(f"{len(by_class) - CLASSES_SHOWN} more classes are in `artifact.json`.")
    return parts


def _some(words: Sequence[str]) -> str:
    more = f", and {len(words) - WORDS_SHOWN} more" if len(words) > WORDS_SHOWN else ""
    return ", ".join(f"`{word}`" for word in words[:WORDS_SHOWN]) + more


def _row(field: Field) -> tuple[str, ...]:
    shape = ", ".join(map(str, field.shape))
    column = f" (column `{field.column}`)" if field.column not in (None, field.name) else ""
    return f"`{field.name}`", field.dtype, f"({shape})", field.meaning + column + _range(field)


def _range(field: Field) -> str:
    """Return between what a column lay in training, dates as such."""
    if not field.column or field.range is None:
        return ""
    if field.meaning.startswith("days since"):
        bounds = [str(np.datetime64(round(bound), "D")) for bound in field.range]
    else:
        bounds = [f"{bound:.6g}" for bound in field.range]
    return "; in training " + " to ".join(bounds)


def _table(header: Sequence[str], rows) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(map(_cell, row)) + " |" for row in rows])


def _cell(text: str) -> str:
    """Return a text that neither ends its cell nor its line."""
    return " ".join(text.split()).replace("|", "\\|")
