"""From a run to a proven artifact, or to nothing.

Three processes take part: this one, on the backend that trained, answers for real rows; one on
TensorFlow writes the model file (`building.py`); one without Keras runs it and compares
(`parity.py`). The artifact is staged alongside its place and renamed there when all agree.
"""

import contextlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from threefold.core.errors import Failure, UserError
from threefold.core.files import replace_file
from threefold.core.staging import put_in_place, staging
from threefold.exporting.artifact import (
    HIGHEST_OPSET,
    LOWEST_OPSET,
    MODELS,
    OPSET,
    RECORD,
    Artifact,
    Format,
    Part,
    Precision,
    open_artifact,
    write_record,
)
from threefold.exporting.processes import run_child
from threefold.exporting.sidecars import check_sidecars, write_sidecars
from threefold.reporting.card import write_card
from threefold.tasks.evaluation import evaluate, fit_evaluator_on_training_split, join_batches
from threefold.tasks.signature import Signature
from threefold.tasks.task import Arrays
from threefold.training.building import bind_part, rebuild_model
from threefold.training.checkpoints import arrays_digest
from threefold.training.data import load_run_dataset, require_same_data
from threefold.training.evaluate import make_predictions
from threefold.training.run import Run

ARTIFACTS = Path("artifacts")
PACKAGES = ("threefold", "keras", "tensorflow", "tf2onnx", "onnx", "onnxruntime", "ai-edge-litert",
            "numpy")  # fmt: skip
PROBE_ROWS = 16
# What 8-bit integers may cost: of the first of these that a task has, less is better.
LOSSES = ("perplexity", "loss", "rmse", "mase")
MOST_LOSS_RISE = 0.05  # as a share
SMALL_LOSS = 0.01  # a loss near zero may rise by so much, whatever share of it that is
MOST_SLOWER = 1.1  # times what the file of floats takes: less is within the noise of a clock


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Args:
        format: str. `savedmodel`, `onnx` or `litert`.
        output: str. The artifact's folder; `None` for one named after the run.
        force: bool. Whether to replace a folder that is there.
        opset: int. The version of ONNX's operators; `None` for the default.
        atol: float. The largest difference; `None` for that of each output.
        part: str. `generator` or `discriminator` of a model that has both; the first by default.
        precision: str. `float32` or, between the first layer with weights and the last, `float16`.
        quantize: str. `int8`, or `None`.
        max_metric_drop: float. How much of the task's score 8-bit integers may cost.
        force_quantize: bool. Whether to write what became larger or slower by them.
    """

    format: Format
    output: str | None = None
    force: bool = False
    opset: int | None = None
    atol: float | None = None
    part: Part | None = None
    precision: Precision = "float32"
    quantize: str | None = None
    max_metric_drop: float = 0.01
    force_quantize: bool = False


def export_run(run: Run, request: Request) -> Artifact:
    """Export a run's best weights.

    Args:
        run: Run. This process must be on its backend.
        request: Request. What the user asked for.

    Returns:
        Artifact. Proven.

    Raises:
        UserError: where the output folder is there already, or the request makes no sense.
        Failure: where the model cannot be written, or does not answer as the trained model does;
            then the report lies alongside the place of the artifact, and nothing else.
    """
    _check_request(request)
    bind_part(run.record, request.part)
    place = _choose_place(run, request)
    with staging(place) as (staged, scratch):
        split, example = _answer_on_training_backend(run, request.part, scratch)
        job = {
            "run": str(run.folder.resolve()),
            "format": request.format,
            "model": MODELS[request.format],
            "staged": str(staged.resolve()),
            "scratch": str(scratch.resolve()),
            "opset": request.opset or OPSET,
            "precision": request.precision,
            "part": request.part,
            "atol": request.atol,
            "split": split,
        }
        replace_file(scratch / "job.json", json.dumps(job).encode())
        run_child("building", scratch)
        cost = None
        if request.quantize:
            run_child("quantizing", scratch)
            cost = json.loads((scratch / "cost.json").read_text(encoding="utf-8"))
            if not request.force_quantize:
                _require_cheaper(cost)
        task = bind_part(run.record, request.part)
        program = write_sidecars(staged, task, request.format, example)
        run_child("parity", scratch)
        report = json.loads((scratch / "parity.json").read_text(encoding="utf-8"))
        report["cost"] = cost
        declared = report.pop("declared")
        _check_metrics(report, request, task.primary_metric, place)
        report["empty_batch"] = _answers_empty_batch(scratch)
        _finish(run, request, staged, report, program)
        wrong = list(check_sidecars(staged, task, declared))
        if wrong:
            _refuse(wrong, report, place)
        put_in_place(staged, scratch, place)
    _report_beside(place).unlink(missing_ok=True)  # of an export in vain
    return open_artifact(str(place))


def _answers_empty_batch(scratch: Path) -> bool:
    """Return whether a batch of no row is answered, by none; a runtime may refuse it, or end."""
    try:
        run_child("empty_batch", scratch)
    except Failure:
        return False
    return True


def _check_request(request: Request) -> None:
    if request.opset is not None and request.format != "onnx":
        raise UserError("--opset is for --format onnx")
    if request.opset is not None and not LOWEST_OPSET <= request.opset <= HIGHEST_OPSET:
        raise UserError(
            f"--opset {request.opset}: {LOWEST_OPSET} to {HIGHEST_OPSET} can be written"
        )
    if request.precision != "float32" and request.format != "onnx":
        raise UserError(f"--precision {request.precision} is for --format onnx")
    if request.precision != "float32" and request.quantize:
        raise UserError(f"--precision {request.precision} and --quantize exclude each other")
    if request.quantize and request.format != "onnx":
        raise UserError("--quantize is for --format onnx")
    if request.quantize and request.part == "discriminator":
        raise UserError("--quantize is evaluated by metrics, which scores of images have none of")
    if request.quantize and request.atol is not None:
        raise UserError("--atol is for floats: 8-bit integers are judged by --max-metric-drop")


def _choose_place(run: Run, request: Request) -> Path:
    kind = request.quantize or request.precision
    suffix = "" if kind == "float32" else f"-{kind}"
    suffix += "-discriminator" if request.part == "discriminator" else ""
    default = ARTIFACTS / f"{run.folder.resolve().name}-{request.format}{suffix}"
    place = Path(request.output).expanduser() if request.output else default
    if place.exists() and not request.force:
        raise UserError(f"{place} is there already; --force replaces it, --output names another")
    if place.exists() and not place.is_dir():
        raise UserError(f"{place} is a file; --output names a folder")
    if place.is_dir() and any(place.iterdir()) and not (place / RECORD).exists():
        raise UserError(f"{place} is no artifact; --force replaces nothing else")
    return place


def _answer_on_training_backend(run: Run, part: Part | None, scratch: Path) -> tuple[str, Arrays]:
    """Write what the trained model answers for real rows; return their split, and one of them."""
    dataset = load_run_dataset(run.record, run.record.facts.raw())
    require_same_data(run, dataset, ": nothing to prove the export with; put it back")
    split = next(name for name in ("test", "validation", "train") if name in dataset.splits)
    source, batch_size = dataset.splits[split], run.record.settings.batch_size
    # Artifacts compute in float32, whatever the precision of the training.
    model, task = rebuild_model(run, precision="float32")
    task = task.part(part) if part else task
    answer = make_predictions(model, task, batch_size)
    fit_evaluator_on_training_split(task, dataset.splits)
    found = evaluate(answer, task, source, split, batch_size)
    kept = {f"answers/{name}": array for name, array in found.predictions.items()}
    kept |= {f"truth/{name}": array for name, array in found.truth.items()}
    probes = task.probes(source[np.arange(min(PROBE_ROWS, batch_size, len(source)))])
    for situation, examples in probes.items():
        rows = len(next(iter(examples.values())))
        parts = [
            answer({name: array[start : start + batch_size] for name, array in examples.items()})
            for start in range(0, rows, batch_size)
        ]
        kept |= {f"{situation}/{name}": array for name, array in join_batches(parts).items()}
    kept["probe_rows"] = np.array(min(PROBE_ROWS, batch_size, len(source)))
    np.savez(scratch / "reference.npz", **kept)
    return split, source[np.arange(1)]


def _check_metrics(report: dict[str, Any], request: Request, score: str, place: Path) -> None:
    """Refuse what does not answer as the trained model does; write the report alongside."""
    refusals = report.pop("refusals")
    if report.pop("keras"):
        refusals.append("Keras was imported where the artifact was to run without it")
    if request.quantize:
        refusals = [r for r in refusals if " is off by " not in r and " differs in " not in r]
        refusals += _check_quantized(report, request, score)
    report["quantized"] = bool(request.quantize)
    if refusals:
        _refuse(refusals, report, place)


def _check_quantized(report: dict[str, Any], request: Request, score: str) -> Iterator[str]:
    """Yield why a file of integers is not worth having."""
    before, after = report["metrics"]["run"], report["metrics"].get("artifact", {})
    drop = before.get(score, math.nan) - after.get(score, math.nan)
    if not drop <= request.max_metric_drop:
        yield f"{score} falls by {drop:.4f}; --max-metric-drop is {request.max_metric_drop:g}"
    for name in [name for name in LOSSES if name in before][:1]:
        most = (1 + MOST_LOSS_RISE) * before[name] + (SMALL_LOSS if name == "loss" else 0)
        if not after.get(name, math.nan) <= most:
            yield (f"{name} rises from {before[name]:.4g} to {after.get(name, math.nan):.4g}, and "
                   f"{most:.4g} is allowed")  # fmt: skip


def _require_cheaper(cost: dict[str, float]) -> None:
    """Refuse integers that save nothing."""
    reason = ""
    if cost["bytes"] > cost["float_bytes"]:
        reason = f"the file has {cost['bytes']:,} bytes, that of floats {cost['float_bytes']:,}"
    elif cost["ratio"] > MOST_SLOWER:
        reason = f"one row takes {cost['ratio']:.2f} times as long as with floats"
    if reason:
        raise Failure(
            f"8-bit integers do not pay: {reason}; --force-quantize writes them all the same; no "
            "artifact was written"
        )


def _report_beside(place: Path) -> Path:
    return place.with_name(place.name + ".parity.json")


def _refuse(refusals: list[str], report: dict[str, Any], place: Path) -> NoReturn:
    """Write the report alongside, and say the first of the reasons."""
    beside = _report_beside(place)
    text = json.dumps({"refusals": refusals} | report, indent=1)
    replace_file(beside, text.encode())
    more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
    raise Failure(
        f"the exported model does not answer as the trained one does: {refusals[0]}{more}; "
        f"no artifact was written; report: {beside}"
    )


def _finish(run: Run, request: Request, staged: Path, report: dict[str, Any], program: str) -> None:
    """Write the card, and the record over all files."""
    task = bind_part(run.record, request.part)
    ranges = report.pop("ranges")
    inputs = tuple(
        field.model_copy(update={"range": tuple(ranges[field.name])})
        if field.name in ranges
        else field
        for field in task.input_fields()
    )
    signature = Signature(inputs=inputs, outputs=task.output_fields())
    report["baselines"] = {}
    if request.part != "discriminator":  # which simple methods have nothing to do with
        report["baselines"] = run.read_metrics().get(report["split"], {}).get("baselines", {})
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    content = {
        "format": request.format,
        "precision": request.precision,
        "part": request.part,
        "task": run.record.task,
        "signature": signature,
        "labels": task.facts.class_names,
        "preprocessing": "inside the graph, from these on: " + "; ".join(
            f"{field.name}: {field.meaning}" for field in signature.inputs[:8]
        ),
        "run": run.record.without_places(),
        "weights": arrays_digest(run.checkpoints, "best"),
        "versions": versions,
        "parity": report,
    }  # fmt: skip
    write_card(staged, content, program)
    write_record(staged, content)
