"""The model card of an artifact, in Markdown (Mitchell et al. 2019, "Model cards")."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from threefold.core.files import replace_file
from threefold.reporting.numbers import format_number
from threefold.reporting.report import repeat_command
from threefold.tasks.task import find_task

WORDS_SHOWN = 12
FIELDS_SHOWN = 40
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
    parts = [
        f"# {run.blueprint} on {_name(data.reference)}",
        f"A `{run.blueprint}` network for {run.task.replace('_', ' ')}, trained with Keras on "
        f"{run.backend} and exported for {runtime} (`{file}`)."
        + (" Its weights and activations are 8-bit integers." if parity["quantized"] else ""),
        "## Use",
        f"Answers for {run.facts.examples} such as those that it was trained on; what is unlike "
        "them gets an answer too, which means nothing. `python example.py` asks it so:",
        f"```python\n{program.strip()}\n```",
        _table(("input", "type", "shape", "meaning"), map(_row, content["signature"].inputs)),
        _table(("output", "type", "shape", "meaning"), map(_row, content["signature"].outputs)),
    ]
    words = [field for field in content["signature"].inputs if field.words]
    parts += [f"Words of `{f.name}`: {_some(f.words)}." for f in words[:FIELDS_SHOWN]]
    if content["labels"]:
        parts.append(f"Classes, in the order of `labels.txt`: {_some(content['labels'])}.")
    parts += ["## Data", f"`{_name(data.reference)}`: {run.facts.describe()}; {sizes} examples."]
    parts += [f"- {note.replace(data.reference, _name(data.reference))}" for note in data.notes]
    parts += ["## Metrics", f"On the {parity['split']} split, {parity['rows']:,} examples:"]
    metrics = parity["metrics"]
    parts.append(
        _table(
            ("", *metrics["run"]),
            [(who, *map(format_number, found.values())) for who, found in _format_value(metrics)],
        )
    )
    images = [(f, f"{f.name}.png") for f in find_task(run.task).figures]
    parts += [f"![{figure.caption}]({image})\n\n{figure.caption}"
              for figure, image in images if (folder / image).is_file()]  # fmt: skip
    parts += ["## Parity", _describe_parity(parity, run.backend, runtime)]
    parts += ["## Origin", f"```\n{repeat_command(_without_folders(run))}\n```"]
    replace_file(folder / "README.md", ("\n\n".join(parts) + "\n").encode())


def _describe_parity(parity: Mapping[str, Any], backend: str, runtime: str) -> str:
    sizes = ", ".join(map(str, parity["batch_sizes"]))
    tried = ", ".join(parity["probes"])
    other = f"; so were inputs {tried}" if tried else ""
    none = "is answered, too" if parity["empty_batch"] else "is refused by the runtime"
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


def _format_value(
    metrics: Mapping[str, Mapping[str, float]],
) -> list[tuple[str, Mapping[str, float]]]:
    return [("trained model", metrics["run"]), ("this file", metrics["artifact"])]


def _name(reference: str) -> str:
    """Return a path's last part: folders of the one who trained are nobody's business."""
    return reference if ":" in reference else Path(reference).name or reference


def _without_folders(run) -> dict[str, Any]:
    record = run.model_dump(mode="json")
    record["dataset"]["reference"] = _name(run.dataset.reference)
    return record | {"init": run.init and _name(run.init)}


def _some(words: Sequence[str]) -> str:
    more = f", and {len(words) - WORDS_SHOWN} more" if len(words) > WORDS_SHOWN else ""
    return ", ".join(f"`{word}`" for word in words[:WORDS_SHOWN]) + more


def _row(field) -> tuple[str, ...]:
    shape = ", ".join(map(str, field.shape))
    column = f" (column `{field.column}`)" if field.column not in (None, field.name) else ""
    return f"`{field.name}`", field.dtype, f"({shape})", field.meaning + column


def _table(header: Sequence[str], rows) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(map(_cell, row)) + " |" for row in rows])


def _cell(text: str) -> str:
    """Return a text that neither ends its cell nor its line."""
    return " ".join(text.split()).replace("|", "\\|")
